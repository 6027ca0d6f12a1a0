"""Pieces of the transactions on accounts: locking, facts, profiles, records."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from broker.core import vocabulary as v
from broker.core.community.model import Community
from broker.core.model import AuditEvent, Facts, JsonValue, Profile
from broker.stores import community as documents
from broker.stores.cleaning import clean, clean_or_none
from broker.stores.sql.errors import NotFound
from broker.stores.sql.tables import (
    AccountRow,
    AuditEventRow,
    ConsentRow,
    IdentityRow,
    OutboxRow,
)

# The profile's columns and the standard claims they become (OpenID Connect Core §5.1).
CLAIMS = {
    "name": "name",
    "username": "preferred_username",
    "picture": "picture",
    "email": "email",
    "locale": "locale",
}


async def locked(session: AsyncSession, account_id: str) -> AccountRow:
    """Return the account's row, held until the transaction ends: so its version is monotone.

    Raises:
        NotFound: there is no such account.
    """
    wanted = select(AccountRow).where(col(AccountRow.id) == account_id).with_for_update()
    row = (await session.exec(wanted)).one_or_none()
    if row is None:
        raise NotFound("There is no such account")
    return row


async def facts_of(session: AsyncSession, row: AccountRow) -> Facts:
    """Return what tokens need to know of the account."""
    identities = await identities_of(session, row.id)
    known = Community()
    for one in identities:
        known = known.merged(documents.community(one.community))
    return Facts(
        version=row.version,
        sub=row.sub,
        disabled=row.disabled_at is not None or row.delete_at is not None,
        not_before=row.not_before,
        claims=_claims(row),
        consents=await consents_of(session, row.id),
        identities={one.upstream: one.subject for one in identities},
        community=known,
        leaving_at=row.delete_at if row.disabled_at is None else None,
        leaving_by=row.delete_by if row.disabled_at is None else None,
    )


async def identities_of(session: AsyncSession, account_id: str) -> Sequence[IdentityRow]:
    """Return the account's identities, the oldest first."""
    wanted = select(IdentityRow).where(col(IdentityRow.account_id) == account_id)
    return (await session.exec(wanted.order_by(col(IdentityRow.id)))).all()


async def identity_at(session: AsyncSession, account_id: str, upstream: str) -> IdentityRow | None:
    """Return the account's identity at an upstream, or None."""
    wanted = select(IdentityRow).where(
        col(IdentityRow.account_id) == account_id, col(IdentityRow.upstream) == upstream
    )
    return (await session.exec(wanted.order_by(col(IdentityRow.id)).limit(1))).one_or_none()


async def consents_of(session: AsyncSession, account_id: str) -> dict[str, str]:
    """Return client_id → scope."""
    wanted = select(ConsentRow).where(col(ConsentRow.account_id) == account_id)
    rows = await session.exec(wanted.order_by(col(ConsentRow.client_id)))
    return {row.client_id: row.scope for row in rows}


def _claims(row: AccountRow) -> dict[str, JsonValue]:
    claims: dict[str, JsonValue] = {
        claim: getattr(row, column)
        for column, claim in CLAIMS.items()
        if getattr(row, column) is not None
    }
    if row.email is not None:
        claims["email_verified"] = row.email_verified
    return claims | {"updated_at": int(row.updated_at)}


def profile_columns(profile: Profile) -> dict[str, Any]:
    """Return the account's columns as the profile has them, but for what could not be read."""
    columns: dict[str, Any] = {
        "name": clean(profile.display_name),
        "username": clean(profile.username),
        "picture": clean_or_none(profile.picture),
        "locale": clean_or_none(profile.locale),
    }
    if profile.email_read:
        columns["email"] = clean_or_none(profile.email)
        columns["email_verified"] = profile.email is not None and profile.email_verified
    return columns


NO_PROFILE: Final[dict[str, Any]] = {
    "picture": None,
    "locale": None,
    "email": None,
    "email_verified": False,
}


def new_identity(row: AccountRow, profile: Profile, now: float) -> IdentityRow:
    """Return a new identity of the account; it is not in the session yet."""
    return IdentityRow(
        account_id=row.id,
        upstream=profile.upstream,
        subject=profile.subject,
        username=clean(profile.username),
        raw=dict(profile.raw),
        profile=NO_PROFILE | profile_columns(profile),
        created_at=now,
        last_seen_at=now,
    )


def seen(
    row: AccountRow, identity: IdentityRow, profile: Profile, now: float, *, leads: bool
) -> None:
    """Take in what an identity told that has just signed in.

    Where it leads, the account's profile is this one; the account's version grows only when its
    claims change. What could not be read stays as it was.
    """
    columns = profile_columns(profile)
    if leads:
        _show(row, columns, now)
    identity.username = clean(profile.username)
    identity.raw = dict(profile.raw)
    identity.profile = NO_PROFILE | (identity.profile or {}) | columns
    identity.last_seen_at = max(identity.last_seen_at, now)


def profile_again(row: AccountRow, identity: IdentityRow, now: float) -> None:
    """Make an identity's profile the account's; nothing of the one before stays."""
    called = {"name": identity.username, "username": identity.username}
    told = NO_PROFILE | called | (identity.profile or {})
    # What a newer version remembers beside them has no column here.
    _show(row, {name: told[name] for name in (*NO_PROFILE, *called)}, now)


def _show(row: AccountRow, columns: dict[str, Any], now: float) -> None:
    if any(getattr(row, name) != value for name, value in columns.items()):
        row.sqlmodel_update(columns)
        row.updated_at = max(row.updated_at, now)
        row.version += 1


def merged_scope(earlier: str, added: tuple[str, ...]) -> str:
    """Return both, each scope once, in the vocabulary's order and then alphabetically."""
    scopes = {*earlier.split(), *added}
    known = [scope for scope in v.PERSONAL_SCOPES if scope in scopes]
    return " ".join([*known, *sorted(scopes.difference(known))])


def queue(session: AsyncSession, kind: str, row: AccountRow, now: float, **more: JsonValue) -> None:
    """Put a change of the account into the outbox, in the transaction that makes it."""
    payload = {"account_id": row.id, "version": row.version, **more}
    session.add(OutboxRow(kind=kind, payload=payload, created_at=now, next_at=now))


def remember(session: AsyncSession, event: AuditEvent) -> None:
    """Put an event into the audit log, in the transaction that it tells of."""
    session.add(AuditEventRow(**columns_of(event)))


def columns_of(event: AuditEvent) -> dict[str, Any]:
    """Return an event as its row has it."""
    return {
        "kind": event.kind,
        "at": event.at,
        "actor": event.actor,
        "account_id": clean_or_none(event.account_id),
        "client_id": clean_or_none(event.client_id),
        "detail": _plain(event.detail),
    }


def _plain(detail: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    return {
        name: clean(value) if isinstance(value, str) else value for name, value in detail.items()
    }
