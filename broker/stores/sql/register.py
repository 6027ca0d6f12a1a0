"""What operators register by hand and in small numbers: added, edited, listed, removed.

Each edit names the version that it was made from, and every change leaves an audit event.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Column
from sqlmodel import SQLModel, select
from sqlmodel.ext.asyncio.session import AsyncSession

from broker.core.model import AuditEvent
from broker.stores.sql.account_rows import remember
from broker.stores.sql.errors import AlreadyExists, EditConflict, NotFound
from broker.stores.sql.spread import Spread
from broker.stores.sql.unit import Units

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Kind(Generic[T, R]):
    """What is registered.

    Attributes:
        noun: as people read it: ``API``.
        word: as audit events begin, and name it: ``api``.
        key: the field, and the column, that identifies one.
        made: its frozen dataclass.
        table: its table, with ``version``, ``created_at``, ``updated_at`` and ``more``.
        record: makes what operators see, of one, its version and the times of its row.
    """

    noun: str
    word: str
    key: str
    made: type[T]
    table: type[SQLModel]
    record: Callable[[T, int, float, float], R]


class SqlRegister(Generic[T, R]):
    """A register in SQL; ``StoreUnavailable`` from every method when it does not answer.

    Args:
        units: where transactions run.
        kind: what is registered.
    """

    def __init__(self, units: Units, kind: Kind[T, R]) -> None:
        self._units = units
        self._kind = kind
        self._spread = Spread(kind.made, kind.table)
        self._table: Any = kind.table
        self._key: Column[str] = getattr(kind.table, kind.key)

    async def add(self, one: T, *, now: float, actor: str = "operator", by: str | None = None) -> R:
        """Register one, with an audit event; ``by`` is the operator's account, if known.

        Raises:
            AlreadyExists: its identifier is taken.
        """
        key = getattr(one, self._kind.key)

        async def work(session: AsyncSession) -> R:
            if await session.get(self._table, key) is not None:
                raise AlreadyExists(f"The {self._kind.noun} {key} is registered already")
            columns = self._spread.columns(one)
            row = self._table(version=1, created_at=now, updated_at=now, **columns)
            session.add(row)
            remember(session, self._event("added", key, now, actor, by))
            return self._record(row)

        return await self._units.write(work)

    async def edit(
        self, one: T, *, version: int, now: float, actor: str = "operator", by: str | None = None
    ) -> R:
        """Replace the registration of the one with its identifier, with an audit event.

        Args:
            one: the registration as it is to be.
            version: the version it was read at.
            now: UTC seconds.
            actor: who did it, for the audit log.
            by: the operator's account, where one is known.

        Raises:
            NotFound: there is none.
            EditConflict: it was changed since.
        """
        key = getattr(one, self._kind.key)

        async def work(session: AsyncSession) -> R:
            row = await self._locked(session, key, version)
            new = self._spread.columns(one, row)
            changed = self._spread.changed(row, new)
            if changed:
                row.sqlmodel_update(new)
                row.version += 1
                row.updated_at = now
                remember(session, self._event("edited", key, now, actor, by, fields=changed))
            return self._record(row)

        return await self._units.write(work)

    async def remove(
        self, key: str, *, now: float, actor: str = "operator", by: str | None = None
    ) -> R:
        """Remove one, with an audit event (``by`` as in ``add``); it may be registered again.

        Raises:
            NotFound: there is none.
        """

        async def work(session: AsyncSession) -> R:
            row = await self._locked(session, key, None)
            record = self._record(row)
            await session.delete(row)
            remember(session, self._event("removed", key, now, actor, by))
            return record

        return await self._units.write(work)

    async def get(self, key: str) -> R | None:
        """Return one, or None where it is not registered."""

        async def work(session: AsyncSession) -> R | None:
            row = await session.get(self._table, key)
            return None if row is None else self._record(row)

        return await self._units.read(work)

    async def list(self) -> tuple[R, ...]:
        """Return all in the order of their identifiers."""

        async def work(session: AsyncSession) -> tuple[R, ...]:
            return tuple(self._record(row) for row in await self._all(session))

        return await self._units.read(work)

    async def registered(self) -> Mapping[str, T]:
        """Return all by their identifiers, as the core sees them."""

        async def work(session: AsyncSession) -> dict[str, T]:
            rows = await self._all(session)
            return {getattr(row, self._kind.key): self._one(row) for row in rows}

        return await self._units.read(work)

    async def _all(self, session: AsyncSession) -> Any:
        return await session.exec(select(self._table).order_by(self._key))

    async def _locked(self, session: AsyncSession, key: str, version: int | None) -> Any:
        wanted = select(self._table).where(self._key == key).with_for_update()
        row = (await session.exec(wanted)).one_or_none()
        if row is None:
            raise NotFound(f"There is no {self._kind.noun} {key}")
        if version is not None and row.version != version:
            raise EditConflict(private=f"read at {version}, now at {row.version}")
        return row

    def _one(self, row: Any) -> T:
        return self._kind.made(**self._spread.values(row))

    def _record(self, row: Any) -> R:
        return self._kind.record(self._one(row), row.version, row.created_at, row.updated_at)

    def _event(
        self, what: str, key: str, now: float, actor: str, by: str | None, **more: Any
    ) -> AuditEvent:
        word = self._kind.word
        detail = {word: key, **more} | ({} if by is None else {"operator": by})
        return AuditEvent(f"{word}.{what}", now, actor, detail=detail)
