"""Remembering what happened, without ever failing what happens."""

import asyncio
from contextvars import Context
from typing import Final

from broker.core.errors import StoreUnavailable
from broker.core.model import AuditEvent
from broker.core.ports import Audit
from broker.log import structlog

SOON: Final = 0.02  # seconds in which events of the hot path gather, to be kept together
MOST_WAITING: Final = 500
_WAITING: Final[dict[Audit, list[AuditEvent]]] = {}
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
    waiting = _WAITING.get(audit)
    if waiting is None:
        waiting = _WAITING[audit] = []
        keeping = _keep_soon(audit, waiting)
        task = asyncio.get_running_loop().create_task(keeping, context=Context())
        _UNDER_WAY.add(task)
        task.add_done_callback(_UNDER_WAY.discard)
    if len(waiting) >= MOST_WAITING:
        _not_stored(event, "more than SQL takes")
    else:
        waiting.append(event)


async def settle() -> None:
    """Wait until what was to be kept soon is; call it before the audit log is closed."""
    loop = asyncio.get_running_loop()
    while tasks := {one for one in _UNDER_WAY if not one.done() and one.get_loop() is loop}:
        await asyncio.wait(tasks)


async def _keep_soon(audit: Audit, waiting: list[AuditEvent]) -> None:
    try:
        while True:
            await asyncio.sleep(SOON)
            if not waiting:
                return
            events = tuple(waiting)
            waiting.clear()
            try:
                await _keep(audit, *events)
            except Exception as error:  # noqa: BLE001 - those that come next can be kept
                _log.error("audit.not_stored", events=len(events), exc_info=error)
    finally:
        del _WAITING[audit]


def _tell(event: AuditEvent) -> None:
    _log.info(
        event.kind,
        actor=event.actor,
        account_id=event.account_id,
        client_id=event.client_id,
        **{f"detail_{name}": value for name, value in event.detail.items()},
    )


async def _keep(audit: Audit, *events: AuditEvent) -> None:
    try:
        await audit.record(*events)
    except StoreUnavailable as error:
        for event in events:
            _not_stored(event, error.private)


def _not_stored(event: AuditEvent, reason: str) -> None:
    _log.warning("audit.not_stored", kind=event.kind, reason=reason)
