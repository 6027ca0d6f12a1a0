"""Units of work: THE place where SQL's troubles become ``StoreUnavailable``.

Every piece of work runs in a task of its own. A caller that is cancelled, because its browser went
away, leaves it to finish: so a short write is never cut in half, and no connection is lost to a
cancellation in a bad moment (SQLAlchemy issues 6652, 8145, 12077). A caller that has waited
``DEADLINE`` seconds is told so when its task, which is cancelled, has ended, or soon after.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, Final, TypeVar

from sqlalchemy import text
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    NotSupportedError,
    ProgrammingError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import QueuePool
from sqlmodel.ext.asyncio.session import AsyncSession

from broker.core.deadlines import Deadline, TookTooLong
from broker.core.errors import StoreUnavailable
from broker.stores.sql.engine import writer

T = TypeVar("T")
Work = Callable[[AsyncSession], Awaitable[T]]

DEADLINE: Final = 1.5  # seconds; the promise outside is 2
ENDING: Final = 0.15  # seconds that work which was given up has to put its connection back
OURS: Final = (IntegrityError, ProgrammingError, DataError, NotSupportedError)
TRIES: Final = 3

log = logging.getLogger(__name__)


class Units:
    """Runs units of work on one engine.

    Args:
        engine: from ``broker.stores.sql.engine.create``; its owner disposes of it.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._reader = engine
        self._writer = writer(engine)
        self._tasks: set[asyncio.Task[Any]] = set()
        # Two: a caller goes on when its task has put its connection back, and even where the task
        # does not end when it is cancelled.
        self._work, self._callers = Deadline(DEADLINE), Deadline(DEADLINE + ENDING)

    async def read(self, work: Work[T]) -> T:
        """Run ``work`` in a transaction that changes nothing.

        Raises:
            StoreUnavailable: SQL is out of reach, or did not answer in time.
        """
        return await self.run(_transaction(self._reader, work))

    async def write(self, work: Work[T]) -> T:
        """Run ``work`` in a transaction and commit it.

        It is run again, from the start, when a unique constraint says that another process made
        the same row in the meantime: so it must have no effect outside its session.

        Raises:
            StoreUnavailable: SQL is out of reach, or did not answer in time; in the second case
                it may still have been committed.
            IntegrityError: the constraint refuses it each time.
        """
        return await self.run(_persist(self._writer, work))

    async def ping(self) -> None:
        """Return if SQL answers.

        Raises:
            StoreUnavailable: it does not.
        """
        await self.read(_ask)

    async def settle(self) -> None:
        """Wait for the work that cancelled callers left behind; call it before disposing."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=DEADLINE)

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do what has a transaction of its own, in the time that others have.

        Raises:
            StoreUnavailable: SQL did not answer in time.
        """
        task = asyncio.create_task(self._work.within(work))
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        with suppress(TookTooLong):
            await self._callers.within(asyncio.wait({task}))
            if not task.cancelled():
                return task.result()
        raise StoreUnavailable(private=f"SQL did not answer within {DEADLINE} s{self._used()}")

    def _used(self) -> str:
        """Return how many connections are in use: where that is all, there may be too few."""
        pool = self._reader.pool
        if not isinstance(pool, QueuePool):
            return ""
        return f", {pool.checkedout()} of {pool.size()} connections in use"

    def _forget(self, ended: asyncio.Task[T]) -> None:
        """Let the task go, and see its error even if nobody waits for it."""
        self._tasks.discard(ended)
        if not ended.cancelled() and (error := ended.exception()) is not None:
            log.debug("a unit of work ended with %s", type(error).__name__)


async def _ask(session: AsyncSession) -> None:
    await (await session.connection()).execute(text("SELECT 1"))


async def _transaction(engine: AsyncEngine, work: Work[T]) -> T:
    try:
        async with AsyncSession(engine, expire_on_commit=False) as session, session.begin():
            return await work(session)
    except OURS:
        raise
    except (DBAPIError, PoolTimeout, OSError, TimeoutError) as error:
        raise StoreUnavailable(private=describe(error)) from error


async def _persist(engine: AsyncEngine, work: Work[T]) -> T:
    for _ in range(TRIES - 1):
        try:
            return await _transaction(engine, work)
        except IntegrityError:
            continue
    return await _transaction(engine, work)


def describe(error: BaseException) -> str:
    """Return what went wrong, without the statement, its parameters or the address."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    words = "" if isinstance(error, SQLAlchemyError) and cause is error else f": {cause}"
    return f"SQL: {type(cause).__name__}{words}"[:300]
