"""Operators and their passkeys: the core's ``Operators`` port, and what the command line does.

Each change and its audit event are one transaction.
"""

import hmac

from sqlmodel import col, delete, select
from sqlmodel.ext.asyncio.session import AsyncSession

from broker.core.model import AuditEvent, JsonValue
from broker.core.operators import Operator, Passkey, code_digest
from broker.stores.cleaning import clean
from broker.stores.sql.account_rows import locked, remember
from broker.stores.sql.errors import NotFound
from broker.stores.sql.tables import OperatorRow, PasskeyRow
from broker.stores.sql.unit import Units


class SqlOperators:
    """Operators in SQL; every method raises ``StoreUnavailable`` when SQL does not answer.

    Args:
        units: where transactions run.
    """

    def __init__(self, units: Units) -> None:
        self._units = units

    async def grant(self, account_id: str, code: str, *, until: float, now: float) -> Operator:
        """Make the account an operator, if it is none yet, who may make a passkey with the code.

        A code of before is void from then on; passkeys stay.

        Args:
            account_id: whose.
            code: as printed; only its digest is kept.
            until: UTC seconds up to which it is good.
            now: UTC seconds.

        Raises:
            NotFound: there is no such account.
        """

        async def work(session: AsyncSession) -> Operator:
            await locked(session, account_id)
            row = await session.get(OperatorRow, account_id)
            if row is None:
                row = OperatorRow(account_id=account_id, since=now)
                session.add(row)
            row.code_digest, row.code_until = code_digest(code), until
            remember(session, AuditEvent("operator.granted", now, "operator", account_id))
            await session.flush()
            return await _operator(session, row)

        return await self._units.write(work)

    async def revoke(self, account_id: str, *, now: float, by: str | None = None) -> None:
        """Take the role away, with every passkey: the console lets the account out at once.

        Args:
            account_id: whose.
            now: UTC seconds.
            by: the operator's account who did it, if known.

        Raises:
            NotFound: the account is no operator.
        """

        async def work(session: AsyncSession) -> None:
            row = await session.get(OperatorRow, account_id)
            if row is None:
                raise NotFound("This account is no operator")
            await session.exec(delete(PasskeyRow).where(col(PasskeyRow.account_id) == account_id))
            await session.delete(row)
            remember(session, _event("operator.revoked", now, account_id, by))

        await self._units.write(work)

    async def forget(
        self, account_id: str, credential_id: bytes, *, now: float, by: str | None = None
    ) -> str:
        """Take one passkey away, and return its name: the console lets out who came in with it.

        Args:
            account_id: whose.
            credential_id: which.
            now: UTC seconds.
            by: the operator's account who did it, if known.

        Raises:
            NotFound: the account has no such passkey.
        """

        async def work(session: AsyncSession) -> str:
            row = await session.get(PasskeyRow, credential_id.hex())
            if row is None or row.account_id != account_id:
                raise NotFound("There is no such passkey")
            name = row.name
            await session.delete(row)
            detail = {"passkey": name}
            remember(session, _event("operator.passkey_removed", now, account_id, by, detail))
            return name

        return await self._units.write(work)

    async def get(self, account_id: str) -> Operator | None:
        """Return the operator, or None where the account is none."""

        async def work(session: AsyncSession) -> Operator | None:
            row = await session.get(OperatorRow, account_id)
            return None if row is None else await _operator(session, row)

        return await self._units.read(work)

    async def list(self) -> tuple[Operator, ...]:
        """Return all operators, the first of them first."""
        wanted = select(OperatorRow).order_by(col(OperatorRow.since), col(OperatorRow.account_id))

        async def work(session: AsyncSession) -> tuple[Operator, ...]:
            rows = (await session.exec(wanted)).all()
            return tuple([await _operator(session, row) for row in rows])

        return await self._units.read(work)

    async def enrol(self, passkey: Passkey, code: str, *, now: float) -> bool:
        """Spend a printed code and keep the passkey, in one step; False where the code is none.

        Where it is that of another operator, run out, or spent.
        """

        async def work(session: AsyncSession) -> bool:
            await locked(session, passkey.account_id)
            row = await session.get(OperatorRow, passkey.account_id)
            if row is None or not _good(row, code, now):
                return False
            row.code_digest = row.code_until = None
            session.add(
                PasskeyRow(
                    credential_id=passkey.credential_id.hex(),
                    account_id=passkey.account_id,
                    public_key=passkey.public_key,
                    sign_count=passkey.sign_count,
                    name=clean(passkey.name),
                    created_at=now,
                )
            )
            detail = {"passkey": clean(passkey.name)}
            event = AuditEvent(
                "operator.enrolled", now, "operator", passkey.account_id, None, detail
            )
            remember(session, event)
            return True

        return await self._units.write(work)

    async def used(self, passkey: Passkey, sign_count: int, *, now: float) -> bool:
        """Remember a use; False where the passkey is gone, or was used beyond that count.

        A count that does not grow tells of a copy (Web Authentication §6.1.1); authenticators that
        do not count say 0 each time.
        """
        wanted = select(PasskeyRow).where(
            col(PasskeyRow.credential_id) == passkey.credential_id.hex(),
            col(PasskeyRow.account_id) == passkey.account_id,
        )

        async def work(session: AsyncSession) -> bool:
            row = (await session.exec(wanted.with_for_update())).one_or_none()
            if row is None or _copied(row.sign_count, sign_count):
                return False
            row.sign_count, row.last_used_at = sign_count, now
            detail = {"passkey": row.name}
            event = AuditEvent(
                "operator.signed_in", now, "operator", passkey.account_id, None, detail
            )
            remember(session, event)
            return True

        return await self._units.write(work)


def _event(
    kind: str,
    now: float,
    account_id: str,
    by: str | None,
    detail: dict[str, JsonValue] | None = None,
) -> AuditEvent:
    told = (detail or {}) | ({} if by is None else {"operator": by})
    return AuditEvent(kind, now, "operator", account_id, detail=told)


def _copied(before: int, count: int) -> bool:
    """Whether a count tells that there is a copy of the authenticator."""
    return count <= before and (before, count) != (0, 0)


def _good(row: OperatorRow, code: str, now: float) -> bool:
    if row.code_digest is None or row.code_until is None or row.code_until <= now:
        return False
    return hmac.compare_digest(row.code_digest, code_digest(code))


async def _operator(session: AsyncSession, row: OperatorRow) -> Operator:
    wanted = select(PasskeyRow).where(col(PasskeyRow.account_id) == row.account_id)
    rows = await session.exec(wanted.order_by(col(PasskeyRow.created_at)))
    passkeys = tuple(
        Passkey(
            bytes.fromhex(one.credential_id),
            one.account_id,
            one.public_key,
            one.sign_count,
            one.name,
            one.created_at,
            one.last_used_at,
        )
        for one in rows
    )
    return Operator(row.account_id, row.since, passkeys, row.code_until)
