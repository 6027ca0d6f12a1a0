"""What happened, what is still to be carried out, and which code may use the schema."""

from typing import Any

from sqlalchemy import JSON, Column, Double, Index, Integer, String, Text
from sqlmodel import Field, SQLModel

from broker.stores.sql.tables.columns import NEVER_AGAIN, SERIAL


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
