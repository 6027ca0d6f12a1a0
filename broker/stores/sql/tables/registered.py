"""What operators register: apps, APIs, guilds."""

from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Double, String, Text
from sqlmodel import Field, SQLModel

from keys.model import RS256


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
