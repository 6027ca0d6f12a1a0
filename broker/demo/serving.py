"""Run an ASGI application on a loopback port: in this event loop, or in a thread of its own."""

import asyncio
import errno
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import uvicorn

from broker.demo.loopback import require_loopback_host

START_SECONDS = 10.0


class _Server(uvicorn.Server):
    """A server that leaves the process' signals to whoever started it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install no signal handlers."""
        yield


def listen(host: str = "127.0.0.1", port: int = 0) -> socket.socket:
    """Open a listening socket on a loopback host; port 0 takes any free one.

    Raises:
        NotLoopbackError: the host is not a loopback address.
        OSError: the port is taken.
    """
    require_loopback_host(host)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends small writes at once only on sockets whose protocol is named.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        # Listening at once lets a caller connect before the server's loop turns.
        sock.listen(128)
    except OSError:
        sock.close()
        raise
    return sock


def listen_as_localhost(port: int) -> list[socket.socket]:
    """Open a listening socket on every address that ``localhost`` stands for on this machine.

    Who is sent there asks ::1 first; another's server on it would get what is meant for ours.

    Raises:
        OSError: the port is taken.
    """
    socks = [listen("127.0.0.1", port)]
    try:
        socks.append(listen("::1", port))
    except OSError as error:
        if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):  # no IPv6 here
            socks[0].close()
            raise
    return socks


def origin_of(sock: socket.socket) -> str:
    """Return `http://host:port` of a bound socket."""
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _server(app: Any) -> _Server:
    return _Server(
        uvicorn.Config(
            app,
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=1,
            # Longer than clients keep a connection, or one may close as a request comes in.
            timeout_keep_alive=75,
        )
    )


@asynccontextmanager
async def serving(app: Any, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve the application in the running event loop; yields its origin.

    Raises:
        NotLoopbackError: the host is not a loopback address.
        OSError: the port is taken.
    """
    async with _serving(app, [listen(host, port)]) as origin:
        yield origin


@asynccontextmanager
async def serving_as_localhost(app: Any, port: int) -> AsyncIterator[None]:
    """Serve the application at ``http://localhost:PORT``, in the running event loop.

    Raises:
        OSError: the port is taken.
    """
    async with _serving(app, listen_as_localhost(port)):
        yield


@asynccontextmanager
async def _serving(app: Any, socks: list[socket.socket]) -> AsyncIterator[str]:
    server = _server(app)
    task = asyncio.create_task(server.serve(sockets=socks))
    try:
        yield origin_of(socks[0])
    finally:
        server.should_exit = True
        await task
        for sock in socks:
            sock.close()


@contextmanager
def serving_in_thread(app: Any, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Serve the application in a thread with an event loop of its own; yields its origin.

    Raises:
        NotLoopbackError: the host is not a loopback address.
        OSError: the port is taken.
    """
    sock = listen(host, port)
    server = _server(app)
    thread = threading.Thread(target=server.run, args=([sock],), daemon=True)
    thread.start()
    try:
        yield origin_of(sock)
    finally:
        server.should_exit = True
        thread.join(START_SECONDS)
        sock.close()
