"""Remembering what happened, without ever failing what happens."""

import asyncio
from contextvars import Context
from typing import Final

from broker.core.errors import StoreUnavailable
from broker.core.model import AuditEvent
from broker.core.ports import Audit
from broker.log import structlog

MOST_UNDER_WAY: Final = 64
_UNDER_WAY: Final[set[asyncio.Task[None]]] = set()

_log = structlog.get_logger("broker.audit")


async def note(audit: Audit, event: AuditEvent) -> None:
    """Log the event and keep it; when SQL is out of reach the log alone has it."""
    _tell(event)
    await _keep(audit, event)


def note_soon(audit: Audit, event: AuditEvent) -> None:
    """Log the event and let it be kept beside what goes on: for what happens on the hot path.

    What SQL does not take as fast as it comes is in the log alone.
    """
    _tell(event)
    if len(_UNDER_WAY) >= MOST_UNDER_WAY:
        _log.warning("audit.not_stored", kind=event.kind, reason="more than SQL takes")
        return
    task = asyncio.get_running_loop().create_task(_keep(audit, event), context=Context())
    _UNDER_WAY.add(task)
    task.add_done_callback(_UNDER_WAY.discard)


def _tell(event: AuditEvent) -> None:
    _log.info(
        event.kind,
        actor=event.actor,
        account_id=event.account_id,
        client_id=event.client_id,
        **{f"detail_{name}": value for name, value in event.detail.items()},
    )


async def _keep(audit: Audit, event: AuditEvent) -> None:
    try:
        await audit.record(event)
    except StoreUnavailable as error:
        _log.warning("audit.not_stored", kind=event.kind, reason=error.private)
