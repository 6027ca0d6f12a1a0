"""Bans that have outlived their accounts.

An account that is switched off when it is deleted leaves, of each of its identities, what the
upstream calls it: so nobody comes back as somebody new by being deleted. An operator lifts them,
all that were one account's together.
"""

from collections.abc import Sequence
from itertools import groupby

from sqlmodel import col, delete, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from broker.core.model import AuditEvent, JsonValue
from broker.stores.cleaning import clean
from broker.stores.sql.account_rows import identities_of, remember
from broker.stores.sql.records import BanRecord
from broker.stores.sql.tables import AccountRow, BanRow
from broker.stores.sql.unit import Units


class SqlBans:
    """Bans in SQL, for operators; every method raises ``StoreUnavailable`` when it does not answer.

    Args:
        units: where transactions run.
    """

    def __init__(self, units: Units) -> None:
        self._units = units

    async def page(self, limit: int = 50, after: str | None = None) -> tuple[BanRecord, ...]:
        """Return bans in the order of the identifiers that the accounts had.

        Args:
            limit: how many at the most.
            after: the last account_id of the page before, or None for the first page.
        """
        which = select(BanRow.account_id).distinct().order_by(col(BanRow.account_id)).limit(limit)
        return await self._read(
            which if after is None else which.where(col(BanRow.account_id) > after)
        )

    async def find(self, reference: str) -> tuple[BanRecord, ...]:
        """Return the bans that an upstream subject (snowflake) or an account_id may mean."""
        name = clean(reference.strip())
        fits = or_(col(BanRow.subject) == name, col(BanRow.account_id) == name)
        return await self._read(select(BanRow.account_id).where(fits))

    async def lift(self, account_id: str, *, now: float, by: str | None = None) -> bool:
        """Let the person of a deleted account sign in again, as somebody new.

        Args:
            account_id: of the account that was.
            now: UTC seconds.
            by: the operator's account, where one is known.

        Returns:
            Whether there was a ban.
        """
        detail: dict[str, JsonValue] = {} if by is None else {"operator": by}

        async def work(session: AsyncSession) -> bool:
            rows = await _rows(session, [account_id])
            if not rows:
                return False
            await session.exec(delete(BanRow).where(col(BanRow.account_id) == account_id))
            remember(session, AuditEvent("ban.lifted", now, "operator", account_id, None, detail))
            return True

        return await self._units.write(work)

    async def _read(self, which: SelectOfScalar[str]) -> tuple[BanRecord, ...]:
        async def work(session: AsyncSession) -> tuple[BanRecord, ...]:
            accounts = (await session.exec(which)).all()
            found = groupby(await _rows(session, accounts), key=lambda row: row.account_id)
            return tuple(_record(list(rows)) for _, rows in found)

        return await self._units.read(work)


async def ban_of(session: AsyncSession, upstream: str, subject: str) -> BanRow | None:
    """Return the ban of an identity, or None."""
    return await session.get(BanRow, (upstream, subject))


async def outlive(session: AsyncSession, row: AccountRow, now: float) -> bool:
    """Keep the ban of an account that is about to be deleted; return whether there is one."""
    if row.disabled_at is None:
        return False
    for one in await identities_of(session, row.id):
        ban = BanRow(
            upstream=one.upstream,
            subject=one.subject,
            account_id=row.id,
            since=row.disabled_at,
            reason=row.disabled_reason,
            kept_at=now,
        )
        session.add(ban)
    return True


async def _rows(session: AsyncSession, accounts: Sequence[str]) -> Sequence[BanRow]:
    wanted = select(BanRow).where(col(BanRow.account_id).in_(accounts))
    order = col(BanRow.account_id), col(BanRow.upstream)
    return (await session.exec(wanted.order_by(*order))).all()


def _record(rows: Sequence[BanRow]) -> BanRecord:
    first = rows[0]
    who = tuple((one.upstream, one.subject) for one in rows)
    return BanRecord(first.account_id, first.since, first.reason, first.kept_at, who)
