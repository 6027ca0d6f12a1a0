"""The tables. ``signing_key`` is in ``keys.stores.sql`` and shares their metadata.

Times are UTC seconds since the epoch in double precision, as everywhere in the core: nothing naive,
nothing to convert, the same number on SQLite and PostgreSQL. Lists and digests are JSON. JSON is
replaced whole, never edited in place, because SQLAlchemy does not see such an edit.
"""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
)
from sqlmodel import Field, SQLModel

from keys.model import RS256
from keys.stores.sql import SigningKeyRow

__all__ = [
    "AccountRow",
    "ApiRow",
    "AuditEventRow",
    "BanRow",
    "ClientRow",
    "ConsentRow",
    "GuildRow",
    "IdentityRow",
    "OperatorRow",
    "OutboxRow",
    "PasskeyRow",
    "SchemaCompatibilityRow",
    "SigningKeyRow",
    "UpstreamTokenRow",
]

# SQLite numbers rows by itself only in a column declared INTEGER, which has 64 bits there.
SERIAL = BigInteger().with_variant(Integer, "sqlite")
# And it gives the number of a deleted last row away again unless told not to.
NEVER_AGAIN = {"sqlite_autoincrement": True}


class AccountRow(SQLModel, table=True):
    """A person's account; the profile is as the upstream last gave it.

    ``version`` grows with each change of what ``Facts`` holds, and only then. With ``delete_at``
    the account is switched off, and gone soon after that moment.
    """

    __tablename__ = "account"

    id: str = Field(sa_column=Column(String(32), primary_key=True))
    sub: str = Field(sa_column=Column(String(64), nullable=False, unique=True))
    version: int = Field(sa_column=Column(BigInteger, nullable=False))
    created_at: float = Field(sa_column=Column(Double, nullable=False))
    updated_at: float = Field(sa_column=Column(Double, nullable=False))
    last_sign_in_at: float = Field(sa_column=Column(Double, nullable=False))
    disabled_at: float | None = Field(default=None, sa_column=Column(Double, nullable=True))
    disabled_reason: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    not_before: float = Field(default=0.0, sa_column=Column(Double, nullable=False))
    name: str = Field(sa_column=Column(Text, nullable=False))
    username: str = Field(sa_column=Column(Text, nullable=False, index=True))
    picture: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    email: str | None = Field(default=None, sa_column=Column(Text, nullable=True, index=True))
    email_verified: bool = Field(default=False, nullable=False)
    locale: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    delete_at: float | None = Field(
        default=None, sa_column=Column(Double, nullable=True, index=True)
    )


class IdentityRow(SQLModel, table=True):
    """How an upstream knows an account; (upstream, subject) is the only thing that joins them.

    ``community`` is what was read of the person's communities there (``broker.stores.community``).
    ``profile`` is what it tells, as columns of the account: the account shows the profile of its
    oldest identity.
    """

    __tablename__ = "identity"
    __table_args__ = (UniqueConstraint("upstream", "subject", name="uq_identity_subject"),)

    id: int | None = Field(default=None, sa_column=Column(SERIAL, primary_key=True))
    account_id: str = Field(
        sa_column=Column(
            String(32), ForeignKey("account.id", ondelete="CASCADE"), nullable=False, index=True
        )
    )
    upstream: str = Field(sa_column=Column(String(64), nullable=False))
    subject: str = Field(sa_column=Column(String(255), nullable=False, index=True))
    username: str = Field(sa_column=Column(Text, nullable=False))
    raw: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    community: dict[str, Any] | None = Field(
        default=None, sa_column=Column(JSON(none_as_null=True), nullable=True)
    )
    profile: dict[str, Any] | None = Field(
        default=None, sa_column=Column(JSON(none_as_null=True), nullable=True)
    )
    created_at: float = Field(sa_column=Column(Double, nullable=False))
    last_seen_at: float = Field(sa_column=Column(Double, nullable=False))


class BanRow(SQLModel, table=True):
    """An identity of an account that was switched off, and deleted since.

    It is all that is left of the person: without it, deletion would be the way out of a ban.
    ``account_id`` joins the identities of one account, and leads to nobody any more.
    """

    __tablename__ = "ban"

    upstream: str = Field(sa_column=Column(String(64), primary_key=True))
    subject: str = Field(sa_column=Column(String(255), primary_key=True))
    account_id: str = Field(sa_column=Column(String(32), nullable=False, index=True))
    since: float = Field(sa_column=Column(Double, nullable=False))
    reason: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    kept_at: float = Field(sa_column=Column(Double, nullable=False))


