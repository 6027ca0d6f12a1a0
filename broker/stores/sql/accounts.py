"""Accounts and identities: the core's ``Accounts`` port.

An account is found by (upstream, subject) and by nothing else: never by e-mail or username. Its
version grows by one with each change of its facts, under a lock on its row, so it is monotone; a
sign-in that brings nothing new leaves it.
"""

from collections.abc import Sequence

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from broker.core.model import AuditEvent, Facts, Profile
from broker.core.ports import Entropy
from broker.stores.sql import records
from broker.stores.sql.account_operations import AccountOperations
from broker.stores.sql.account_rows import (
    clean,
    facts_of,
    locked,
    merged_scope,
    profile_columns,
    queue,
    remember,
)
from broker.stores.sql.tables import AccountRow, ConsentRow, IdentityRow
from broker.stores.sql.unit import Units


class SqlAccounts(AccountOperations):
    """Accounts in SQL; every method raises ``StoreUnavailable`` when SQL does not answer.

    Args:
        units: where transactions run.
        entropy: makes identifiers.
    """

    def __init__(self, units: Units, entropy: Entropy) -> None:
        super().__init__(units)
        self._entropy = entropy

    async def sign_in(self, profile: Profile, *, now: float) -> tuple[str, Facts]:
        """Find or make the account of an identity and update its profile, in one transaction.

        Of several first sign-ins of one identity at once, one makes the account.

        Returns:
            The account_id and its facts; the caller looks at ``disabled``.
        """

        async def work(session: AsyncSession) -> tuple[str, Facts]:
            identity = await _identity(session, profile)
            if identity is None:
                row = await self._make(session, profile, now)
            else:
                row = await locked(session, identity.account_id)
                _update(row, identity, profile, now)
            await session.flush()
            return row.id, await facts_of(session, row)

        return await self._units.write(work)

    async def facts(self, account_id: str) -> Facts | None:
        """Return the facts as SQL has them, or None when there is no such account."""

        async def work(session: AsyncSession) -> Facts | None:
            row = await session.get(AccountRow, account_id)
            return None if row is None else await facts_of(session, row)

        return await self._units.read(work)

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
        self, account_id: str, client_id: str, *, now: float, actor: str = "operator"
    ) -> Facts:
        """Forget the consent, with an audit event, and queue the newer facts; idempotent.

        Raises:
            NotFound: there is no such account.
        """

        async def work(session: AsyncSession) -> Facts:
            row = await locked(session, account_id)
            known = await session.get(ConsentRow, (account_id, client_id))
            if known is not None:
                await session.delete(known)
                row.version += 1
                queue(session, records.CONSENT_WITHDRAWN, row, now, client_id=client_id)
                detail = {"scope": known.scope}
                kind = records.CONSENT_WITHDRAWN
                remember(session, AuditEvent(kind, now, actor, account_id, client_id, detail))
            await session.flush()
            return await facts_of(session, row)

        return await self._units.write(work)

    async def _make(self, session: AsyncSession, profile: Profile, now: float) -> AccountRow:
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
        session.add(
            IdentityRow(
                account_id=row.id,
                upstream=profile.upstream,
                subject=profile.subject,
                username=clean(profile.username),
                raw=dict(profile.raw),
                created_at=now,
                last_seen_at=now,
            )
        )
        remember(session, AuditEvent("account.created", now, "person", row.id))
        return row


async def _identity(session: AsyncSession, profile: Profile) -> IdentityRow | None:
    wanted = select(IdentityRow).where(
        col(IdentityRow.upstream) == profile.upstream, col(IdentityRow.subject) == profile.subject
    )
    return (await session.exec(wanted)).one_or_none()


def _update(row: AccountRow, identity: IdentityRow, profile: Profile, now: float) -> None:
    """Bring a known account up to date; its version grows only when its claims change."""
    columns = profile_columns(profile)
    if any(getattr(row, name) != value for name, value in columns.items()):
        row.sqlmodel_update(columns)
        row.updated_at = max(row.updated_at, now)
        row.version += 1
    row.last_sign_in_at = max(row.last_sign_in_at, now)
    identity.username = clean(profile.username)
    identity.raw = dict(profile.raw)
    identity.last_seen_at = max(identity.last_seen_at, now)
