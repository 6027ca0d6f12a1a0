"""Engines: one address, the right driver, limits on every wait.

A caller waits ``unit.DEADLINE`` seconds at the most, in which the process has not stood still. The
server ends the work underneath before that; the limits of its client are behind it.
Errors name the statement without its parameters, which are people's profiles.
"""

import asyncio
from sqlite3 import OperationalError
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from sqlalchemy import URL, Connection, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import configure_mappers
from sqlalchemy.pool import NullPool

if TYPE_CHECKING:
    import aiosqlite

WAIT: Final = 1.2  # seconds for a lock or a statement, by the server's own clock
BEHIND: Final = 10.0  # for a connection or an answer, should nobody's deadline have ended it
PATIENT: Final = 120.0  # the same, while a schema is being changed
LONGEST: Final = 6 * 3600.0  # but for an index that is built beside those who use its table
DRIVERS: Final = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
}
TLS_WORDS: Final = (
    "sslmode", "sslrootcert", "sslcert", "sslkey", "sslpassword", "sslcrl", "sslnegotiation",
    "ssl_min_protocol_version", "ssl_max_protocol_version",
)  # fmt: skip


def normalise(address: str | URL) -> URL:
    """Return the address with the asynchronous driver that we use for its database.

    Raises:
        ValueError: it is no address of SQLite or PostgreSQL, or of an SQLite in memory, which
            would die with the process.
    """
    try:
        url = make_url(address)
    except ArgumentError as error:
        raise ValueError("the database address is malformed") from error
    driver = DRIVERS.get(url.drivername)
    if driver is None:
        raise ValueError(f"{url.drivername} is not supported: use sqlite or postgresql")
    in_memory = url.database in {None, "", ":memory:"} or url.query.get("mode") == "memory"
    if driver.startswith("sqlite") and (url.host or url.username or url.port):
        raise ValueError("an SQLite database has no host: sqlite:////folder/broker.db")
    if driver.startswith("sqlite") and in_memory:
        raise ValueError("an SQLite database must be a file: sqlite:////folder/broker.db")
    return url.set(drivername=driver)


def preload(address: str | URL) -> None:
    """Load the driver of an address and put the tables' classes together; opens nothing.

    Raises:
        ValueError: as `normalise` does.
    """
    normalise(address).get_dialect().import_dbapi()
    configure_mappers()


def create(address: str | URL, *, pool_size: int = 8) -> AsyncEngine:
    """Return an engine for the address; nothing is opened yet.

    Args:
        address: ``sqlite:///file`` or ``postgresql://user@host/database``.
        pool_size: connections at the most, in this process.

    Raises:
        ValueError: the address is not one we can use.
    """
    url = normalise(address)
    if url.drivername.startswith("sqlite"):
        limits: dict[str, Any] = {"pool_size": min(pool_size, 4)}
        return _sqlite(url, WAIT, max_overflow=0, pool_timeout=BEHIND, **limits)
    url, tls = _tls(url)
    return create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=BEHIND,
        pool_recycle=1800,
        pool_pre_ping=True,  # a server that restarted costs one round trip, not one failed sign-in
        connect_args=_asyncpg_arguments(WAIT, BEHIND) | tls,
        hide_parameters=True,
    )


def create_patient(address: str | URL) -> AsyncEngine:
    """Return an engine for changing the schema: no pool, long waits, foreign keys unenforced.

    SQLite changes a table by making it anew, which must not set off its foreign keys; they are
    checked before the commit instead.
    """
    url = normalise(address)
    if url.drivername.startswith("sqlite"):
        return _sqlite(url, PATIENT, foreign_keys=False, begin="EXCLUSIVE", poolclass=NullPool)
    url, tls = _tls(url)
    arguments = _asyncpg_arguments(PATIENT, PATIENT) | {"command_timeout": LONGEST} | tls
    return create_async_engine(
        url, poolclass=NullPool, connect_args=arguments, hide_parameters=True
    )


def _asyncpg_arguments(wait: float, behind: float) -> dict[str, Any]:
    return {
        "timeout": behind,
        "command_timeout": behind,
        "server_settings": {
            "application_name": "token-broker",
            "statement_timeout": f"{wait * 1000:.0f}",
            "lock_timeout": f"{wait * 1000:.0f}",
            "idle_in_transaction_session_timeout": "10000",
        },
    }


def _tls(url: URL) -> tuple[URL, dict[str, Any]]:
    """Take libpq's words about TLS (``sslmode``, ``sslrootcert`` …) out of an address.

    asyncpg knows them in an address of its own alone, and there reads them as libpq does.
    """
    words = {name: text for name, text in url.query.items() if name in TLS_WORDS}
    if not words:
        return url, {}
    return url.difference_update_query(words), {"dsn": f"postgresql://?{urlencode(words)}"}


def _sqlite(
    url: URL, wait: float, *, foreign_keys: bool = True, begin: str = "DEFERRED", **pool: Any
) -> AsyncEngine:
    arguments = {"timeout": wait, "async_creator_fn": _opened}
    made = create_async_engine(url, connect_args=arguments, hide_parameters=True, **pool)

    @event.listens_for(made.sync_engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # transactions begin below, not behind our back
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={wait * 1000:.0f}")
        _write_ahead(cursor)
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute(f"PRAGMA foreign_keys={'ON' if foreign_keys else 'OFF'}")
        cursor.close()

    @event.listens_for(made.sync_engine, "begin")
    def start(connection: Connection) -> None:
        kind = connection.get_execution_options().get("sqlite_begin", begin)
        connection.exec_driver_sql(f"BEGIN {kind}")

    return made


def _write_ahead(cursor: Any) -> None:
    """Switch to write-ahead logging; two processes that open a new file at once get in turn."""
    for last in (False,) * 40 + (True,):
        cursor.execute("PRAGMA journal_mode")
        if cursor.fetchone()[0] == "wal":
            return
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except OperationalError:
            if last:
                raise


def writer(engine: AsyncEngine) -> AsyncEngine:
    """Return the engine as writers use it: on SQLite they queue up before they read.

    Else two that both read and then write would end with "database is locked" at once.
    """
    return engine.execution_options(sqlite_begin="IMMEDIATE")


async def _opened(*words: Any, **named: Any) -> "aiosqlite.Connection":
    """Open an SQLite file; where that fails, nothing of the attempt is left.

    aiosqlite tells the thread of a connection that failed to end, and does not wait for it: one
    that has the last word after the loop was closed writes a traceback to standard error.
    """
    import aiosqlite  # noqa: PLC0415 - PostgreSQL needs none of it

    connection = aiosqlite.connect(*words, **named)
    thread = connection._thread  # noqa: SLF001 - there is no other way to it
    thread.daemon = True
    try:
        return await connection
    except BaseException:
        await asyncio.to_thread(thread.join, WAIT)
        raise
