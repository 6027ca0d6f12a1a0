"""People: their accounts, how they sign in, what they agreed to, who operates."""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Double,
    ForeignKey,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
)
from sqlmodel import Field, SQLModel

from broker.stores.sql.tables.columns import SERIAL


class AccountRow(SQLModel, table=True):
    """A person's account; the profile is as the upstream last gave it.

    ``version`` grows with each change of what ``Facts`` holds, and only then. With ``delete_at``
    the account is switched off, and gone soon after that moment; ``delete_by`` is who wants that,
    ``person`` or ``operator``.
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
    delete_by: str | None = Field(default=None, sa_column=Column(String(16), nullable=True))


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
