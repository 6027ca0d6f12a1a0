"""Units of work: THE place where SQL's troubles become ``StoreUnavailable``.

Every piece of work runs in a task of its own. A caller that is cancelled, because its browser went
away, leaves it to finish: so a short write is never cut in half, and no connection is lost to a
cancellation in a bad moment (SQLAlchemy issues 6652, 8145, 12077). A caller that has waited
``DEADLINE`` seconds is told so, and the task is cancelled.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
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
from sqlmodel.ext.asyncio.session import AsyncSession

from broker.core.errors import StoreUnavailable
from broker.stores.sql.engine import writer

T = TypeVar("T")
Work = Callable[[AsyncSession], Awaitable[T]]

DEADLINE: Final = 1.5  # seconds; the promise outside is 2
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

    async def read(self, work: Work[T]) -> T:
        """Run ``work`` in a transaction that changes nothing.

        Raises:
            StoreUnavailable: SQL is out of reach, or did not answer in time.
        """
        return await self._run(self._reader, work)

    async def write(self, work: Work[T]) -> T:
        """Run ``work`` in a transaction and commit it.

        It is run again, from the start, when a unique constraint says that another process made
        the same row in the meantime: so it must have no effect outside its session.

        Raises:
            StoreUnavailable: SQL is out of reach, or did not answer in time; in the second case
                it may still have been committed.
            IntegrityError: the constraint refuses it each time.
        """
        until = asyncio.get_running_loop().time() + DEADLINE
        for _ in range(TRIES - 1):
            try:
                return await self._run(self._writer, work, until)
            except IntegrityError:
                continue
        return await self._run(self._writer, work, until)

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

    async def _run(self, engine: AsyncEngine, work: Work[T], until: float | None = None) -> T:
        loop = asyncio.get_running_loop()
        seconds = DEADLINE if until is None else until - loop.time()
        task = asyncio.create_task(_transaction(engine, work))
        limit = loop.call_later(seconds, task.cancel)
        self._tasks.add(task)
        task.add_done_callback(lambda ended: self._forget(ended, limit))
        finished, _ = await asyncio.wait({task}, timeout=seconds)
        if not finished or task.cancelled():
            raise StoreUnavailable(private=f"SQL did not answer within {DEADLINE} s")
        return task.result()

    def _forget(self, ended: asyncio.Task[T], limit: asyncio.TimerHandle) -> None:
        """Let the task go, and see its error even if nobody waits for it."""
        limit.cancel()
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


def describe(error: BaseException) -> str:
    """Return what went wrong, without the statement, its parameters or the address."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    words = "" if isinstance(error, SQLAlchemyError) and cause is error else f": {cause}"
    return f"SQL: {type(cause).__name__}{words}"[:300]