class UpstreamTokenRow(SQLModel, table=True):
    """What an upstream lets us do for an identity; ``sealed`` holds its tokens.

    ``version`` grows with each replacement, and is never used again for the identity.
    ``lease_until`` is until when one process alone may renew it, ``lost_at`` since when it is
    known to be refused.
    """

    __tablename__ = "upstream_token"

    identity_id: int = Field(
        sa_column=Column(
            SERIAL,
            ForeignKey("identity.id", ondelete="CASCADE"),
            primary_key=True,
            autoincrement=False,
        )
    )
    sealed: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    scope: str = Field(sa_column=Column(Text, nullable=False))
    expires_at: float | None = Field(default=None, sa_column=Column(Double, nullable=True))
    version: int = Field(sa_column=Column(BigInteger, nullable=False))
    lease_until: float = Field(default=0.0, sa_column=Column(Double, nullable=False))
    lost_at: float | None = Field(default=None, sa_column=Column(Double, nullable=True))
    updated_at: float = Field(sa_column=Column(Double, nullable=False))


class ClientRow(SQLModel, table=True):
    """A registered client; ``version`` grows with each edit, a removed one keeps its row.

    ``more`` holds the metadata that has no column of its own, where it is not the default.

    So a ``client_id`` is never given to another client, and consents never pass to one.
    """

    __tablename__ = "client"

    client_id: str = Field(sa_column=Column(String(255), primary_key=True))
    name: str = Field(sa_column=Column(Text, nullable=False))
    auth_method: str = Field(sa_column=Column(String(64), nullable=False))
    secrets: list[dict[str, Any]] = Field(sa_column=Column(JSON, nullable=False))
    application_type: str = Field(sa_column=Column(String(16), nullable=False))
    redirect_uris: list[str] = Field(sa_column=Column(JSON, nullable=False))
    post_logout_redirect_uris: list[str] = Field(sa_column=Column(JSON, nullable=False))
    grant_types: list[str] = Field(sa_column=Column(JSON, nullable=False))
    scopes: list[str] = Field(sa_column=Column(JSON, nullable=False))
    resources: list[str] = Field(sa_column=Column(JSON, nullable=False))
    audience: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    origins: list[str] = Field(sa_column=Column(JSON, nullable=False))
    first_party: bool = Field(nullable=False)
    require_pkce: bool = Field(nullable=False)
    id_token_at_refresh: bool = Field(nullable=False)
    id_token_signed_response_alg: str = Field(
        sa_column=Column(String(16), nullable=False, server_default=RS256)
    )
    access_token_lifetime: int | None = Field(default=None, nullable=True)
    client_uri: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    logo_uri: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    policy_uri: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    tos_uri: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    disabled: bool = Field(nullable=False)
    version: int = Field(sa_column=Column(BigInteger, nullable=False))
    created_at: float = Field(sa_column=Column(Double, nullable=False))
    updated_at: float = Field(sa_column=Column(Double, nullable=False))
    removed_at: float | None = Field(default=None, sa_column=Column(Double, nullable=True))
    more: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON, nullable=True))


class ApiRow(SQLModel, table=True):
    """A registered API (resource server); ``version`` grows with each edit.

    ``more`` holds what has no column of its own, where it is not the default.
    """

    __tablename__ = "api"

    identifier: str = Field(sa_column=Column(String(2000), primary_key=True))
    name: str = Field(sa_column=Column(Text, nullable=False))
    access_token_signed_response_alg: str = Field(
        sa_column=Column(String(16), nullable=False, server_default=RS256)
    )
    version: int = Field(sa_column=Column(BigInteger, nullable=False))
    created_at: float = Field(sa_column=Column(Double, nullable=False))
    updated_at: float = Field(sa_column=Column(Double, nullable=False))
    more: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON, nullable=True))


class GuildRow(SQLModel, table=True):
    """A registered guild; ``version`` grows with each edit.

    ``roles`` is role id → name. ``more`` holds what has no column of its own, where it is not the
    default.
    """

    __tablename__ = "guild"

    guild_id: str = Field(sa_column=Column(String(32), primary_key=True))
    name: str = Field(sa_column=Column(Text, nullable=False))
    invite: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    roles: dict[str, str] = Field(sa_column=Column(JSON, nullable=False))
    version: int = Field(sa_column=Column(BigInteger, nullable=False))
    created_at: float = Field(sa_column=Column(Double, nullable=False))
    updated_at: float = Field(sa_column=Column(Double, nullable=False))
    more: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON, nullable=True))


