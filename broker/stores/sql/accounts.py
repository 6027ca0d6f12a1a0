"""Accounts and identities: the core's ``Accounts`` port.

An account is found by (upstream, subject) and by nothing else: never by e-mail or username. Its
version grows by one with each change of its facts, under a lock on its row, so it is monotone; a
sign-in that brings nothing new leaves it.
"""

from collections.abc import Sequence
from typing import Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from broker.core.community.model import Community
from broker.core.errors import SignInRefused, StoreUnavailable
from broker.core.model import AuditEvent, Facts, Profile
from broker.core.ports import Entropy
from broker.stores import community as documents
from broker.stores.sql import records
from broker.stores.sql.account_operations import AccountOperations
from broker.stores.sql.account_rows import (
    facts_of,
    identities_of,
    identity_at,
    locked,
    merged_scope,
    new_identity,
    profile_columns,
    queue,
    remember,
    seen,
)
from broker.stores.sql.bans import ban_of
from broker.stores.sql.departures import erase
from broker.stores.sql.errors import NotFound
from broker.stores.sql.tables import AccountRow, ConsentRow, IdentityRow, UpstreamTokenRow
from broker.stores.sql.unit import Units

KEPT_TIME: Final = 3600.0  # seconds by which the time of a reading may be behind in SQL


class SqlAccounts(AccountOperations):
    """Accounts in SQL; every method raises ``StoreUnavailable`` when SQL does not answer.

    Args:
        units: where transactions run.
        entropy: makes identifiers.
    """

    def __init__(self, units: Units, entropy: Entropy) -> None:
        super().__init__(units)
        self._entropy = entropy

    async def sign_in(
        self, profile: Profile, *, now: float, community: Community | None = None
    ) -> tuple[str, Facts]:
        """Find or make the account of an identity and update its profile, in one transaction.

        Of several first sign-ins of one identity at once, one makes the account. An e-mail address
        known from before stays where the profile could not be asked for one.

        Args:
            profile: what the upstream says.
            now: UTC seconds.
            community: what was read of communities at this sign-in; each part is kept unless one
                that was read as late is there.

        Returns:
            The account_id and its facts; the caller looks at ``disabled``.

        Raises:
            SignInRefused: nobody has the identity, for its account was deleted while it was off.
        """

        async def work(session: AsyncSession) -> tuple[str, Facts]:
            identity = await _identity(session, profile.upstream, profile.subject)
            if identity is None:
                row, identity = await self._make(session, profile, now)
            else:
                row, identity = await _held(session, identity)
                if row.delete_at is not None and row.delete_at <= now:
                    await erase(session, row, now, "system")
                    row, identity = await self._make(session, profile, now)
                leads = identity is (await identities_of(session, row.id))[0]
                seen(row, identity, profile, now, leads=leads)
                row.last_sign_in_at = max(row.last_sign_in_at, now)
            if community is not None and _learn(identity, community):
                row.version += 1
            await session.flush()
            return row.id, await facts_of(session, row)

        return await self._units.write(work)

    async def deauthorized(
        self, upstream: str, subject: str, *, at: float, now: float
    ) -> tuple[str, Facts] | None:
        """Kill what was begun up to the moment at which an authorization was withdrawn upstream.

        Row, outbox and audit event are one transaction. The whole account is signed out, through
        whichever of its identities somebody came, and what was kept of the authorization, or read
        with it of communities, is forgotten; a sign-in after the moment stays, and what it brought.

        Args:
            upstream: its name.
            subject: its identifier of the person.
            at: the moment, UTC seconds; not in the future.
            now: UTC seconds.

        Returns:
            The account_id and its newer facts; None where nobody has that identity, or everything
            up to that moment is dead already.
        """

        async def work(session: AsyncSession) -> tuple[str, Facts] | None:
            identity = await _identity(session, upstream, subject)
            if identity is None:
                return None
            row, identity = await _held(session, identity)
            tokens = await session.get(UpstreamTokenRow, identity.id)
            if tokens is not None and tokens.updated_at <= at:
                await session.delete(tokens)
            left = documents.community(identity.community).since(at)
            identity.community = documents.document(left) or None
            if row.not_before >= at:
                return None
            row.not_before = at
            row.version += 1
            queue(session, records.ACCOUNT_ENDED, row, now, not_before=at, since_stays=True)
            detail = {"upstream": upstream, "at": at}
            remember(
                session, AuditEvent("account.deauthorized", now, "person", row.id, None, detail)
            )
            await session.flush()
            return row.id, await facts_of(session, row)

        return await self._units.write(work)

    async def facts(self, account_id: str) -> Facts | None:
        """Return the facts as SQL has them, or None when there is no such account."""

        async def work(session: AsyncSession) -> Facts | None:
            row = await session.get(AccountRow, account_id)
            return None if row is None else await facts_of(session, row)

        return await self._units.read(work)

    async def keep_community(self, account_id: str, upstream: str, community: Community) -> None:
        """Keep what was read of the account's identity at the upstream, each part by its time.

        No transaction is begun that writes where it says what is kept already, unless that was
        read more than an hour before. The facts' version grows only where it says something else.
        """

        async def look(session: AsyncSession) -> bool:
            identity = await identity_at(session, account_id, upstream)
            return identity is not None and _worth_writing(identity, community)

        async def work(session: AsyncSession) -> None:
            row = await locked(session, account_id)
            identity = await identity_at(session, account_id, upstream)
            if identity is not None and _learn(identity, community):
                row.version += 1

        if await self._units.read(look):
            await self._units.write(work)

    async def consent(
        self, account_id: str, client_id: str, scope: Sequence[str], *, now: float
    ) -> Facts:
        """Record the person's consent, added to an earlier one, and return the newer facts.

        Raises:
            NotFound: there is no such account.
        """

        async def work(session: AsyncSession) -> Facts:
            row = await locked(session, account_id)
            known = await session.get(ConsentRow, (account_id, client_id))
            merged = merged_scope(known.scope if known else "", tuple(scope))
            if known is None or known.scope != merged:
                begun = known.granted_at if known else now
                row.version += 1
                await session.merge(
                    ConsentRow(
                        account_id=account_id,
                        client_id=client_id,
                        scope=merged,
                        granted_at=begun,
                        updated_at=now,
                    )
                )
            await session.flush()
            return await facts_of(session, row)

        return await self._units.write(work)

    async def withdraw_consent(
        self,
        account_id: str,
        client_id: str,
        *,
        now: float,
        actor: str = "operator",
        by: str | None = None,
    ) -> tuple[Facts, bool]:
        """Forget the consent, with an audit event, and queue the end of what stood on it.

        Clients that need no consent have grants all the same: so the end is queued in any case.
        ``by`` is the operator's account, where one is known.

        Returns:
            The newer facts, and whether there was a consent.

        Raises:
            NotFound: there is no such account.
        """

        async def work(session: AsyncSession) -> tuple[Facts, bool]:
            row = await locked(session, account_id)
            known = await session.get(ConsentRow, (account_id, client_id))
            if known is not None:
                await session.delete(known)
            kind, whose = records.CONSENT_WITHDRAWN, (account_id, client_id)
            row.version += 1
            more = {"client_id": client_id, "at": now, "consented": known is not None}
            queue(session, kind, row, now, **more)
            detail = {} if known is None else {"scope": known.scope}
            detail |= {} if by is None else {"operator": by}
            remember(session, AuditEvent(kind, now, actor, *whose, detail))
            await session.flush()
            return await facts_of(session, row), known is not None

        return await self._units.write(work)

    async def _make(
        self, session: AsyncSession, profile: Profile, now: float
    ) -> tuple[AccountRow, IdentityRow]:
        if await ban_of(session, profile.upstream, profile.subject):
            raise SignInRefused(private="the identity of an account that was switched off")
        row = AccountRow(
            id=self._entropy.token(16).hex(),
            sub=self._entropy.token(16).hex(),
            version=1,
            created_at=now,
            updated_at=now,
            last_sign_in_at=now,
            **profile_columns(profile),
        )
        session.add(row)
        await session.flush()
        identity = new_identity(row, profile, now)
        session.add(identity)
        remember(session, AuditEvent("account.created", now, "person", row.id))
        return row, identity


