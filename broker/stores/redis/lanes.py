"""Steps of requests that arrive together go to Redis in one write.

A step that meets a busy lane waits for it and travels with the others that did: one write and one
read for many of them, where a client would take a connection for each. Nothing is retried.
"""

import asyncio
import math
from collections.abc import Sequence
from typing import Any, Final, Protocol

import hiredis
from redis.asyncio import ConnectionPool
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import DataError, RedisError, ResponseError

from broker.core.deadlines import Deadline

Call = tuple[bytes, "asyncio.Future[Any]"]  # a command as it goes over the wire, and its answer
WIDTH: Final = 2  # batches under way at once: one is being answered while the next is written
LONGEST: Final = 64  # commands in a batch, so that nobody waits for very many others


class Place(Protocol):
    """One Redis server, as what has connections to it: those of a client, which opens them."""

    async def lend(self) -> Any:
        """Return a connection of the client that nobody else uses."""

    async def take_back(self, connection: Any) -> None:
        """Take a connection that may be used again."""

    async def give_up(self, connection: Any) -> None:
        """Take a connection that failed, or on which answers may be under way: it is closed."""


class Lanes:
    """Sends commands in batches over connections to one place.

    Args:
        place: where they go.
        deadline: seconds in which a batch is answered or fails.
    """

    def __init__(self, place: Place, deadline: float) -> None:
        self._place = place
        self._deadline = Deadline(deadline)
        self._waiting: list[Call] = []
        self._running = 0
        self._tasks: set[asyncio.Task[None]] = set()  # asyncio itself keeps only weak references

    async def execute(self, *words: str | int) -> Any:
        """Run one command; return its answer, or raise as the client would.

        A caller that is cancelled cannot know: a command not yet sent is dropped, another is done.
        What cannot be written as a command fails here, and not those that would travel with it.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        self._waiting.append((packed(words), answer))
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
                await self._place.take_back(connection)

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
        if connection is not None and connection.should_reconnect():
            await self._place.take_back(connection)
            connection = None
        if connection is not None and await disturbed(connection):
            await self._place.give_up(connection)
            connection = None
        if connection is None:
            connection = await self._place.lend()
        try:
            await connection.send_packed_command(b"".join([words for words, _ in calls]))
            for _, answer in calls:
                await _receive(connection, answer)
        except BaseException:
            # Answers may be under way that nobody will read.
            await self._place.give_up(connection)
            raise
        return connection


class Pool:
    """The place of a client that has one: a single server, or whom Sentinels name.

    What comes back is kept for the next batch: two lanes need two connections, and to ask the
    client for one each time costs as much as a command's answer.

    Args:
        pool: of the client.
    """

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self._kept: list[Any] = []

    @property
    def kept(self) -> int:
        """How many connections wait here; the client takes them for used."""
        return len(self._kept)

    async def lend(self) -> Any:
        """Return a connection, open and with nothing to read."""
        while self._kept:
            connection = self._kept.pop()
            if not await disturbed(connection):
                return connection
            await self.give_up(connection)
        return await self._pool.get_connection()  # type: ignore[no-untyped-call]

    async def take_back(self, connection: Any) -> None:
        """Keep it, unless the client wants it opened anew."""
        if connection.should_reconnect():
            await self._pool.release(connection)
        else:
            self._kept.append(connection)

    async def give_up(self, connection: Any) -> None:
        """Put it back closed."""
        try:
            await connection.disconnect(nowait=True)
        finally:
            await self._pool.release(connection)


def packed(words: tuple[str | int, ...]) -> bytes:
    """Return a command as the client would, in a tenth of its time: it packs in Python."""
    try:
        found: bytes = hiredis.pack_command(words)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:  # no text of UTF-8, or no text at all
        raise DataError(repr(type(error))) from None
    return found


async def disturbed(connection: Any) -> bool:
    """Tell whether the far side has hung up since the last batch, or said what nobody asked for.

    The pool looks at this whenever it hands a connection out: such an answer would be taken for
    that of the next command, and every later one for somebody else's. Nor is a connection used on
    whose server is the primary no more.
    """
    try:
        return connection.should_reconnect() or bool(await connection.can_read())
    except (RedisError, OSError):
        return True


async def _receive(connection: Any, answer: "asyncio.Future[Any]") -> None:
    try:
        # A time-out of the connection's own knows nothing of a process that stood still.
        found = await connection.read_response(timeout=math.inf)
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
