"""Accounts that come from elsewhere, many at once."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from broker.core.model import AuditEvent, Profile
from broker.core.ports import Entropy
from broker.stores.sql.account_rows import new_identity, profile_columns, remember
from broker.stores.sql.bans import ban_of
from broker.stores.sql.tables import AccountRow, IdentityRow
from broker.stores.sql.unit import Units


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account to make; times are UTC seconds.

    Attributes:
        profile: who it is upstream; the one thing by which it is found again.
        sub: the subject to give it, or None for a random one.
        created_at, last_sign_in_at: as they were elsewhere.
        disabled_at: since when it is switched off, or None.
    """

    profile: Profile
    sub: str | None
    created_at: float
    last_sign_in_at: float
    disabled_at: float | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one: its subject at the upstream and here, and whether it was made now."""

    subject: str
    sub: str
    made: bool


class SubjectTaken(Exception):
    """A subject that was to be given belongs to somebody else.

    Args:
        sub: which.
    """

    def __init__(self, sub: str) -> None:
        super().__init__(f"the sub {sub} belongs to another account")
        self.sub = sub


class SqlAccountImport:
    """Makes accounts in one transaction a batch; those that exist stay as they are.

    Args:
        units: where transactions run.
        entropy: makes identifiers.
    """

    def __init__(self, units: Units, entropy: Entropy) -> None:
        self._units = units
        self._entropy = entropy

    async def add(self, batch: Sequence[NewAccount], *, now: float) -> list[Taken]:
        """Make those whose identity nobody has; repeating it makes nothing more.

        Raises:
            SubjectTaken: a subject is another account's; nothing of the batch was made.
            StoreUnavailable: SQL does not answer.
        """

        async def work(session: AsyncSession) -> list[Taken]:
            known = await _known(session, batch)
            await _must_be_free(session, [one.sub for one in batch if _key(one) not in known])
            return [
                Taken(one.profile.subject, known[_key(one)], made=False)
                if _key(one) in known
                else await self._make(session, one, now)
                for one in batch
            ]

        return await self._units.write(work)

    async def _make(self, session: AsyncSession, one: NewAccount, now: float) -> Taken:
        """Make an account; for an identity that is banned, one that is switched off instead."""
        off, reason = one.disabled_at, "inactive where it came from"
        ban = await ban_of(session, one.profile.upstream, one.profile.subject)
        if ban is not None:
            off, reason = ban.since, ban.reason or "switched off before it was deleted"
            await session.delete(ban)
        row = AccountRow(
            id=self._entropy.token(16).hex(),
            sub=one.sub or self._entropy.token(16).hex(),
            version=1,
            created_at=one.created_at,
            updated_at=now,
            last_sign_in_at=one.last_sign_in_at,
            disabled_at=off,
            disabled_reason=None if off is None else reason,
            **profile_columns(one.profile),
        )
        session.add(row)
        await session.flush()
        session.add(new_identity(row, one.profile, now))
        remember(session, AuditEvent("account.imported", now, "operator", row.id))
        return Taken(one.profile.subject, row.sub, made=True)


def _key(one: NewAccount) -> tuple[str, str]:
    return one.profile.upstream, one.profile.subject


async def _known(session: AsyncSession, batch: Sequence[NewAccount]) -> dict[tuple[str, str], str]:
    """Return the subs of identities that somebody has."""
    wanted = (
        select(IdentityRow.upstream, IdentityRow.subject, AccountRow.sub)
        .join(AccountRow, col(AccountRow.id) == col(IdentityRow.account_id))
        .where(col(IdentityRow.subject).in_([one.profile.subject for one in batch]))
    )
    return {(upstream, subject): sub for upstream, subject, sub in await session.exec(wanted)}


async def _must_be_free(session: AsyncSession, subs: Sequence[str | None]) -> None:
    given = [sub for sub in subs if sub is not None]
    if not given:
        return
    taken = await session.exec(select(AccountRow.sub).where(col(AccountRow.sub).in_(given)))
    for sub in taken:
        raise SubjectTaken(sub)
