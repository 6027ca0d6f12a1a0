"""Changing PostgreSQL's schema while brokers work on it: one revision after the other.

``ALTER TABLE`` waits until nobody uses the table, and whoever comes meanwhile waits behind it: one
forgotten transaction would hold up every sign-in. So a step waits for a table a moment only, lets
the others go on, and asks again. Each revision is committed by itself: its locks end with it,
and one that was interrupted is taken up by the next run.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.core.errors import StoreUnavailable
from broker.stores.sql.engine import PATIENT
from broker.stores.sql.unit import describe

LOCK: Final = 0x62726F6B6572  # "broker", the advisory lock for changing the schema
TURN: Final = 0.1  # seconds between two looks whether another process is done
HELD_UP: Final = 0.3  # seconds for which others wait behind a step; brokers give up after 1.2
PAUSE: Final = 0.7  # seconds in which they go on
IN_USE: Final = frozenset({"55P03", "40P01"})  # lock_not_available, deadlock_detected

log = logging.getLogger(__name__)


async def go(
    connection: AsyncConnection,
    pending: Callable[[Connection], tuple[str, ...]],
    step: Callable[[Connection, str], None],
) -> None:
    """Take step after step until nothing is pending; one process at a time.

    Args:
        connection: of its own, closed afterwards, which gives the lock back; in no transaction.
        pending: returns the revisions that are to be applied.
        step: applies one, in transactions of its own.

    Raises:
        StoreUnavailable: other transactions kept a table locked for ``PATIENT`` seconds, or another
            process was at it for as long.
    """
    await _take_turn(connection)
    while found := await connection.run_sync(pending):
        await connection.commit()
        await _persist(connection, found[0], step)
    await connection.commit()


def lock(connection: Connection) -> None:
    """Keep others out until the transaction ends; SQLite's began as an exclusive one."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})


async def _take_turn(connection: AsyncConnection) -> None:
    """Take the lock, waiting outside of any transaction.

    An index that the lock's holder builds would wait for that one, and both for ever.
    """
    ask = text("SELECT pg_try_advisory_lock(:key)")
    until = _time() + PATIENT
    while not (await connection.execute(ask, {"key": LOCK})).scalar_one():
        await connection.commit()
        if _time() > until:
            raise StoreUnavailable(private="another process is changing the schema")
        await asyncio.sleep(TURN)
    await connection.commit()


async def _persist(
    connection: AsyncConnection, revision: str, step: Callable[[Connection, str], None]
) -> None:
    until = _time() + PATIENT
    while True:
        await connection.execute(text(f"SET lock_timeout = {HELD_UP * 1000:.0f}"))
        await connection.commit()
        try:
            await connection.run_sync(step, revision)
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) not in IN_USE:
                raise
            await connection.rollback()
            if _time() > until:
                raise StoreUnavailable(private=f"revision {revision}: {describe(error)}") from error
            log.warning("revision %s waits for others to leave a table", revision)
            await asyncio.sleep(PAUSE)
        else:
            return


def _time() -> float:
    return asyncio.get_running_loop().time()
