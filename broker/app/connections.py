"""A connection from its server's side: what a client may ask of it has limits.

uvicorn takes heads of any length, as many requests at once as somebody sends, and waits for ever
for the rest of one. Sizes are limited here; what takes too long is for `broker.app.lingering`.
"""

import asyncio
from typing import Final, cast

from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

# Bytes of a request that is not whole; what came in one piece with its start is not counted.
HEAD_LIMIT: Final = 65536
REST_LIMIT: Final = 8 * HEAD_LIMIT  # whoever answers reads much less of a body
PIPELINED: Final = 64  # requests that may wait for the answer to one before them
PARTING: Final = "the end of a connection on which a request was refused"
REFUSED: Final = b"content-length: 0\r\nconnection: close\r\n\r\n"


class Connection(HttpToolsProtocol):
    """One connection."""

    _unfinished = 0  # bytes of a request that is not whole yet, after those it began with
    _refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Close it, too, where nothing is ever asked over it; uvicorn would keep it open."""
        super().connection_made(transport)
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def data_received(self, data: bytes) -> None:
        """Take a part of a request, or several requests; refuse what has no end."""
        if self._refused:
            self._unfinished += len(data)
            if self._unfinished > REST_LIMIT:
                self.transport.abort()
            return
        former = self.scope
        super().data_received(data)
        if self.scope is not former:
            self._unfinished = 0
        elif (last := self._last()) is None or last.more_body or last.scope is not former:
            self._unfinished += len(data)
            if self._unfinished > HEAD_LIMIT and self.head() is not None:
                self._refuse(431)
            elif self._unfinished > REST_LIMIT:
                self.transport.abort()
        if len(self.pipeline) > PIPELINED:
            self.transport.abort()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Answer what was asked by somebody who asks no more; say whether to stay open for that."""
        last = self._last()
        if last is None or last.response_complete or last.more_body or self.head() is not None:
            return False
        last.keep_alive = False
        return True

    def head(self) -> object | None:
        """Return the request whose head has begun to come and is not whole."""
        last = self._last()
        return self.scope if last is None or last.scope is not self.scope else None

    def awaited(self) -> object | None:
        """Return what this connection waits for from its client, without a timer."""
        if self.transport.is_closing():
            return self.transport
        if self._refused:
            return PARTING
        if (head := self.head()) is not None:
            return head
        last = self._last()
        if last is None or last.response_complete:
            return self if self.timeout_keep_alive_task is None else None
        return last if last.more_body or self.flow.write_paused else None

    def give_up(self) -> None:
        """End it, whatever is under way; whoever is late with a request's head is told so."""
        last = self._last()
        answered = not self._refused and (last is None or last.response_complete)
        if answered and self.head() is not None and not self.transport.is_closing():
            self._refuse(408)
        else:
            self.transport.abort()

    def _last(self) -> RequestResponseCycle | None:
        """Return the last request whose head is whole; uvicorn has none at first."""
        return cast("RequestResponseCycle | None", self.cycle)

    def _refuse(self, status: int) -> None:
        """Say no to a request whose head is not whole.

        The client closes then, or is given up soon: closed at once by us, a connection
        over which something still comes is reset, and our word with it.
        """
        self._refused = True
        self.transport.write(STATUS_LINE[status] + REFUSED)
        self.transport.write_eof()
