"""What operators do to accounts.

Switching an account off, and signing it out, commit the row, an outbox row and an audit event in
one transaction; whoever drains the outbox carries it to Redis.
"""

from collections.abc import Callable, Collection, Mapping

from sqlalchemy import ColumnElement
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from broker.core.model import AuditEvent, Facts, JsonValue
from broker.stores.cleaning import clean
from broker.stores.sql import records
from broker.stores.sql.account_rows import facts_of, locked, queue, remember
from broker.stores.sql.account_search import EVERYBODY, AccountFilter, page_of, records_of
from broker.stores.sql.errors import NotFound
from broker.stores.sql.records import AccountRecord
from broker.stores.sql.tables import AccountRow, IdentityRow
from broker.stores.sql.unit import Units

_Change = Callable[[AccountRow], None]


class AccountOperations:
    """The operator's half of ``SqlAccounts``.

    Args:
        units: where transactions run.
    """

    def __init__(self, units: Units) -> None:
        self._units = units

    async def disable(
        self, account_id: str, reason: str, now: float, *, by: str | None = None
    ) -> Facts:
        """Switch the account off and kill what was begun before; repeating it does it again.

        Row, outbox and audit event are one transaction.

        Args:
            account_id: whose.
            reason: why; kept with it.
            now: UTC seconds.
            by: the operator's account, where one is known.

        Raises:
            NotFound: there is no such account.
        """

        def change(row: AccountRow) -> None:
            row.disabled_at = now if row.disabled_at is None else row.disabled_at
            row.disabled_reason = clean(reason)
            row.not_before = max(row.not_before, now)

        kind = "account.disabled"
        event = AuditEvent(kind, now, "operator", account_id, detail={"reason": reason} | _by(by))
        return await self._change(account_id, change, records.ACCOUNT_ENDED, event)

    async def enable(self, account_id: str, now: float, *, by: str | None = None) -> Facts:
        """Switch the account on again; what was begun before stays dead.

        Raises:
            NotFound: there is no such account.
        """

        def change(row: AccountRow) -> None:
            row.disabled_at = None
            row.disabled_reason = None

        event = AuditEvent("account.enabled", now, "operator", account_id, None, _by(by))
        return await self._change(account_id, change, records.ACCOUNT_CHANGED, event)

    async def sign_out(
        self, account_id: str, now: float, *, by: str | None = None, actor: str = "operator"
    ) -> Facts:
        """Kill every session, code and grant begun before now.

        Args:
            account_id: whose.
            now: UTC seconds.
            by: the operator's account, where one is known.
            actor: who wants it: ``operator`` or ``person``.

        Raises:
            NotFound: there is no such account.
        """

        def change(row: AccountRow) -> None:
            row.not_before = max(row.not_before, now)

        event = AuditEvent("account.signed_out", now, actor, account_id, None, _by(by))
        return await self._change(account_id, change, records.ACCOUNT_ENDED, event)

    async def get(self, account_id: str) -> AccountRecord:
        """Return the account.

        Raises:
            NotFound: there is no such account.
        """

        async def work(session: AsyncSession) -> AccountRecord:
            row = await session.get(AccountRow, account_id)
            if row is None:
                raise NotFound("There is no such account")
            (record,) = await records_of(session, [row])
            return record

        return await self._units.read(work)

    async def find(self, reference: str) -> tuple[AccountRecord, ...]:
        """Return the accounts that an operator may mean, by the first kind of name that fits.

        In this order: account_id, sub, upstream subject (snowflake), username, e-mail; the last
        two as given or in lower case. What people choose for themselves comes last, so nobody's
        username hides another's identifier. Several answers mean that the reference is ambiguous.
        """
        name = clean(reference.strip())
        held = select(IdentityRow.account_id).where(col(IdentityRow.subject) == name)
        kinds: tuple[ColumnElement[bool], ...] = (
            col(AccountRow.id) == name,
            col(AccountRow.sub) == name,
            col(AccountRow.id).in_(held),
            col(AccountRow.username).in_((name, name.lower())),
            col(AccountRow.email).in_((name, name.lower())),
        )

        async def work(session: AsyncSession) -> tuple[AccountRecord, ...]:
            for kind in kinds:
                wanted = select(AccountRow).where(kind).order_by(col(AccountRow.id)).limit(20)
                if rows := (await session.exec(wanted)).all():
                    return await records_of(session, rows)
            return ()

        return await self._units.read(work)

    async def page(
        self, wanted: AccountFilter = EVERYBODY, limit: int = 50, after: str | None = None
    ) -> tuple[AccountRecord, ...]:
        """Return accounts in the order of their identifiers.

        Args:
            wanted: which.
            limit: how many at the most.
            after: the last account_id of the page before, or None for the first page.
        """

        async def work(session: AsyncSession) -> tuple[AccountRecord, ...]:
            return await records_of(session, await page_of(session, wanted, limit, after))

        return await self._units.read(work)

    async def names(self, account_ids: Collection[str]) -> Mapping[str, str]:
        """Return account_id → name of those of a page's accounts that exist."""
        wanted = select(AccountRow.id, AccountRow.name)
        wanted = wanted.where(col(AccountRow.id).in_(account_ids))

        async def work(session: AsyncSession) -> dict[str, str]:
            return dict((await session.exec(wanted)).all())

        return await self._units.read(work)

    async def _change(
        self, account_id: str, change: _Change, kind: str, event: AuditEvent
    ) -> Facts:
        async def work(session: AsyncSession) -> Facts:
            row = await locked(session, account_id)
            change(row)
            row.version += 1
            queue(session, kind, row, event.at, not_before=row.not_before)
            remember(session, event)
            await session.flush()
            return await facts_of(session, row)

        return await self._units.write(work)


def _by(by: str | None) -> dict[str, JsonValue]:
    """Return what an event says of the operator; nothing is known of one at a command line."""
    return {} if by is None else {"operator": by}
