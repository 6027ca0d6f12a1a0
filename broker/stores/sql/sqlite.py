"""SQLite's driver, with fewer ways to its thread and back.

aiosqlite asks the thread of a connection for each cursor, for what it executes and for its end; and
each way takes a turn of the event loop, of which a busy process makes some sixty a second. Here
what is executed brings its cursor along, and nobody waits for the end of one.
"""

import sqlite3
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final, Self

import aiosqlite

CHUNK: Final = 64  # rows that are fetched at once by whoever reads them one by one


class Connection(aiosqlite.Connection):
    """A connection whose cursors take one way for each thing that they execute."""

    def cursor(self) -> "Cursor":  # type: ignore[override] # theirs has to be awaited
        """Return a cursor, of which the thread knows nothing yet."""
        return Cursor(self)

    async def executed(self, sql: str, parameters: Iterable[Any]) -> sqlite3.Cursor:
        """Execute a statement; return the cursor that it was executed with."""
        made: sqlite3.Cursor = await self._execute(self._conn.execute, sql, parameters)  # type: ignore[no-untyped-call]
        return made

    async def executed_many(self, sql: str, each: Iterable[Iterable[Any]]) -> sqlite3.Cursor:
        """Execute a statement once for each set of parameters; return the cursor."""
        made: sqlite3.Cursor = await self._execute(self._conn.executemany, sql, each)  # type: ignore[no-untyped-call]
        return made

    def leave(self, work: Callable[[], None]) -> None:
        """Have something done before anything else, and do not wait for it."""
        self._tx.put_nowait((None, work))


class Cursor(aiosqlite.Cursor):
    """A cursor of the thread's, once something is executed.

    Args:
        connection: whose.
    """

    _conn: Connection
    _cursor: sqlite3.Cursor | None  # type: ignore[assignment]

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection, None)  # type: ignore[arg-type]

    async def execute(self, sql: str, parameters: Iterable[Any] | None = None) -> Self:
        """Execute a statement."""
        self._cursor = await self._conn.executed(sql, parameters or ())
        return self

    async def executemany(self, sql: str, parameters: Iterable[Iterable[Any]]) -> Self:
        """Execute a statement once for each set of parameters."""
        self._cursor = await self._conn.executed_many(sql, parameters)
        return self

    async def close(self) -> None:
        """Close it, before anything else is executed."""
        if self._cursor is not None:
            self._conn.leave(self._cursor.close)


def connect(database: str, **named: Any) -> Connection:
    """Return a connection, to be awaited; the arguments are those of ``sqlite3.connect``."""
    return Connection(partial(sqlite3.connect, database, **named), CHUNK)
