"""The clients' repository: what operators add, edit and remove."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from broker.core.model import AuditEvent, Client, ClientSecret
from broker.stores.passing import known
from broker.stores.sql.account_rows import remember
from broker.stores.sql.errors import AlreadyExists, EditConflict, NotFound
from broker.stores.sql.records import ClientRecord
from broker.stores.sql.spread import Spread
from broker.stores.sql.tables import ClientRow
from broker.stores.sql.unit import Units

_SPREAD: Final = Spread(Client, ClientRow)
CHUNK = 500  # identifiers in one statement


class SqlClients:
    """Registered clients in SQL; ``StoreUnavailable`` from every method when it does not answer.

    A removed client keeps its row, and its identifier is never given again: a person's consent
    to one client must not pass to another.

    Args:
        units: where transactions run.
    """

    def __init__(self, units: Units) -> None:
        self._units = units

    async def add(
        self, client: Client, *, now: float, actor: str = "operator", by: str | None = None
    ) -> ClientRecord:
        """Register a client, with an audit event; ``by`` is the operator's account, if known.

        Raises:
            AlreadyExists: the client_id is taken, or was.
        """

        async def work(session: AsyncSession) -> ClientRecord:
            return await _add(session, client, now, actor, by)

        return await self._units.write(work)

    async def edit(
        self,
        client: Client,
        *,
        version: int,
        now: float,
        actor: str = "operator",
        by: str | None = None,
    ) -> ClientRecord:
        """Replace the registration of ``client.client_id``, with an audit event.

        Args:
            client: the registration as it is to be.
            version: the version it was read at.
            now: UTC seconds.
            actor: who did it, for the audit log.
            by: the operator's account, where one is known.

        Raises:
            NotFound: there is no such client, or it was removed.
            EditConflict: it was changed since.
        """

        async def work(session: AsyncSession) -> ClientRecord:
            return await _edit(session, client, version, now, actor, by=by)

        return await self._units.write(work)

    async def apply(
        self,
        added: Sequence[Client],
        edited: Sequence[tuple[Client, int]],
        *,
        now: float,
        actor: str = "operator",
    ) -> None:
        """Add and edit many clients, all or none, with an audit event for each.

        Args:
            added: new ones.
            edited: registrations as they are to be, with the version each was read at.
            now: UTC seconds.
            actor: who did it, for the audit log.

        Raises:
            AlreadyExists, NotFound, EditConflict: for any one of them; nothing was changed.
        """

        async def work(session: AsyncSession) -> None:
            for client in added:
                await _add(session, client, now, actor)
            for client, version in edited:
                await _edit(session, client, version, now, actor)

        await self._units.write(work)

    async def remove(
        self,
        client_id: str,
        *,
        now: float,
        version: int | None = None,
        actor: str = "operator",
        by: str | None = None,
    ) -> ClientRecord:
        """Remove a client, with an audit event (``by`` as in ``add``); its secrets are wiped.

        Raises:
            NotFound: there is no such client, or it was removed before.
            EditConflict: a version was given, and it was changed since.
        """

        async def work(session: AsyncSession) -> ClientRecord:
            row = await _locked(session, client_id, version)
            row.removed_at = row.updated_at = now
            row.secrets = []
            row.version += 1
            detail = {} if by is None else {"operator": by}
            remember(session, _event("client.removed", client_id, now, actor, detail))
            return _record(row)

        return await self._units.write(work)

    async def get(self, client_id: str) -> ClientRecord | None:
        """Return the client unless it is unknown or removed."""

        async def work(session: AsyncSession) -> ClientRecord | None:
            row = await session.get(ClientRow, client_id)
            return None if row is None or row.removed_at is not None else _record(row)

        return await self._units.read(work)

    async def list(self, *, removed: bool = False) -> tuple[ClientRecord, ...]:
        """Return all clients in the order of their identifiers; removed ones only if asked."""
        wanted = select(ClientRow).order_by(col(ClientRow.client_id))
        if not removed:
            wanted = wanted.where(col(ClientRow.removed_at).is_(None))

        async def work(session: AsyncSession) -> tuple[ClientRecord, ...]:
            return tuple(_record(row) for row in await session.exec(wanted))

        return await self._units.read(work)

    async def names(self, client_ids: Collection[str]) -> Mapping[str, str]:
        """Return client_id → name of those of a page's clients that exist, removed or not."""
        wanted = select(ClientRow.client_id, ClientRow.name)
        wanted = wanted.where(col(ClientRow.client_id).in_(client_ids))

        async def work(session: AsyncSession) -> dict[str, str]:
            return dict((await session.exec(wanted)).all())

        return await self._units.read(work)

    async def versions(self, client_ids: tuple[str, ...]) -> Mapping[str, int]:
        """Return client_id → version of those of the given clients that exist, removed or not."""

        async def work(session: AsyncSession) -> dict[str, int]:
            known: dict[str, int] = {}
            for start in range(0, len(client_ids), CHUNK):
                some = client_ids[start : start + CHUNK]
                wanted = select(ClientRow.client_id, ClientRow.version)
                rows = await session.exec(wanted.where(col(ClientRow.client_id).in_(some)))
                known.update(dict(rows.all()))
            return known

        return await self._units.read(work)


async def _add(
    session: AsyncSession, client: Client, now: float, actor: str, by: str | None = None
) -> ClientRecord:
    if await session.get(ClientRow, client.client_id) is not None:
        raise AlreadyExists(f"The client_id {client.client_id} is taken")
    row = ClientRow(version=1, created_at=now, updated_at=now, **_SPREAD.columns(client))
    session.add(row)
    detail = {} if by is None else {"operator": by}
    remember(session, _event("client.added", client.client_id, now, actor, detail))
    return _record(row)


async def _edit(
    session: AsyncSession,
    client: Client,
    version: int,
    now: float,
    actor: str,
    *,
    by: str | None = None,
) -> ClientRecord:
    row = await _locked(session, client.client_id, version)
    new = _SPREAD.columns(client, row)
    changed = _SPREAD.changed(row, new)
    if changed:
        row.sqlmodel_update(new)
        row.version += 1
        row.updated_at = now
        detail = {"fields": changed} | ({} if by is None else {"operator": by})
        remember(session, _event("client.edited", client.client_id, now, actor, detail))
    return _record(row)


async def _locked(session: AsyncSession, client_id: str, version: int | None) -> ClientRow:
    wanted = select(ClientRow).where(col(ClientRow.client_id) == client_id).with_for_update()
    row = (await session.exec(wanted)).one_or_none()
    if row is None or row.removed_at is not None:
        raise NotFound(f"There is no client {client_id}")
    if version is not None and row.version != version:
        raise EditConflict(private=f"read at {version}, now at {row.version}")
    return row


def _record(row: ClientRow) -> ClientRecord:
    values = _SPREAD.values(row)
    values["secrets"] = tuple(known(ClientSecret, secret) for secret in row.secrets)
    return ClientRecord(
        Client(**values), row.version, row.created_at, row.updated_at, row.removed_at
    )


def _event(
    kind: str, client_id: str, now: float, actor: str, detail: Mapping[str, Any]
) -> AuditEvent:
    return AuditEvent(kind, now, actor, client_id=client_id, detail=detail)
