"""HTTP/1.1 as uvicorn speaks it, with answers written in one piece.

uvicorn looks at each header of an answer three times and writes head and body apart, which costs
as much as all of our own handling of a small request. Nearly every answer of ours is whole at once
and says how long it is: such a one is put together here. Everything else goes uvicorn's way.
"""

import re
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from broker.app.connections import Connection

START: Final = "http.response.start"
BODY: Final = "http.response.body"
LENGTH: Final = b"content-length"
# What decides about the connection is uvicorn's business.
_THEIRS: Final = frozenset({b"connection", b"transfer-encoding"})
_NAME: Final = re.compile(rb"[a-z0-9-]+")
# What may stand in a head: printable characters, tabs, and what ends its lines.
_FINE: Final = bytes({*range(0x20, 0x7F), *range(0x80, 0x100), *b"\t\r\n"})
_known: set[bytes] = set()  # names of headers that were looked at; they are ours, and few


class WholeAnswers(Connection):
    """A connection whose answers are written in one piece where they can be."""

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        super()._start_asgi_task(cycle, _Writing(cycle, app))  # type: ignore[arg-type]


class _Writing:
    """The application, for one request: holds the head of the answer until the body is there."""

    __slots__ = ("_app", "_cycle", "_start")

    def __init__(self, cycle: RequestResponseCycle, app: ASGIApp) -> None:
        self._cycle = cycle
        self._app = app
        self._start: Message | None = None

    async def __call__(self, scope: Scope, receive: Receive, _: Send) -> None:
        await self._app(scope, receive, self._send)
        if self._start is not None:  # a head without a body: let uvicorn say so
            await self._cycle.send(self._start)  # type: ignore[arg-type]

    async def _send(self, message: Message) -> None:
        cycle = self._cycle
        start, self._start = self._start, None
        if start is None and message["type"] == START and not cycle.response_started:
            self._start = message
            return
        if start is None:
            await cycle.send(message)  # type: ignore[arg-type]
            return
        whole = _whole(start, message, cycle)
        if whole is None:
            await cycle.send(start)  # type: ignore[arg-type]
            await cycle.send(message)  # type: ignore[arg-type]
            return
        cycle.response_started = cycle.response_complete = True
        cycle.waiting_for_100_continue = False
        cycle.transport.write(whole)
        cycle.message_event.set()
        cycle.on_response()


def _whole(start: Message, body: Message, cycle: RequestResponseCycle) -> bytes | None:
    """Return the bytes of an answer; None where it is not of the usual kind.

    Raises:
        RuntimeError: a header would be the beginning of another, or of a body.
    """
    if (
        body["type"] != BODY
        or body.get("more_body", False)
        or cycle.disconnected
        or cycle.flow.write_paused
        or not cycle.keep_alive
        or cycle.scope["method"] == "HEAD"
    ):
        return None
    headers = [*cycle.default_headers, *start.get("headers", ())]
    content = body.get("body", b"")
    length = None
    for name, value in headers:
        if name == LENGTH:
            if length is not None:  # whose end is where depends on who reads it
                return None
            length = value
        elif name not in _known:
            if name in _THEIRS or not _NAME.fullmatch(name):
                return None
            _known.add(name)
    if length is None or length != b"%d" % len(content):
        return None
    block = b"".join([b"%b: %b\r\n" % header for header in headers])
    odd = block.translate(None, _FINE)
    if odd or block.count(b"\n") != len(headers) or block.count(b"\r") != len(headers):
        raise RuntimeError("Invalid HTTP header value.")
    return b"".join((STATUS_LINE[start["status"]], block, b"\r\n", content))
