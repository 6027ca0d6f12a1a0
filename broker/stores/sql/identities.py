"""Linking and unlinking identities: the core's ``Identities`` port.

An account's row is locked for each change, so of two that exclude each other one comes second; that
one identity has one account is the database's own constraint.
"""

from collections.abc import Collection

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from broker.core.identities import Identity, Linked, NotLinked, NotUnlinked
from broker.core.model import AuditEvent, Facts, Profile
from broker.stores.sql import records
from broker.stores.sql.account_rows import (
    facts_of,
    identities_of,
    locked,
    new_identity,
    profile_again,
    queue,
    remember,
    seen,
)
from broker.stores.sql.bans import ban_of
from broker.stores.sql.tables import AccountRow, IdentityRow
from broker.stores.sql.unit import Units


class SqlIdentities:
    """Identities in SQL; every method raises ``StoreUnavailable`` when SQL does not answer.

    Args:
        units: where transactions run.
    """

    def __init__(self, units: Units) -> None:
        self._units = units

    async def of(self, account_id: str) -> tuple[Identity, ...]:
        """Return the account's identities, the oldest first: the one that its profile is of."""

        async def work(session: AsyncSession) -> tuple[Identity, ...]:
            rows = await identities_of(session, account_id)
            return tuple(_identity(row, leads=row is rows[0]) for row in rows)

        return await self._units.read(work)

    async def link(self, account_id: str, profile: Profile, *, now: float) -> Linked | NotLinked:
        """Link the identity of a profile that has just signed in upstream.

        Raises:
            NotFound: there is no such account.
        """

        async def work(session: AsyncSession) -> Linked | NotLinked:
            row = await locked(session, account_id)
            wanted = select(IdentityRow).where(
                col(IdentityRow.upstream) == profile.upstream,
                col(IdentityRow.subject) == profile.subject,
            )
            known = (await session.exec(wanted)).one_or_none()
            if known is not None and known.account_id != account_id:
                remember(session, _event("identity.refused", row, profile.upstream, now))
                return NotLinked.TAKEN
            if known is not None:
                seen(row, known, profile, now, leads=known is await _leader(session, row))
                await session.flush()
                return Linked(await facts_of(session, row), new=False)
            if any(
                one.upstream == profile.upstream for one in await identities_of(session, row.id)
            ):
                return NotLinked.OCCUPIED
            if await ban_of(session, profile.upstream, profile.subject):
                remember(session, _event("identity.refused", row, profile.upstream, now))
                return NotLinked.BANNED
            session.add(new_identity(row, profile, now))
            row.version += 1
            queue(session, records.ACCOUNT_CHANGED, row, now)
            remember(session, _event("identity.linked", row, profile.upstream, now))
            await session.flush()
            return Linked(await facts_of(session, row), new=True)

        return await self._units.write(work)

    async def unlink(
        self, account_id: str, upstream: str, *, usable: Collection[str], now: float
    ) -> Facts | NotUnlinked:
        """Unlink the identity at an upstream, and forget what is kept of it.

        Where the account's profile was that identity's, it becomes that of the oldest that is left:
        nothing that the upstream told stays behind.

        Args:
            account_id: whose.
            upstream: where.
            usable: the upstreams through which somebody can sign in at all.
            now: UTC seconds.

        Raises:
            NotFound: there is no such account.
        """

        async def work(session: AsyncSession) -> Facts | NotUnlinked:
            row = await locked(session, account_id)
            rows = await identities_of(session, account_id)
            gone = next((one for one in rows if one.upstream == upstream), None)
            if gone is None:
                return NotUnlinked.UNKNOWN
            left = [one for one in rows if one is not gone]
            if not any(one.upstream in usable for one in left):
                return NotUnlinked.LAST
            await session.delete(gone)
            if gone is rows[0]:
                profile_again(row, left[0], now)
            row.version += 1
            queue(session, records.IDENTITY_UNLINKED, row, now, upstream=upstream, at=now)
            remember(session, _event("identity.unlinked", row, upstream, now))
            await session.flush()
            return await facts_of(session, row)

        return await self._units.write(work)


async def _leader(session: AsyncSession, row: AccountRow) -> IdentityRow:
    return (await identities_of(session, row.id))[0]


def _identity(row: IdentityRow, *, leads: bool) -> Identity:
    return Identity(
        row.upstream, row.subject, row.username, row.created_at, row.last_seen_at, leads
    )


def _event(kind: str, row: AccountRow, upstream: str, now: float) -> AuditEvent:
    return AuditEvent(kind, now, "person", row.id, None, {"upstream": upstream})
