"""Finding accounts among many: by who they are, how they stand, when they were last seen.

A page costs three statements, with a name to look for four, however many accounts are on it. Whom a
name or an identifier means is found by an index. Parts of names, and what is rare, take a reading
of the table (a tenth of a second among 100,000): sign-ins write no index for operators alone.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, CompoundSelect, or_, union
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from broker.stores.cleaning import clean
from broker.stores.sql.records import AccountRecord, IdentityRecord
from broker.stores.sql.tables import AccountRow, ConsentRow, IdentityRow, OperatorRow

UNMISTAKABLE: Final = 15  # characters: somebody who is called just so is meant, and nobody else


class State(StrEnum):
    """How an account stands; one that is off and leaves as well is off."""

    ACTIVE = "active"
    DISABLED = "disabled"
    LEAVING = "leaving"


@dataclass(frozen=True, slots=True)
class AccountFilter:
    """Which accounts are wanted; what is None or empty does not narrow.

    Attributes:
        query: part of a name, username or e-mail address, or a whole snowflake, sub or identifier.
        state: how they stand.
        operators: whether those alone who may use the console.
        since, until: UTC seconds; last signed in from the first on, before the second.
    """

    query: str = ""
    state: State | None = None
    operators: bool = False
    since: float | None = None
    until: float | None = None


EVERYBODY = AccountFilter()


def state_of(record: AccountRecord) -> State:
    """Return how an account stands."""
    if record.disabled_at is not None:
        return State.DISABLED
    return State.ACTIVE if record.delete_at is None else State.LEAVING


async def page_of(
    session: AsyncSession, wanted: AccountFilter, limit: int, after: str | None
) -> Sequence[AccountRow]:
    """Return a page of accounts.

    Whoever is called as was asked for stands at the beginning, however many others have that within
    their names, and once more where the order has them; of a long text it is they alone, and no
    name is looked through.

    Args:
        session: of the transaction.
        wanted: which.
        limit: how many at the most.
        after: the last account_id of the page before, or None for the first page.
    """
    query, others = clean(wanted.query.strip()), _conditions(wanted)
    found = select(AccountRow).where(*others).order_by(col(AccountRow.id))
    if not query:
        return (await session.exec(_cut(found, limit, after))).all()
    called: Sequence[AccountRow] = ()
    if after is None:
        exact = found.where(col(AccountRow.id).in_(_called(query)))
        called = (await session.exec(_cut(exact, limit, None))).all()
        if called and len(query) >= UNMISTAKABLE:
            return called
    rows = (await session.exec(_cut(found.where(_resembles(query)), limit, after))).all()
    there = {row.id for row in rows}
    room = max(limit - len(rows), limit // 2)
    first = [row for row in called if row.id not in there][:room]
    return [*first, *rows[: limit - len(first)]]


def _cut(
    found: SelectOfScalar[AccountRow], limit: int, after: str | None
) -> SelectOfScalar[AccountRow]:
    return (found if after is None else found.where(col(AccountRow.id) > after)).limit(limit)


def _conditions(wanted: AccountFilter) -> Sequence[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.state is not None:
        conditions += _standing(wanted.state)
    if wanted.operators:
        conditions.append(col(AccountRow.id).in_(select(OperatorRow.account_id)))
    if wanted.since is not None:
        conditions.append(col(AccountRow.last_sign_in_at) >= wanted.since)
    if wanted.until is not None:
        conditions.append(col(AccountRow.last_sign_in_at) < wanted.until)
    return conditions


def _resembles(query: str) -> ColumnElement[bool]:
    """Return the condition that one of the account's names contains the query: no index helps."""
    names = (AccountRow.name, AccountRow.username, AccountRow.email)
    return or_(*(col(name).icontains(query, autoescape=True) for name in names))


def _called(query: str) -> CompoundSelect[Any]:
    """Return who is called so; each part is found by an index, which one OR of them all is not."""
    account_id, typed = col(AccountRow.id), (query, query.lower())
    return union(
        select(account_id).where(account_id == query),
        select(account_id).where(col(AccountRow.sub) == query),
        select(account_id).where(col(AccountRow.username).in_(typed)),
        select(account_id).where(col(AccountRow.email).in_(typed)),
        select(col(IdentityRow.account_id)).where(col(IdentityRow.subject) == query),
    )


def _standing(state: State) -> Sequence[ColumnElement[bool]]:
    off = col(AccountRow.disabled_at)
    leaves = col(AccountRow.delete_at)
    match state:
        case State.DISABLED:
            return [off.is_not(None)]
        case State.LEAVING:
            return [off.is_(None), leaves.is_not(None)]
        case State.ACTIVE:
            return [off.is_(None), leaves.is_(None)]


async def records_of(
    session: AsyncSession, rows: Sequence[AccountRow]
) -> tuple[AccountRecord, ...]:
    """Return accounts as operators see them: two statements for all of them."""
    ids = [row.id for row in rows]
    identities: defaultdict[str, list[IdentityRecord]] = defaultdict(list)
    consents: defaultdict[str, dict[str, str]] = defaultdict(dict)
    held = select(IdentityRow).where(col(IdentityRow.account_id).in_(ids))
    agreed = select(ConsentRow).where(col(ConsentRow.account_id).in_(ids))
    for one in (await session.exec(held.order_by(col(IdentityRow.id)))).all() if ids else ():
        seen = IdentityRecord(
            one.upstream, one.subject, one.username, one.created_at, one.last_seen_at
        )
        identities[one.account_id].append(seen)
    for each in (
        (await session.exec(agreed.order_by(col(ConsentRow.client_id)))).all() if ids else ()
    ):
        consents[each.account_id][each.client_id] = each.scope
    return tuple(
        AccountRecord(
            account_id=row.id,
            identities=tuple(identities[row.id]),
            consents=consents[row.id],
            **row.model_dump(exclude={"id"}),
        )
        for row in rows
    )