async def _identity(session: AsyncSession, upstream: str, subject: str) -> IdentityRow | None:
    wanted = select(IdentityRow).where(
        col(IdentityRow.upstream) == upstream, col(IdentityRow.subject) == subject
    )
    return (await session.exec(wanted)).one_or_none()


async def _held(session: AsyncSession, identity: IdentityRow) -> tuple[AccountRow, IdentityRow]:
    """Return the account and its identity as they are now that nobody else may change them.

    Raises:
        StoreUnavailable: it was unlinked in this very moment; whoever asked can try again.
    """
    upstream = identity.upstream
    try:
        row = await locked(session, identity.account_id)
    except NotFound:
        raise StoreUnavailable(private="an account was deleted meanwhile") from None
    wanted = select(IdentityRow).where(col(IdentityRow.id) == identity.id)
    now = (await session.exec(wanted, execution_options={"populate_existing": True})).one_or_none()
    if now is None or now.account_id != row.id:
        raise StoreUnavailable(private=f"an identity at {upstream} was unlinked meanwhile")
    return row, now


def _learn(identity: IdentityRow, read: Community) -> bool:
    """Keep what was read with the identity; return whether it says anything new."""
    known = documents.community(identity.community)
    merged = known.merged(read)
    if merged != known:
        identity.community = documents.document(merged)
    return documents.content(merged) != documents.content(known)


def _worth_writing(identity: IdentityRow, read: Community) -> bool:
    """Whether what was read says anything new, or what is kept of it has grown old."""
    known = documents.community(identity.community)
    merged = known.merged(read)
    if documents.content(merged) != documents.content(known):
        return True
    before, after = documents.times(known), documents.times(merged)
    return any(after[part] - before[part] > KEPT_TIME for part in after)
