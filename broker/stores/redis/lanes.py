"""Steps of requests that arrive together go to Redis in one write.

A step that meets a busy lane waits for it and travels with the others that did: one write and one
read for many of them, where a client would take a connection for each. Nothing is retried.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import hiredis
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from broker.core.deadlines import Deadline

Call = tuple[tuple[str | int, ...], "asyncio.Future[Any]"]
WIDTH: Final = 2  # batches under way at once: one is being answered while the next is written
LONGEST: Final = 64  # commands in a batch, so that nobody waits for very many others


class Lanes:
    """Sends commands in batches over connections of a client's pool.

    Args:
        client: a client of a single server or of Sentinels; a cluster has no one place to send to.
        deadline: seconds in which a batch is answered or fails.
    """

    def __init__(self, client: Redis, deadline: float) -> None:
        self._pool = client.connection_pool
        self._deadline = Deadline(deadline)
        self._waiting: list[Call] = []
        self._running = 0
        self._tasks: set[asyncio.Task[None]] = set()  # asyncio itself keeps only weak references

    async def execute(self, *words: str | int) -> Any:
        """Run one command; return its answer, or raise as the client would.

        A caller that is cancelled cannot know: a command not yet sent is dropped, another is done.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        self._waiting.append((words, answer))
        if self._running < WIDTH:
            self._running += 1
            task = loop.create_task(self._drain())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await answer

    async def _drain(self) -> None:
        """Send batch after batch over one connection, as long as somebody waits."""
        connection = None
        try:
            while self._waiting:
                calls, self._waiting = self._waiting[:LONGEST], self._waiting[LONGEST:]
                if calls := [call for call in calls if not call[1].done()]:
                    connection = await self._attempt(calls, connection)
        finally:
            # At once, not in a callback: whoever comes next must see that nobody drains any more.
            self._running -= 1
            if connection is not None:
                await self._pool.release(connection)

    async def _attempt(self, calls: Sequence[Call], connection: Any) -> Any:
        """Return the connection while it can be used for more, else None."""
        try:
            return await self._deadline.within(self._send(calls, connection))
        except BaseException as error:
            _fail(calls, error)
            if not isinstance(error, Exception):
                raise
        return None

    async def _send(self, calls: Sequence[Call], connection: Any) -> Any:
        if connection is None:
            connection = await self._pool.get_connection()  # type: ignore[no-untyped-call]
        try:
            # As the client would, in a tenth of its time: it packs in Python.
            packed = b"".join(hiredis.pack_command(words) for words, _ in calls)  # type: ignore[arg-type]
            await connection.send_packed_command(packed)
            for _, answer in calls:
                await _receive(connection, answer)
        except BaseException:
            # Answers may be under way that nobody will read.
            try:
                await connection.disconnect(nowait=True)
            finally:
                await self._pool.release(connection)
            raise
        return connection


async def _receive(connection: Any, answer: "asyncio.Future[Any]") -> None:
    try:
        found = await connection.read_response()
    except ResponseError as error:
        if not answer.done():
            answer.set_exception(error)
    else:
        if not answer.done():
            answer.set_result(found)


def _fail(calls: Sequence[Call], error: BaseException) -> None:
    """Give every call without an answer an error of its own."""
    for _, answer in calls:
        if not answer.done():
            detail = RedisConnectionError(repr(error))
            detail.__cause__ = error
            answer.set_exception(detail)
