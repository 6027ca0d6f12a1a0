"""Accounts that are to be deleted, and their deletion.

Whoever deletes one does it in one transaction, under a lock on its row, with an entry of the outbox
that forgets it in Redis: so any number of processes may try, and any of them may be killed.
"""

from typing import Any, Final

from sqlmodel import col, delete, select
from sqlmodel.ext.asyncio.session import AsyncSession

from broker.core.account.own import Leaving
from broker.core.model import AuditEvent, Facts
from broker.stores.sql import records
from broker.stores.sql.account_rows import (
    facts_of,
    identities_of,
    locked,
    queue,
    remember,
)
from broker.stores.sql.bans import outlive
from broker.stores.sql.errors import NotFound
from broker.stores.sql.tables import AccountRow, AuditEventRow, UpstreamTokenRow
from broker.stores.sql.unit import Units

BATCH: Final = 16
# What the log goes on telling of somebody who is gone: nothing that anybody chose or is called by.
LASTING: Final = frozenset(
    ("upstream", "at", "scope", "grants_ended", "tries", "way", "from", "generation", "left_out")
)


class Departures:
    """Half of ``SqlOwnAccounts``.

    Args:
        units: where transactions run.
    """

    def __init__(self, units: Units) -> None:
        self._units = units

    async def leave(
        self, account_id: str, *, now: float, grace: int, actor: str, by: str | None = None
    ) -> Leaving:
        """Switch the account off, to be deleted after so many seconds; at once after none.

        What upstreams let us do for it is forgotten at once. One that leaves already goes when it
        was to go, or sooner; it is kept who wanted that day. ``by`` is the operator's account,
        where one is known.

        Raises:
            NotFound: there is no such account.
        """

        async def work(session: AsyncSession) -> Leaving:
            row = await locked(session, account_id)
            at = now + grace if row.delete_at is None else min(row.delete_at, now + grace)
            if at <= now:
                await erase(session, row, now, actor, by)
                return Leaving(at, None)
            if row.delete_at is None or at < row.delete_at:
                row.delete_at, row.delete_by = at, actor
            row.not_before = max(row.not_before, now)
            row.version += 1
            held = [one.id for one in await identities_of(session, account_id)]
            tokens = col(UpstreamTokenRow.identity_id).in_(held)
            await session.exec(delete(UpstreamTokenRow).where(tokens))
            queue(session, records.ACCOUNT_ENDED, row, now, not_before=row.not_before)
            detail = {"at": at} | _operator(by)
            remember(session, AuditEvent("account.leaving", now, actor, account_id, None, detail))
            await session.flush()
            return Leaving(at, await facts_of(session, row))

        return await self._units.write(work)

    async def keep(
        self, account_id: str, *, now: float, actor: str, by: str | None = None
    ) -> Facts | None:
        """Let an account stay after all; None where it is too late, or was not leaving.

        What was ended stays ended. ``by`` is as for ``leave``.
        """

        async def work(session: AsyncSession) -> Facts | None:
            row = await _there(session, account_id)
            if row is None or row.delete_at is None or row.delete_at <= now:
                return None
            row.delete_at = row.delete_by = None
            row.version += 1
            queue(session, records.ACCOUNT_CHANGED, row, now)
            event = AuditEvent("account.kept", now, actor, account_id, None, _operator(by))
            remember(session, event)
            await session.flush()
            return await facts_of(session, row)

        return await self._units.write(work)

    async def due(self, now: float) -> tuple[str, ...]:
        """Return accounts whose time has come, the longest waiting first, a batch at the most."""
        wanted = select(AccountRow.id).where(col(AccountRow.delete_at) <= now)
        first = wanted.order_by(col(AccountRow.delete_at)).limit(BATCH)

        async def work(session: AsyncSession) -> tuple[str, ...]:
            return tuple((await session.exec(first)).all())

        return await self._units.read(work)

    async def erase(self, account_id: str, *, now: float) -> bool:
        """Delete an account whose time has come; False where it is gone, or stays after all."""

        async def work(session: AsyncSession) -> bool:
            row = await _there(session, account_id)
            if row is None or row.delete_at is None or row.delete_at > now:
                return False
            await erase(session, row, now, "system")
            return True

        return await self._units.write(work)


async def erase(
    session: AsyncSession, row: AccountRow, now: float, actor: str, by: str | None = None
) -> None:
    """Delete an account that is locked, and all that hangs on it, in this transaction.

    The audit log keeps what happened; its account_id leads to nobody any more, and what could tell
    who that was is taken out. Of an account that is switched off the ban stays.
    """
    await _forget(session, row.id)
    banned = {"banned": True} if await outlive(session, row, now) else {}
    queue(session, records.ACCOUNT_ERASED, row, now)
    detail = banned | _operator(by)
    remember(session, AuditEvent("account.deleted", now, actor, row.id, None, detail))
    await session.flush()
    await session.exec(delete(AccountRow).where(col(AccountRow.id) == row.id))
    session.expunge_all()


async def _forget(session: AsyncSession, account_id: str) -> None:
    """Take out of the audit log what could tell who an account was."""
    wanted = select(AuditEventRow).where(col(AuditEventRow.account_id) == account_id)
    for event in (await session.exec(wanted)).all():
        if not event.detail.keys() <= LASTING:
            lasting: dict[str, Any] = {
                name: value for name, value in event.detail.items() if name in LASTING
            }
            event.detail = lasting


def _operator(by: str | None) -> dict[str, Any]:
    return {} if by is None else {"operator": by}


async def _there(session: AsyncSession, account_id: str) -> AccountRow | None:
    try:
        return await locked(session, account_id)
    except NotFound:
        return None
