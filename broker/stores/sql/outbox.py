"""The outbox: changes committed in SQL that must still be carried to Redis.

Delivery is at least once. Taking an item moves its next time on by a lease, in the transaction
that takes it; so an item whose taker died comes back, and no two takers hold one at a time unless
the first is slower than the lease. Handlers are idempotent and read the truth anew.
"""

from typing import Final

from sqlalchemy import delete, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from broker.stores.cleaning import clean
from broker.stores.sql.records import OutboxItem
from broker.stores.sql.tables import OutboxRow
from broker.stores.sql.unit import Units

LEASE: Final = 30.0  # seconds in which a taker has to finish


class SqlOutbox:
    """The outbox in SQL; every method raises ``StoreUnavailable`` when SQL does not answer.

    Args:
        units: where transactions run.
        lease: seconds after which an item that was taken and not finished is offered again.
    """

    def __init__(self, units: Units, *, lease: float = LEASE) -> None:
        self._units = units
        self._lease = lease

    async def claim(self, limit: int, now: float) -> tuple[OutboxItem, ...]:
        """Take up to ``limit`` items that are due, oldest first.

        On PostgreSQL rows that another taker is looking at are passed over; on SQLite takers
        queue up for the one write lock.
        """
        due = (
            select(OutboxRow)
            .where(col(OutboxRow.done_at).is_(None), col(OutboxRow.next_at) <= now)
            .order_by(col(OutboxRow.id))
            .limit(limit)
            .with_for_update(skip_locked=True)
        )

        async def work(session: AsyncSession) -> tuple[OutboxItem, ...]:
            rows = (await session.exec(due)).all()
            for row in rows:
                row.attempts += 1
                row.next_at = now + self._lease
            return tuple(_item(row) for row in rows)

        return await self._units.write(work)

    async def done(self, number: int, now: float) -> None:
        """Mark the item as finished; idempotent."""
        await self._set(number, done_at=now, last_error=None)

    async def retry(self, number: int, error: str, next_at: float) -> None:
        """Give the item back, to be taken again from ``next_at`` on (UTC seconds)."""
        await self._set(number, next_at=next_at, last_error=clean(error)[:500])

    async def waiting(self) -> tuple[OutboxItem, ...]:
        """Return what is not finished, oldest first, a hundred at the most."""
        open_rows = select(OutboxRow).where(col(OutboxRow.done_at).is_(None))

        async def work(session: AsyncSession) -> tuple[OutboxItem, ...]:
            rows = await session.exec(open_rows.order_by(col(OutboxRow.id)).limit(100))
            return tuple(_item(row) for row in rows)

        return await self._units.read(work)

    async def prune(self, before: float) -> int:
        """Remove what was finished before ``before`` (UTC seconds); return how many."""

        async def work(session: AsyncSession) -> int:
            found = await session.exec(delete(OutboxRow).where(col(OutboxRow.done_at) < before))
            return int(found.rowcount)

        return await self._units.write(work)

    async def _set(self, number: int, **values: float | str | None) -> None:
        async def work(session: AsyncSession) -> None:
            unfinished = (col(OutboxRow.id) == number, col(OutboxRow.done_at).is_(None))
            await session.exec(update(OutboxRow).where(*unfinished).values(**values))

        await self._units.write(work)


def _item(row: OutboxRow) -> OutboxItem:
    return OutboxItem(row.id or 0, row.kind, row.payload, row.created_at, row.attempts)
