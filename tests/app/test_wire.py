"""Answers written in one piece are, byte for byte, what uvicorn itself would have written."""

import re
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from broker.app import wire
from broker.app.wire import WholeAnswers
from tests.ports import free_port

TYPE = (b"content-type", b"text/plain")


def _length(body: bytes) -> tuple[bytes, bytes]:
    return (b"content-length", b"%d" % len(body))


ANSWERS: dict[str, tuple[int, list[tuple[bytes, bytes]], list[bytes]]] = {
    "/usual": (200, [TYPE, _length(b"hello"), (b"x-request-id", b"1")], [b"hello"]),
    "/empty": (200, [_length(b"")], [b""]),
    "/moved": (303, [(b"location", b"/usual"), (b"set-cookie", b"a=1"), _length(b"")], [b""]),
    "/none": (204, [], [b""]),
    "/same": (304, [(b"etag", b'"x"')], [b""]),
    "/no-length": (200, [TYPE], [b"hello"]),
    "/parts": (200, [TYPE, _length(b"hello")], [b"he", b"llo"]),
    "/stream": (200, [TYPE], [b"he", b"llo"]),
    "/close": (413, [TYPE, _length(b"no"), (b"connection", b"close")], [b"no"]),
    "/chunked": (200, [TYPE, (b"transfer-encoding", b"chunked")], [b"hello"]),
    "/capital": (200, [(b"Content-Length", b"5")], [b"hello"]),
    "/short": (200, [_length(b"hello!")], [b"hello"]),
    "/long": (200, [_length(b"hell")], [b"hello"]),
    "/split": (200, [(b"x-a", b"1\r\nx-b: 2"), _length(b"hello")], [b"hello"]),
    "/feed": (200, [(b"x-a", b"1\nx-b: 2"), _length(b"hello")], [b"hello"]),
    "/nul": (200, [(b"x-a", b"1\0"), _length(b"hello")], [b"hello"]),
    "/control": (200, [(b"x-a", b"1\x1b[2J"), _length(b"hello")], [b"hello"]),
    "/delete": (200, [(b"x-a", b"1\x7f"), _length(b"hello")], [b"hello"]),
    "/tab": (200, [(b"x-a", b"1\t2\xe9"), _length(b"hello")], [b"hello"]),
    "/two": (200, [_length(b"hello!"), _length(b"hello")], [b"hello"]),
    "/name": (200, [(b"x a", b"1"), _length(b"hello")], [b"hello"]),
    "/headless": (0, [], [b"hello"]),
    "/bodiless": (200, [TYPE, _length(b"")], []),
}
MISTAKES = {
    "/short", "/long", "/split", "/feed", "/nul", "/control", "/delete", "/two", "/name",
    "/bodiless",
}  # fmt: skip


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer as the table says; read the body before."""
    while (await receive()).get("more_body"):
        pass
    if scope["path"] == "/raises":
        await send({"type": "http.response.start", "status": 200, "headers": [_length(b"x")]})
        raise RuntimeError("after the head")
    if scope["path"] == "/twice":
        for _ in range(2):
            await send({"type": "http.response.start", "status": 200, "headers": [_length(b"")]})
    if scope["path"] == "/bare":
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"hello"})
        return
    status, headers, parts = ANSWERS[scope["path"]]
    if status:
        await send({"type": "http.response.start", "status": status, "headers": headers})
    for n, part in enumerate(parts):
        more = n + 1 < len(parts)
        await send({"type": "http.response.body", "body": part, "more_body": more})


class Server(uvicorn.Server):
    """A server in a thread."""

    def install_signal_handlers(self) -> None:
        """Leave signals to the main thread."""


@pytest.fixture(scope="module")
def ports() -> Iterator[tuple[int, int]]:
    """Two servers of the same application: ours, and uvicorn as it is."""
    running = []
    for protocol in (WholeAnswers, HttpToolsProtocol):
        port = free_port()
        config = uvicorn.Config(
            application,
            port=port,
            http=protocol,
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_keep_alive=1,
        )
        server = Server(config)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        running.append((server, thread, port))
    while not all(server.started for server, _, _ in running):
        time.sleep(0.01)
    yield running[0][2], running[1][2]
    for server, thread, _ in running:
        server.should_exit = True
        thread.join()


def said(port: int, sent: bytes) -> bytes:
    """Return all that is answered until the connection ends, but for the date."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
        line.sendall(sent)
        found = b""
        while part := line.recv(65536):
            found += part
    return re.sub(rb"date: [^\r]*", b"date:", found)


def asks(path: str, method: str = "GET", more: bytes = b"", body: bytes = b"") -> bytes:
    """Return a request."""
    head = b"%b %b HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n" % (
        method.encode(),
        path.encode(),
        len(body),
    )
    return head + more + b"\r\n" + body


LAST = asks("/usual", more=b"connection: close\r\n")


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
@pytest.mark.parametrize("path", ANSWERS)
def test_it_is_what_uvicorn_writes(ports: tuple[int, int], path: str, method: str):
    """Every kind of answer, and what follows it on the same connection."""
    sent = asks(path, method, body=b"a=1" if method == "POST" else b"") + LAST
    ours, theirs = (said(port, sent) for port in ports)
    if path in MISTAKES:
        # Mistakes of the application: uvicorn may have written the head already.
        assert not ours.startswith(b"HTTP/1.1 200") or ours == theirs
        assert b"x-b: 2" not in ours
    else:
        assert ours == theirs


@pytest.mark.parametrize(
    "sent",
    [
        asks("/usual") * 3 + asks("/moved") * 2 + LAST,
        asks("/usual", more=b"expect: 100-continue\r\n") + LAST,
        b"GET /usual HTTP/1.0\r\n\r\n",
        b"GET /usual HTTP/1.0\r\nconnection: keep-alive\r\n\r\n",
        asks("/usual", more=b"connection: close\r\n"),
        asks("/usual", "POST", body=b"a" * 200_000) + LAST,
        asks("/bare") + LAST,
        asks("/twice") + LAST,
        asks("/usual", more=b"connection: upgrade\r\nupgrade: h2c\r\n") + LAST,
        asks("/usual") + b"no request\r\n\r\n",
    ],
)
def test_connections_are_kept_as_uvicorn_keeps_them(ports: tuple[int, int], sent: bytes):
    """Pipelined requests, HTTP/1.0, 100-continue, closing."""
    ours, theirs = (said(port, sent) for port in ports)
    assert ours == theirs
    assert ours.startswith(b"HTTP/1.1 ")


def test_who_asks_nothing_is_not_waited_for(ports: tuple[int, int]):
    """A connection may be idle for so long before its first request as after one."""
    with socket.create_connection(("127.0.0.1", ports[0]), timeout=10) as line:
        assert line.recv(1) == b""


def test_a_failure_after_the_head_is_told(ports: tuple[int, int]):
    """The head was held back, so there is room for an honest 500."""
    assert said(ports[0], asks("/raises") + LAST).startswith(b"HTTP/1.1 500")


def test_the_usual_answer_is_one_piece(monkeypatch: pytest.MonkeyPatch, ports: tuple[int, int]):
    """The way meant to be fast is the one that is taken, and only for whole answers."""
    taken = []
    whole = wire._whole

    def noted(*words: object) -> bytes | None:
        taken.append(whole(*words))  # type: ignore[arg-type]
        return taken[-1]

    monkeypatch.setattr(wire, "_whole", noted)
    said(ports[0], asks("/usual") + asks("/parts") + LAST)
    assert [one is not None for one in taken] == [True, False, False]
