"""Who takes the next connection, of several that listen on one socket."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from broker.app.accepting import FULL, PATIENCE, Accepting, Room
from broker.app.shares import FRESH, Table
from tests.pace import until


class Taker:
    """Takes connections as a process would.

    Args:
        listener: the socket; a copy of it is used.
        table: what all see.
        seat: its place there.
        held: connections it has already.
        most: that it may have.
    """

    def __init__(
        self, listener: socket.socket, table: Table, seat: int, held: int = 0, most: int = 1000
    ) -> None:
        self.share = table.share(seat)
        self.held = held
        self.spared = 0  # connections that can be closed to make room
        self.transports: list[asyncio.BaseTransport] = []
        room = Room(most, lambda: self.held, self._make_room)
        self.accepting = Accepting([listener.dup()], self.share, room, self._met)

    def _make_room(self) -> bool:
        if not self.spared:
            return False
        self.spared -= 1
        self.held -= 1
        return True

    def _met(self) -> asyncio.Protocol:
        self.held += 1
        taker = self

        class Met(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                taker.transports.append(transport)

        return Met()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A bound socket."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        yield found


@contextmanager
def taking(*takers: Taker) -> Iterator[None]:
    """Let them take connections while the block runs."""
    for taker in takers:
        taker.accepting.begin()
    try:
        yield
    finally:
        for taker in takers:
            taker.accepting.end()
            for transport in taker.transports:
                transport.abort()


async def come(listener: socket.socket, count: int, *takers: Taker) -> float:
    """Open so many connections at once; return the seconds until all were taken."""
    loop = asyncio.get_running_loop()
    since, before = loop.time(), sum(len(taker.transports) for taker in takers)
    opened = await asyncio.gather(
        *(asyncio.open_connection(*listener.getsockname()) for _ in range(count))
    )
    async with asyncio.timeout(20):
        while sum(len(taker.transports) for taker in takers) < before + count:
            await asyncio.sleep(0.005)
    for _, writer in opened:
        writer.transport.abort()
    return loop.time() - since


async def test_who_has_fewer_takes_what_comes(listener: socket.socket) -> None:
    """Until all have about as many."""
    table = Table()
    many, few = Taker(listener, table, 0, held=40), Taker(listener, table, 1)
    with taking(many, few):
        await come(listener, 30, many, few)
        assert few.held >= 27, many.held
        await come(listener, 50, many, few)
    assert abs(many.held - few.held) <= 3


async def test_nobody_is_left_to_one_who_does_not_come(listener: socket.socket) -> None:
    """Awake but busy: others wait for a moment. Not awake for a while: they wait no more."""
    table = Table()
    many, busy = Taker(listener, table, 0, held=40), table.share(1)
    with taking(many):
        busy.tell(0, asyncio.get_running_loop().time())
        assert await come(listener, 1, many) >= PATIENCE
        busy.tell(0, asyncio.get_running_loop().time() - FRESH - 0.1)
        await come(listener, 20, many)
        assert many.share.others_first(asyncio.get_running_loop().time()) is False
    assert many.held == 61


async def test_who_takes_no_more_is_waited_for_by_nobody(listener: socket.socket) -> None:
    """A process that is about to end leaves what comes to the others."""
    table = Table()
    many, leaving = Taker(listener, table, 0, held=40), Taker(listener, table, 1)
    with taking(many, leaving):
        leaving.accepting.end()
        assert not many.share.others_first(asyncio.get_running_loop().time())
        await come(listener, 5, many)
    assert (many.held, leaving.held) == (45, 0)


async def test_who_is_full_closes_what_is_idle_or_waits(listener: socket.socket) -> None:
    """No connection is let in for which there is no file number, and no turn is taken in vain."""
    full = Taker(listener, Table(), 0, held=20, most=20)
    full.spared = 2
    with taking(full):
        await come(listener, 2, full)
        assert (full.held, full.spared) == (20, 0)
        _, waiting = await asyncio.open_connection(*listener.getsockname())
        await asyncio.sleep(3 * FULL)
        assert full.held == 20
        full.held -= 1
        await asyncio.sleep(3 * FULL)
        assert full.held == 20
        waiting.transport.abort()


@pytest.mark.parametrize("rest", [True, False])
async def test_who_waits_when_all_end_is_let_in(listener: socket.socket, rest: bool) -> None:
    """The kernel has let them in already; closing the last socket would reset them."""
    taker = Taker(listener, Table(), 0)
    with taking(taker):
        waiting = [socket.create_connection(listener.getsockname()) for _ in range(3)]
        taker.accepting.end(rest=rest)
        assert taker.accepting.open_now() == (3 if rest else 0)
        await until(lambda: len(taker.transports) == taker.held == (3 if rest else 0))
        for one in waiting:
            one.close()
