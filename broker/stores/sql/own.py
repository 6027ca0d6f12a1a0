"""Accounts as their own people look at them: the core's ``OwnAccounts`` port."""

from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from broker.core.account.own import Agreement
from broker.core.model import JsonValue
from broker.core.moments import stamp
from broker.stores.sql.account_rows import identities_of
from broker.stores.sql.departures import Departures
from broker.stores.sql.tables import (
    AccountRow,
    AuditEventRow,
    ConsentRow,
    IdentityRow,
    OperatorRow,
    PasskeyRow,
    UpstreamTokenRow,
)


class SqlOwnAccounts(Departures):
    """Own accounts in SQL; every method raises ``StoreUnavailable`` when SQL does not answer."""

    async def agreements(self, account_id: str) -> tuple[Agreement, ...]:
        """Return what the person has agreed to, the latest first."""
        wanted = select(ConsentRow).where(col(ConsentRow.account_id) == account_id)

        async def work(session: AsyncSession) -> tuple[Agreement, ...]:
            rows = await session.exec(wanted.order_by(col(ConsentRow.updated_at).desc()))
            return tuple(
                Agreement(row.client_id, tuple(row.scope.split()), row.granted_at, row.updated_at)
                for row in rows
            )

        return await self._units.read(work)

    async def everything(self, account_id: str) -> dict[str, JsonValue]:
        """Return all that is kept of the person, without secrets; times in ISO 8601, UTC."""

        async def work(session: AsyncSession) -> dict[str, JsonValue]:
            row = await session.get(AccountRow, account_id)
            if row is None:
                return {}
            return {
                "account": _plain(row, leave_out=("version",)),
                "identities": [
                    await _identity(session, one) for one in await identities_of(session, row.id)
                ],
                "consents": await _rows(session, ConsentRow, account_id),
                "operator": await _operator(session, account_id),
                "audit": await _events(session, account_id),
            }

        return await self._units.read(work)


async def _identity(session: AsyncSession, row: IdentityRow) -> dict[str, JsonValue]:
    """Return an identity, and of our authorization at its upstream all but the tokens."""
    tokens = await session.get(UpstreamTokenRow, row.id)
    kept = ("sealed", "identity_id", "version", "lease_until")
    held = None if tokens is None else _plain(tokens, leave_out=kept)
    return _plain(row, leave_out=("id", "account_id")) | {"authorization": held}


async def _operator(session: AsyncSession, account_id: str) -> dict[str, JsonValue] | None:
    row = await session.get(OperatorRow, account_id)
    if row is None:
        return None
    secret = ("public_key", "sign_count", "credential_id")
    keys = await _rows(session, PasskeyRow, account_id, leave_out=secret)
    return {"since": stamp(row.since), "passkeys": keys}


async def _events(session: AsyncSession, account_id: str) -> list[dict[str, JsonValue]]:
    """Return what the audit log tells of the person; operators are nobody's business."""
    wanted = select(AuditEventRow).where(col(AuditEventRow.account_id) == account_id)
    rows = await session.exec(wanted.order_by(col(AuditEventRow.id)))
    found = []
    for row in rows:
        detail = {name: value for name, value in row.detail.items() if name != "operator"}
        event = _plain(row, leave_out=("id", "account_id", "detail"))
        found.append(event | {"at": stamp(row.at), "detail": detail})
    return found


async def _rows(
    session: AsyncSession, table: Any, account_id: str, *, leave_out: tuple[str, ...] = ()
) -> list[dict[str, JsonValue]]:
    rows = await session.exec(select(table).where(col(table.account_id) == account_id))
    return [_plain(row, leave_out=("account_id", *leave_out)) for row in rows]


def _plain(row: Any, *, leave_out: tuple[str, ...]) -> dict[str, JsonValue]:
    """Return a row's columns, its moments written out."""
    columns: dict[str, Any] = row.model_dump(exclude=set(leave_out))
    moments = {
        name: stamp(value)
        for name, value in columns.items()
        if (name.endswith("_at") or name == "not_before") and isinstance(value, float) and value
    }
    return columns | moments
