"""What a client may ask of a connection: sizes, times, and a kind end."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send
from structlog.testing import capture_logs

from broker.app import answering, connections, lingering
from broker.app.answering import Server, config
from broker.app.shares import Table
from tests.app.test_wire import LAST, asks

LARGE = b"x" * 8_000_000
TICK = 0.05
HEAD, IDLE = 0.3, 0.6  # seconds; ten and sixty-five otherwise


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer at once, or slowly, or at length; nobody reads a body but at /read."""
    if scope["type"] == "lifespan":
        for word in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{word}.complete"})
        return
    path = scope["path"]
    if path == "/slow":
        await asyncio.sleep(0.3)
    while path == "/read" and (await receive()).get("more_body"):
        pass
    body = LARGE if path == "/large" else path.encode()
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": body})


class Served:
    """A server in this loop.

    Args:
        server: that one.
        port: where it listens.
        task: in which it runs.
    """

    def __init__(self, server: Server, port: int, task: "asyncio.Task[None]") -> None:
        self.server = server
        self.port = port
        self.task = task

    @property
    def open(self) -> int:
        """Connections that it has."""
        return len(self.server.server_state.connections)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def nobody_is_left(self) -> None:
        async with asyncio.timeout(10):
            while self.open:
                await asyncio.sleep(TICK)


@asynccontextmanager
async def serving(**changes: Any) -> AsyncIterator[Served]:
    """Serve while the block runs; with changes to uvicorn's settings."""
    found = config(application)
    found.timeout_keep_alive = answering.KEEP_ALIVE
    for name, value in changes.items():
        setattr(found, name, value)
    listener = socket.create_server(("127.0.0.1", 0))
    ready = asyncio.Event()
    server = Server(found, [listener], Table().share(0), ready.set)
    task = asyncio.create_task(server.serve())
    await asyncio.wait({task, asyncio.create_task(ready.wait())}, return_when="FIRST_COMPLETED")
    try:
        yield Served(server, listener.getsockname()[1], task)
    finally:
        server.end()
        await task


