"""A worker ends with its server, however that went."""

import asyncio
import socket
from typing import Any

import pytest

from broker.app import worker
from broker.app.handover import END, KEEP_ALIVE, NOW, RETIRE


class Serving:
    """A server that is told to end."""

    def __init__(self) -> None:
        self.ended: list[float] = []

    def end(self, patience: float = 0.0) -> None:
        """Note it."""
        self.ended.append(patience)


@pytest.mark.parametrize("unread", [False, True], ids=["closed", "reset"])
async def test_it_ends_when_its_server_is_gone(unread: bool) -> None:
    """The line ends, or is reset where the server had not read all that it was told."""
    theirs, ours = socket.socketpair()
    if unread:
        ours.sendall(b"unread")
    server: Any = Serving()
    reader, writer = await asyncio.open_connection(sock=ours)
    obeying = asyncio.create_task(worker._obey(server, reader, 1.0))
    await asyncio.sleep(0)
    theirs.close()
    await asyncio.wait_for(obeying, 5)
    assert server.ended == [0.0]
    writer.close()


async def test_its_server_says_how_kindly_it_ends() -> None:
    """Others have taken over; all end, and requests may be on the way; somebody waits for it."""
    theirs, ours = socket.socketpair()
    server: Any = Serving()
    reader, writer = await asyncio.open_connection(sock=ours)
    theirs.sendall(RETIRE + END + NOW)
    theirs.close()
    await asyncio.wait_for(worker._obey(server, reader, 1.0), 5)
    assert server.ended == [KEEP_ALIVE, 1.0, 0.0, 0.0]
    writer.close()
