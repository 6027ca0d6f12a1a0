"""The APIs' repository: what operators add, edit and remove."""

from collections.abc import Mapping
from typing import Any, Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from broker.core.apis import Api
from broker.core.model import AuditEvent
from broker.stores.sql.account_rows import remember
from broker.stores.sql.errors import AlreadyExists, EditConflict, NotFound
from broker.stores.sql.records import ApiRecord
from broker.stores.sql.spread import Spread
from broker.stores.sql.tables import ApiRow
from broker.stores.sql.unit import Units

_SPREAD: Final = Spread(Api, ApiRow)


class SqlApis:
    """Registered APIs in SQL; ``StoreUnavailable`` from every method when it does not answer.

    Args:
        units: where transactions run.
    """

    def __init__(self, units: Units) -> None:
        self._units = units

    async def add(self, api: Api, *, now: float, actor: str = "operator") -> ApiRecord:
        """Register an API, with an audit event.

        Raises:
            AlreadyExists: the identifier is taken.
        """

        async def work(session: AsyncSession) -> ApiRecord:
            if await session.get(ApiRow, api.identifier) is not None:
                raise AlreadyExists(f"The API {api.identifier} is registered already")
            row = ApiRow(version=1, created_at=now, updated_at=now, **_SPREAD.columns(api))
            session.add(row)
            remember(session, _event("api.added", api.identifier, now, actor))
            return _record(row)

        return await self._units.write(work)

    async def edit(
        self, api: Api, *, version: int, now: float, actor: str = "operator"
    ) -> ApiRecord:
        """Replace the registration of ``api.identifier``, with an audit event.

        Args:
            api: the registration as it is to be.
            version: the version it was read at.
            now: UTC seconds.
            actor: who did it, for the audit log.

        Raises:
            NotFound: there is no such API.
            EditConflict: it was changed since.
        """

        async def work(session: AsyncSession) -> ApiRecord:
            row = await _locked(session, api.identifier, version)
            new = _SPREAD.columns(api)
            changed = _SPREAD.changed(row, new)
            if changed:
                row.sqlmodel_update(new)
                row.version += 1
                row.updated_at = now
                event = _event("api.edited", api.identifier, now, actor, fields=changed)
                remember(session, event)
            return _record(row)

        return await self._units.write(work)

    async def remove(self, identifier: str, *, now: float, actor: str = "operator") -> ApiRecord:
        """Remove an API, with an audit event; it may be registered again.

        Raises:
            NotFound: there is no such API.
        """

        async def work(session: AsyncSession) -> ApiRecord:
            row = await _locked(session, identifier, None)
            record = _record(row)
            await session.delete(row)
            remember(session, _event("api.removed", identifier, now, actor))
            return record

        return await self._units.write(work)

    async def get(self, identifier: str) -> ApiRecord | None:
        """Return the API, or None where it is not registered."""

        async def work(session: AsyncSession) -> ApiRecord | None:
            row = await session.get(ApiRow, identifier)
            return None if row is None else _record(row)

        return await self._units.read(work)

    async def list(self) -> tuple[ApiRecord, ...]:
        """Return all APIs in the order of their identifiers."""

        async def work(session: AsyncSession) -> tuple[ApiRecord, ...]:
            rows = await session.exec(select(ApiRow).order_by(col(ApiRow.identifier)))
            return tuple(_record(row) for row in rows)

        return await self._units.read(work)


async def _locked(session: AsyncSession, identifier: str, version: int | None) -> ApiRow:
    wanted = select(ApiRow).where(col(ApiRow.identifier) == identifier).with_for_update()
    row = (await session.exec(wanted)).one_or_none()
    if row is None:
        raise NotFound(f"There is no API {identifier}")
    if version is not None and row.version != version:
        raise EditConflict(private=f"read at {version}, now at {row.version}")
    return row


def _record(row: ApiRow) -> ApiRecord:
    return ApiRecord(Api(**_SPREAD.values(row)), row.version, row.created_at, row.updated_at)


def _event(kind: str, identifier: str, now: float, actor: str, **more: Any) -> AuditEvent:
    detail: Mapping[str, Any] = {"api": identifier, **more}
    return AuditEvent(kind, now, actor, detail=detail)
