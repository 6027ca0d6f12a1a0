"""Remembering what happened, without ever failing what happens."""

import structlog

from broker.core.errors import StoreUnavailable
from broker.core.model import AuditEvent
from broker.core.ports import Audit

_log = structlog.get_logger("broker.audit")


async def note(audit: Audit, event: AuditEvent) -> None:
    """Log the event and keep it; when SQL is out of reach the log alone has it."""
    _log.info(
        event.kind,
        actor=event.actor,
        account_id=event.account_id,
        client_id=event.client_id,
        **{f"detail_{name}": value for name, value in event.detail.items()},
    )
    try:
        await audit.record(event)
    except StoreUnavailable as error:
        _log.warning("audit.not_stored", kind=event.kind, reason=error.private)
