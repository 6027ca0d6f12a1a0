"""While no process lives: whoever asks is told so, instead of waiting for nobody."""

import asyncio
import json
import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest

from broker.app import absence
from broker.app.absence import AFTER, Absence

ASKED = b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n"
POSTED = b"POST /token HTTP/1.1\r\nHost: x\r\nContent-Length: 40000\r\n\r\n" + b"x" * 40000


class Door:
    """A socket that people connect to, and who answers there."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=16)
        self.absence = Absence((self.listener,))
        self.now = 1000.0

    async def look(self, after: float = 0.0, *, serves: bool = False) -> None:
        """Have it look; what it begins has begun by then."""
        self.now += after
        self.absence.look(self.now, serves=serves)
        if self.absence._opening is not None:
            await self.absence._opening

    async def ask(self, said: bytes = ASKED) -> bytes:
        """Return all that is answered."""
        reader, writer = await asyncio.open_connection(*self.listener.getsockname())
        with suppress(ConnectionError):  # of whoever is refused with something unread
            writer.write(said)
            await writer.drain()
        try:
            return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()


@pytest.fixture
def door() -> Iterator[Door]:
    found = Door()
    yield found
    found.absence.close()
    found.listener.close()


@pytest.mark.parametrize("said", [ASKED, POSTED], ids=["probe", "form"])
async def test_everybody_is_told(door: Door, said: bytes) -> None:
    """A 503 that a proxy goes elsewhere with, and that says why; whatever is asked."""
    await door.look()
    await door.look(AFTER)
    head, _, body = (await door.ask(said)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 ")
    assert b"connection: close" in head
    assert b"retry-after: 2" in head
    assert b"content-length: %d" % len(body) in head
    (check,) = json.loads(body)["checks"]
    assert (check["name"], check["ok"]) == ("processes", False)


async def test_the_first_moments_are_waited_for(door: Door) -> None:
    """A new process serves whoever came meanwhile: nobody is told anything by then."""
    await door.look()
    await door.look(AFTER / 2)
    asking = asyncio.create_task(door.ask())
    await asyncio.sleep(0.1)
    await door.look(AFTER / 4, serves=True)
    await door.look(AFTER / 2)
    await door.look(AFTER / 2)
    assert not asking.done()
    await door.look(AFTER / 2)
    assert b" 503 " in await asking


async def test_whoever_comes_back_serves(door: Door) -> None:
    """Then connections are left to it, and the socket listens as it did."""
    await door.look()
    await door.look(AFTER)
    assert b" 503 " in await door.ask()
    await door.look(serves=True)
    asking = asyncio.create_task(door.ask())
    await asyncio.sleep(0.1)
    served, _ = await asyncio.to_thread(door.listener.accept)
    served.close()
    assert b" 503 " not in await asking


async def test_nobody_is_kept_for_long(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who sends no head, or an endless one, or comes with too many others, is closed."""
    monkeypatch.setattr(absence, "PATIENCE", 0.1)
    await door.look()
    await door.look(AFTER)
    assert await door.ask(b"GET") == b""
    assert await door.ask(b"x" * 2 * absence.HEAD) == b""
    monkeypatch.setattr(absence, "MOST", 0)
    assert await door.ask() == b""