class OperatorRow(SQLModel, table=True):
    """An account that may use the console; ``code_digest`` is of the code that makes a passkey."""

    __tablename__ = "operator"

    account_id: str = Field(
        sa_column=Column(String(32), ForeignKey("account.id", ondelete="CASCADE"), primary_key=True)
    )
    since: float = Field(sa_column=Column(Double, nullable=False))
    code_digest: str | None = Field(default=None, sa_column=Column(String(64), nullable=True))
    code_until: float | None = Field(default=None, sa_column=Column(Double, nullable=True))


class PasskeyRow(SQLModel, table=True):
    """A passkey of an operator's; ``credential_id`` is hexadecimal, ``public_key`` a COSE_Key."""

    __tablename__ = "passkey"

    credential_id: str = Field(sa_column=Column(Text, primary_key=True))
    account_id: str = Field(
        sa_column=Column(
            String(32),
            ForeignKey("operator.account_id", ondelete="CASCADE"),
            nullable=False,
            index=True,
        )
    )
    public_key: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    sign_count: int = Field(sa_column=Column(BigInteger, nullable=False))
    name: str = Field(sa_column=Column(Text, nullable=False))
    created_at: float = Field(sa_column=Column(Double, nullable=False))
    last_used_at: float | None = Field(default=None, sa_column=Column(Double, nullable=True))


class ConsentRow(SQLModel, table=True):
    """The scope a person has agreed to for a client, space-separated in the vocabulary's order."""

    __tablename__ = "consent"

    account_id: str = Field(
        sa_column=Column(String(32), ForeignKey("account.id", ondelete="CASCADE"), primary_key=True)
    )
    client_id: str = Field(sa_column=Column(String(255), primary_key=True))
    scope: str = Field(sa_column=Column(Text, nullable=False))
    granted_at: float = Field(sa_column=Column(Double, nullable=False))
    updated_at: float = Field(sa_column=Column(Double, nullable=False))


class AuditEventRow(SQLModel, table=True):
    """Something that must be remembered; it names accounts and clients that may be gone by now."""

    __tablename__ = "audit_event"
    __table_args__ = (
        Index("ix_audit_event_account", "account_id", "id"),
        Index("ix_audit_event_client", "client_id", "id"),
        NEVER_AGAIN,
    )

    id: int | None = Field(default=None, sa_column=Column(SERIAL, primary_key=True))
    kind: str = Field(sa_column=Column(String(64), nullable=False))
    at: float = Field(sa_column=Column(Double, nullable=False, index=True))
    actor: str = Field(sa_column=Column(String(16), nullable=False))
    account_id: str | None = Field(default=None, sa_column=Column(String(32), nullable=True))
    client_id: str | None = Field(default=None, sa_column=Column(String(255), nullable=True))
    detail: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))


class OutboxRow(SQLModel, table=True):
    """A change committed here that must still be carried to Redis.

    ``next_at`` is when it may be taken (again); taking it moves that on by a lease.
    """

    __tablename__ = "outbox"
    __table_args__ = (Index("ix_outbox_due", "done_at", "next_at"), NEVER_AGAIN)

    id: int | None = Field(default=None, sa_column=Column(SERIAL, primary_key=True))
    kind: str = Field(sa_column=Column(String(64), nullable=False))
    payload: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    created_at: float = Field(sa_column=Column(Double, nullable=False))
    attempts: int = Field(default=0, sa_column=Column(Integer, nullable=False))
    next_at: float = Field(sa_column=Column(Double, nullable=False))
    done_at: float | None = Field(default=None, sa_column=Column(Double, nullable=True))
    last_error: str | None = Field(default=None, sa_column=Column(Text, nullable=True))


class SchemaCompatibilityRow(SQLModel, table=True):
    """One row: the oldest revision whose code may still use this database.

    A migration that old code cannot live with raises it; so a process that meets a database newer
    than itself knows whether it may go on.
    """

    __tablename__ = "schema_compatibility"

    id: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    oldest: str = Field(sa_column=Column(String(32), nullable=False))