@pytest.fixture
async def served(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    """A server whose patience is short."""
    monkeypatch.setattr(lingering, "HEAD", HEAD)
    monkeypatch.setattr(lingering, "EVERY", TICK)
    monkeypatch.setattr(answering, "KEEP_ALIVE", IDLE)
    async with serving() as found:
        yield found


async def drip(writer: asyncio.StreamWriter, text: bytes, pause: float = 0.1) -> None:
    """Send it byte by byte, until nobody listens."""
    try:
        for n in range(len(text)):
            writer.write(text[n : n + 1])
            await writer.drain()
            await asyncio.sleep(pause)
    except ConnectionError:
        pass


@pytest.mark.parametrize("before", [b"", asks("/usual")], ids=["first", "next"])
async def test_a_head_that_comes_in_drops_has_a_deadline(served: Served, before: bytes) -> None:
    """From its first byte to its last, however many come; it is told with 408."""
    reader, writer = await served.connect()
    writer.write(before)
    dripping = asyncio.create_task(drip(writer, b"GET / HTTP/1.1\r\nx-a: " + b"a" * 200))
    since = asyncio.get_running_loop().time()
    # No further than that: whoever still writes is reset soon after.
    said = await asyncio.wait_for(reader.readuntil(b"HTTP/1.1 408 Request Timeout\r\n"), 8)
    assert said.count(b"HTTP/1.1 200 OK") == (1 if before else 0)
    assert asyncio.get_running_loop().time() - since > HEAD
    await served.nobody_is_left()
    dripping.cancel()


async def test_a_head_in_two_pieces_is_as_good() -> None:
    """Whoever is slow, but not that slow, is answered; one after the other on a connection."""
    async with serving() as served:
        reader, writer = await served.connect()
        for _ in range(3):
            for piece in (asks("/usual")[:20], asks("/usual")[20:]):
                writer.write(piece)
                await asyncio.sleep(TICK)
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
            assert head.startswith(b"HTTP/1.1 200")
            await reader.readexactly(len("/usual"))
        writer.close()


async def test_a_head_alone_has_to_be_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is idle, or sends a body at leisure, has as long as an idle connection."""
    monkeypatch.setattr(lingering, "HEAD", TICK)
    monkeypatch.setattr(lingering, "EVERY", TICK)
    begun = (b"", asks("/usual"), ENDLESS["a body that is read"], asks("/usual")[:20])
    async with serving() as served:
        lines = [await served.connect() for _ in begun]
        with capture_logs() as said:
            for (_, writer), sent in zip(lines, begun, strict=True):
                writer.write(sent)
            await asyncio.wait_for(lines[1][0].readuntil(b"/usual"), 5)
            slow = await asyncio.wait_for(lines.pop()[0].read(), 8)
            await asyncio.sleep(4 * TICK)
        assert slow.startswith(b"HTTP/1.1 408 ")
        assert [(line["event"], line["count"]) for line in said] == [("connections.given_up", 1)]
        lines[2][1].write(b"a" * 900)
        for reader, writer in lines:
            writer.write(LAST)
            assert b"HTTP/1.1 200 OK" in await asyncio.wait_for(reader.read(), 5)
            writer.close()


ENDLESS = {
    "nothing but empty lines": b"",
    "a body that was answered already": b"POST / HTTP/1.1\r\ncontent-length: 900\r\n\r\n",
    "a body that is read": b"POST /read HTTP/1.1\r\ncontent-length: 900\r\n\r\n",
    "trailers": b"GET / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx-a: ",
}


@pytest.mark.parametrize("begun", ENDLESS.values(), ids=ENDLESS)
async def test_what_has_no_end_is_given_up(served: Served, begun: bytes) -> None:
    """As an idle connection is; what comes meanwhile does not put it off."""
    reader, writer = await served.connect()
    writer.write(begun)
    dripping = asyncio.create_task(drip(writer, b"\r\n" * 200 if not begun else b"a" * 400))
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await asyncio.wait_for(reader.readuntil(b"never said"), 8)
    await served.nobody_is_left()
    dripping.cancel()


@pytest.mark.parametrize("words", ["", "connection: close\r\n"], ids=["kept", "closed"])
async def test_an_answer_that_nobody_takes_is_given_up(served: Served, words: str) -> None:
    """While it is written as well as after that, when its connection only waits to be closed."""
    reader, writer = await served.connect()
    with capture_logs() as said:
        writer.write(asks("/large", more=words.encode()))
        await asyncio.wait_for(reader.readexactly(1), 5)
        await served.nobody_is_left()
    assert [(line["event"], line["count"]) for line in said] == [("connections.given_up", 1)]
    assert not served.server.server_state.tasks
    writer.transport.abort()


HEADS = {
    "a path": (b"GET /", b"a" * 1000),
    "a name": (b"GET / HTTP/1.1\r\nx", b"a" * 1000),
    "names": (b"GET / HTTP/1.1\r\n", b"x-a: %b\r\n" % (b"a" * 1000)),
}
FLOODS = HEADS | {
    "trailers": (ENDLESS["trailers"], b"a" * 1000 + b"\r\nx-a: "),
    "a rest": (b"POST / HTTP/1.1\r\ncontent-length: 99999999\r\n\r\n", b"a" * 1000),
}


@pytest.mark.parametrize(("begun", "more"), HEADS.values(), ids=HEADS)
async def test_a_head_has_a_size(
    begun: bytes, more: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told with 431 (RFC 6585 §5); whoever stays after that is given up soon."""
    monkeypatch.setattr(lingering, "EVERY", TICK)
    async with serving() as served:
        reader, writer = await served.connect()
        told = asyncio.create_task(reader.readuntil(b"HTTP/1.1 431 "))  # before anything is reset
        writer.write(begun)
        for _ in range(100):
            await asyncio.sleep(0)
            writer.write(more)
        assert await asyncio.wait_for(told, 5) == b"HTTP/1.1 431 "
        await served.nobody_is_left()
        writer.close()


@pytest.mark.parametrize(("begun", "more"), FLOODS.values(), ids=FLOODS)
async def test_a_flood_is_ended(begun: bytes, more: bytes) -> None:
    """By its size, long before a deadline or the memory."""
    async with serving() as served:
        _, writer = await served.connect()
        writer.write(begun)
        with pytest.raises(ConnectionError):
            for _ in range(20 * connections.REST_LIMIT // len(more)):
                await asyncio.sleep(0)
                writer.write(more)
                await writer.drain()
        await served.nobody_is_left()
        writer.transport.abort()


async def test_so_many_requests_at_once_and_no_more() -> None:
    """Some may come before those in front of them are answered; a flood of them ends it."""
    async with serving() as served:
        reader, writer = await served.connect()
        writer.write(asks("/slow") + asks("/usual") * 30 + LAST)
        assert (await asyncio.wait_for(reader.read(), 8)).count(b"HTTP/1.1 200 OK") == 32
        reader, writer = await served.connect()
        writer.write(asks("/slow") + asks("/usual") * 500)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await asyncio.wait_for(reader.readexactly(10_000_000), 8)
        await served.nobody_is_left()


async def test_whoever_asks_no_more_is_answered() -> None:
    """A client may close its own direction after its request; half a request ends it at once."""
    async with serving() as served:
        reader, writer = await served.connect()
        writer.write(asks("/slow") + asks("/usual"))
        writer.write_eof()
        said = await asyncio.wait_for(reader.read(), 8)
        assert said.endswith(b"/usual")
        assert said.count(b"HTTP/1.1 200 OK") == 2
        for begun in (asks("/usual")[:20], ENDLESS["a body that is read"], b""):
            reader, writer = await served.connect()
            writer.write(begun)
            writer.write_eof()
            assert await asyncio.wait_for(reader.read(), 8) == b""
        await served.nobody_is_left()


async def test_a_request_on_the_way_is_answered() -> None:
    """A proxy may just be sending one on a connection that was idle; it is told to send no more."""
    async with serving() as served:
        reader, writer = await served.connect()
        writer.write(asks("/usual"))
        await asyncio.wait_for(reader.readuntil(b"/usual"), 5)
        idle, _ = await served.connect()
        served.server.end(10.0)
        while True:
            try:
                (await served.connect())[1].close()  # let in while the last were taken
            except ConnectionRefusedError:
                break
        writer.write(asks("/usual"))
        said = await asyncio.wait_for(reader.read(), 8)
        assert b"\r\nconnection: close\r\n" in said
        assert said.endswith(b"/usual")
        assert served.open == 1
        served.server.force_exit = True
        assert await asyncio.wait_for(idle.read(), 5) == b""


async def test_who_waits_at_the_door_is_let_in() -> None:
    """Where there is no other process, it would be reset: a kind end takes it first."""
    async with serving() as served:
        for listener in served.server._accepting._listeners:
            asyncio.get_running_loop().remove_reader(listener)  # the process is busy
        reader, writer = await served.connect()
        writer.write(asks("/usual"))
        served.server.end(10.0)
        said = await asyncio.wait_for(reader.read(), 8)
        assert said.endswith(b"/usual")
        assert b"\r\nconnection: close\r\n" in said


async def test_a_kind_end_takes_no_longer_than_it_must() -> None:
    """It is over with the last connection; what is idle then is closed when patience ends."""
    async with serving() as served:
        _, writer = await served.connect()
        served.server.end(60.0)
        await asyncio.sleep(TICK)
        writer.close()
        await asyncio.wait_for(asyncio.shield(served.task), 10)
    async with serving() as served:
        reader, _ = await served.connect()
        served.server.end(0.3)
        assert await asyncio.wait_for(reader.read(), 10) == b""


@pytest.fixture
async def small(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    """A server that has room for five connections."""
    monkeypatch.setattr(answering, "most_connections", lambda: 5)
    monkeypatch.setattr(lingering, "SPARED", TICK)
    monkeypatch.setattr(lingering, "EVERY", TICK)
    async with serving() as found:
        yield found


async def test_where_there_is_no_room_the_idle_go(small: Served) -> None:
    """Those first that have been so for longest; who is new is let in."""
    lines = [await small.connect() for _ in range(5)]
    for _, writer in lines[1:]:
        writer.write(asks("/usual"))
    for reader, _ in lines[1:]:
        await asyncio.wait_for(reader.readuntil(b"/usual"), 5)
    for _ in range(3):
        await asyncio.sleep(2 * TICK)
        assert await answer(small) == b"/usual"
    assert small.open <= 5
    assert await asyncio.wait_for(lines[0][0].read(), 5) == b""
    reader, writer = lines[-1]
    writer.write(LAST)
    assert (await asyncio.wait_for(reader.read(), 5)).endswith(b"/usual")
    for _, writer in lines:
        writer.transport.abort()


async def test_where_none_is_idle_the_slow_go(small: Served) -> None:
    """Heads that come in drops lock nobody out until they are given up."""
    lines = [await small.connect() for _ in range(5)]
    for _, writer in lines:
        writer.write(asks("/usual")[:20])
    for _ in range(3):
        assert await answer(small) == b"/usual"
    for _, writer in lines:
        writer.transport.abort()


async def answer(served: Served) -> bytes:
    """Ask over a new connection; return what is answered."""
    reader, writer = await served.connect()
    writer.write(LAST)
    said = await asyncio.wait_for(reader.read(), 8)
    writer.close()
    return said.rpartition(b"\r\n\r\n")[2]
