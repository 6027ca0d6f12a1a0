"""Answering for processes that are not there: while none of them lives, nobody would.

The server holds the sockets that people connect to. What comes within the first moments waits for
a new process, and is served by it. Where that takes longer everybody is told so at once: a proxy
turns to another machine, and a probe hears the cause, where both would wait in vain.
"""

import asyncio
import json
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from broker.app.listening import BACKLOG
from broker.log import structlog

AFTER: Final = 2.0  # seconds without anybody; a new process takes a fraction of that
PATIENCE: Final = 2.0  # seconds for the head of a request, and to take the answer
HEAD: Final = 16384  # bytes of it
MOST: Final = 256  # connections at once; more are closed

_WHY: Final = json.dumps(
    {
        "ready": False,
        "checks": [{"name": "processes", "ok": False, "reason": "No process serves at present"}],
    }
).encode()
_ANSWER: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\n"
    b"cache-control: no-store\r\nx-content-type-options: nosniff\r\n"
    b"retry-after: 2\r\nconnection: close\r\n"
    b"content-length: %d\r\n\r\n%b"
) % (len(_WHY), _WHY)

_log = structlog.get_logger("broker.server")


class Absence:
    """Answers 503, whatever is asked, from some time after the last process has gone.

    Args:
        listeners: the sockets that people connect to; they stay the caller's.
    """

    def __init__(self, listeners: Sequence[socket.socket]) -> None:
        self._listeners = tuple(listeners)
        self._since: float | None = None
        self._servers: list[asyncio.Server] = []
        self._opening: asyncio.Task[None] | None = None
        self._open = 0

    def look(self, now: float, *, serves: bool) -> None:
        """Begin or end to answer.

        Args:
            now: seconds of the loop's clock.
            serves: whether any process does.
        """
        if serves:
            self.close()
        elif self._since is None:
            self._since = now
        elif self._opening is None and now - self._since >= AFTER:
            self._opening = asyncio.create_task(self._begin())

    def close(self) -> None:
        """Answer no more; who has connected gets an answer yet."""
        self._since = None
        if self._opening is not None:
            self._opening.cancel()
            self._opening = None
        for server in self._servers:
            server.close()
        self._servers.clear()

    async def _begin(self) -> None:
        try:
            for listener in self._listeners:
                server = await asyncio.start_server(
                    self._answer, sock=listener.dup(), backlog=BACKLOG, limit=HEAD
                )
                self._servers.append(server)
        except OSError as error:
            _log.error("server.absence_untold", reason=str(error))

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            if self._open <= MOST:
                await _tell(reader, writer)
        finally:
            self._open -= 1
            writer.close()


async def _tell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    hung_up = (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)
    with suppress(*hung_up):
        async with asyncio.timeout(PATIENCE):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(_ANSWER)
            writer.write_eof()
            while await reader.read(HEAD):  # else the rest of a body would undo the answer
                pass
