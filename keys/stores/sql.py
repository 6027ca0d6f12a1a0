"""Signing keys in a table of SQLite or PostgreSQL.

Changes compare every column that can change with what was read, in the `WHERE` of the statement
itself; so they hold at the isolation level the database has by default.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import JSON, Column, Double, LargeBinary, String, Table, delete, insert, update
from sqlalchemy import select as select_rows
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Field, SQLModel

from keys.errors import KeyConflict, KeyRecordCorrupt, KeyStoreUnavailable
from keys.model import Change, Insert, KeyRecord, Replace

_COMPARED = (
    "sealed",
    "ready_at",
    "signs_from",
    "revoked_at",
    "revoked_reason",
    "verifies_until",
)


class SigningKeyRow(SQLModel, table=True):
    """The table `signing_key`; its columns are the attributes of `KeyRecord`."""

    __tablename__ = "signing_key"

    kid: str = Field(sa_column=Column(String(64), primary_key=True))
    alg: str = Field(sa_column=Column(String(16), nullable=False))
    public_jwk: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    sealed: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))
    predecessor: str = Field(sa_column=Column(String(64), nullable=False, unique=True))
    created_at: float = Field(sa_column=Column(Double, nullable=False))
    ready_at: float = Field(sa_column=Column(Double, nullable=False))
    signs_from: float = Field(sa_column=Column(Double, nullable=False))
    revoked_at: float | None = Field(default=None, sa_column=Column(Double, nullable=True))
    revoked_reason: str | None = Field(default=None, sa_column=Column(String, nullable=True))
    verifies_until: float | None = Field(default=None, sa_column=Column(Double, nullable=True))


_TABLE: Table = SQLModel.metadata.tables["signing_key"]
_COLUMNS = tuple(column.name for column in _TABLE.columns)


class SqlKeyStore:
    """The key store in SQL.

    Args:
        engine: An engine whose database has the table; its owner closes it.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def all(self) -> tuple[KeyRecord, ...]:
        """Return every key, oldest first.

        Raises:
            KeyStoreUnavailable: The database cannot be reached or has no such table.
            KeyRecordCorrupt: A row is not a key at all.
        """
        try:
            async with self._engine.connect() as connection:
                rows = await connection.execute(
                    select_rows(_TABLE).order_by(_TABLE.c.created_at, _TABLE.c.signs_from)
                )
                return tuple(_record(row) for row in rows.mappings())
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            raise _unavailable(error) from error
        except (ValueError, TypeError) as error:
            raise KeyRecordCorrupt("?", "its row cannot be read") from error

    async def apply(self, *changes: Change) -> None:
        """Make all of these changes in one transaction, or none.

        Raises:
            KeyConflict: What was expected is not what is stored.
            KeyStoreUnavailable: The database cannot be reached.
        """
        try:
            async with self._engine.begin() as connection:
                for change in changes:
                    await _make(connection, change)
        except IntegrityError as error:
            raise KeyConflict("another process made that key first") from error
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            raise _unavailable(error) from error


async def _make(connection: AsyncConnection, change: Change) -> None:
    if isinstance(change, Insert):
        await connection.execute(insert(_TABLE).values(**_values(change.record)))
        return
    if isinstance(change, Replace):
        found = await connection.execute(
            update(_TABLE).where(*_unchanged(change.expected)).values(**_values(change.record))
        )
    else:
        found = await connection.execute(delete(_TABLE).where(*_unchanged(change.expected)))
    if found.rowcount != 1:
        raise KeyConflict(f"signing key {change.expected.kid} is no longer as it was read")


def _unchanged(expected: KeyRecord) -> list[ColumnElement[bool]]:
    same = [_TABLE.c.kid == expected.kid]
    return same + [
        _TABLE.c[name].is_not_distinct_from(getattr(expected, name)) for name in _COMPARED
    ]


def _values(record: KeyRecord) -> dict[str, Any]:
    return {name: getattr(record, name) for name in _COLUMNS}


def _record(row: Mapping[Any, Any]) -> KeyRecord:
    values = {name: row[name] for name in _COLUMNS}
    if not isinstance(values["public_jwk"], dict):
        raise KeyRecordCorrupt(values["kid"], "its public half is not a JSON object")
    return KeyRecord(**values)


def _unavailable(error: Exception) -> KeyStoreUnavailable:
    cause = error.orig if isinstance(error, DBAPIError) else error
    return KeyStoreUnavailable(f"the key store cannot be reached: {type(cause).__name__}")
