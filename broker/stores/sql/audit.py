"""The audit log.

Events that happen together are written in one transaction: an event that comes while another is
written waits for that and goes with the others that did. So however many there are, they cost
the database a few transactions a second, and the process little.
"""

import asyncio
import operator
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, delete, func, insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from broker.core.errors import StoreUnavailable
from broker.core.model import AuditEvent
from broker.stores.sql.account_rows import columns_of
from broker.stores.sql.records import AuditEntry
from broker.stores.sql.tables import AuditEventRow
from broker.stores.sql.unit import Units

BATCH = 1000
TOGETHER = 100  # callers whose events are written in one transaction

# For a connection to execute: a session would look at every row first.
_ADDED: Final = insert(AuditEventRow).inline()

Told = tuple[tuple[AuditEvent, ...], "asyncio.Future[None]"]  # events, and whether they are kept


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which events are wanted; what is None or empty does not narrow.

    Attributes:
        account_id, client_id: whom they concern.
        kind: a dotted name, or its beginning followed by a dot: ``grant.``.
        since, until: UTC seconds; from the first on, before the second.
    """

    account_id: str | None = None
    client_id: str | None = None
    kind: str = ""
    since: float | None = None
    until: float | None = None


EVERYTHING = AuditFilter()


class SqlAudit:
    """The audit log in SQL; every method raises ``StoreUnavailable`` when SQL does not answer.

    Args:
        units: where transactions run.
    """

    def __init__(self, units: Units) -> None:
        self._units = units
        self._waiting: list[Told] = []
        self._writing: asyncio.Task[None] | None = None

    async def record(self, *events: AuditEvent) -> None:
        """Keep the events; a caller that is cancelled leaves them to be kept."""
        loop = asyncio.get_running_loop()
        kept: asyncio.Future[None] = loop.create_future()
        self._waiting.append((events, kept))
        if self._writing is None:
            self._writing = loop.create_task(self._write())
        await kept

    async def settle(self) -> None:
        """Wait for what is being kept; call it before the connections are closed."""
        while self._writing is not None:
            await asyncio.wait({self._writing})

    async def _write(self) -> None:
        """Write as long as events wait."""
        try:
            while self._waiting:
                told, self._waiting = self._waiting[:TOGETHER], self._waiting[TOGETHER:]
                await self._keep(told)
        finally:
            self._writing = None

    async def _keep(self, told: Sequence[Told]) -> None:
        try:
            await self._put([event for events, _ in told for event in events])
        except StoreUnavailable as error:
            # Whoever waits behind has waited too: nobody waits for SQL twice.
            told, self._waiting = [*told, *self._waiting], []
            for one in told:
                _settled(one, StoreUnavailable(private=error.private))
        except Exception:  # noqa: BLE001 - one of them cannot be kept: the others can
            for one in told:
                await self._keep_each(one)
        else:
            for one in told:
                _settled(one, None)

    async def _keep_each(self, told: Told) -> None:
        failed: Exception | None = None
        for event in told[0]:
            try:
                await self._put([event])
            except Exception as error:  # noqa: BLE001 - whoever waits for it is told
                failed = error
        _settled(told, failed)

    async def _put(self, events: Sequence[AuditEvent]) -> None:
        rows = [columns_of(event) for event in events]

        async def work(session: AsyncSession) -> None:
            await (await session.connection()).execute(_ADDED, rows)

        await self._units.write(work)

    async def page(
        self, wanted: AuditFilter = EVERYTHING, limit: int = 50, before: int | None = None
    ) -> tuple[AuditEntry, ...]:
        """Return events, newest first.

        Args:
            wanted: which.
            limit: how many at the most.
            before: the number of the last entry of the page before, or None for the first page.
        """
        chosen = select(AuditEventRow).where(*_conditions(wanted))
        if before is not None:
            chosen = chosen.where(col(AuditEventRow.id) < before)

        async def work(session: AsyncSession) -> tuple[AuditEntry, ...]:
            newest = chosen.order_by(col(AuditEventRow.id).desc()).limit(limit)
            return tuple(_entry(row) for row in await session.exec(newest))

        return await self._units.read(work)

    async def each(
        self, wanted: AuditFilter = EVERYTHING, *, batch: int = BATCH
    ) -> AsyncIterator[AuditEntry]:
        """Yield events, oldest first, however many there are; a batch is held at a time.

        Args:
            wanted: which.
            batch: how many are read in a transaction.
        """
        chosen, last = select(AuditEventRow).where(*_conditions(wanted)), 0
        number = col(AuditEventRow.id)
        while True:
            oldest = chosen.where(number > last).order_by(number).limit(batch)

            async def work(session: AsyncSession, oldest: Any = oldest) -> list[AuditEntry]:
                return [_entry(row) for row in await session.exec(oldest)]

            found = await self._units.read(work)
            for entry in found:
                yield entry
            if len(found) < batch:
                return
            last = found[-1].number

    async def prune(self, before: float) -> int:
        """Remove events older than ``before`` (UTC seconds), a batch a transaction.

        Returns:
            How many were removed.
        """
        removed = 0
        while (batch := await self._units.write(lambda session: _prune(session, before))) > 0:
            removed += batch
        return removed


def _settled(told: Told, error: Exception | None) -> None:
    """Tell whoever waits, if anybody does."""
    kept = told[1]
    if kept.done():
        return
    if error is None:
        kept.set_result(None)
    else:
        kept.set_exception(error)


async def _prune(session: AsyncSession, before: float) -> int:
    old = select(AuditEventRow.id).where(col(AuditEventRow.at) < before).limit(BATCH)
    found = [number for number in await session.exec(old) if number is not None]
    if found:
        await session.exec(delete(AuditEventRow).where(col(AuditEventRow.id).in_(found)))
    return len(found)


def _conditions(wanted: AuditFilter) -> list[ColumnElement[bool]]:
    """Return one condition for each thing that the filter names."""
    kind: Any = col(AuditEventRow.kind)
    if wanted.kind.endswith("."):
        kind = func.substr(kind, 1, len(wanted.kind))
    named: tuple[tuple[Any, Any, Callable[[Any, Any], Any]], ...] = (
        (wanted.account_id, col(AuditEventRow.account_id), operator.eq),
        (wanted.client_id, col(AuditEventRow.client_id), operator.eq),
        (wanted.kind or None, kind, operator.eq),
        (wanted.since, col(AuditEventRow.at), operator.ge),
        (wanted.until, col(AuditEventRow.at), operator.lt),
    )
    return [compare(column, value) for value, column, compare in named if value is not None]


def _entry(row: AuditEventRow) -> AuditEntry:
    event = AuditEvent(row.kind, row.at, row.actor, row.account_id, row.client_id, row.detail)
    return AuditEntry(row.id or 0, event)
