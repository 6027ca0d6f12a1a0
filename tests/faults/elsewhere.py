"""Stores that a broker reaches over the network, to be stopped, started and cut off."""

import contextlib
import socket
import subprocess
import threading
from pathlib import Path
from typing import Self

from tests.ports import free_port
from tests.stores.redis_servers import ask, wait_for


class Redis:
    """A Redis server on a loopback port whose data outlive its process.

    Args:
        binary: the program.
        folder: where its data are.
    """

    def __init__(self, binary: Path, folder: Path) -> None:
        self._binary = binary
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"

    def start(self) -> Self:
        """Start it and wait until it answers."""
        self._folder.mkdir(exist_ok=True)
        options = {
            "port": self.port,
            "bind": "127.0.0.1",
            "dir": self._folder,
            "save": "",
            "appendonly": "yes",
            "appendfsync": "always",
        }
        words = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
        self._process = subprocess.Popen([self._binary, *words], stdout=subprocess.DEVNULL)
        wait_for(lambda: ask(self.port, "PING") == "+PONG")
        return self

    def stop(self) -> None:
        """End it; its data stay."""
        if self._process:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def say(self, *words: str) -> None:
        """Run a command that answers OK."""
        assert ask(self.port, " ".join(words)) == "+OK"

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class Wire:
    """A TCP line to a server on this machine that can be cut and mended.

    Args:
        port: of the server.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._cut = False
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """End every connection, and every new one at once."""
        self._cut = True
        for line in self._open:
            _end(line)
        self._open.clear()

    def mend(self) -> None:
        """Let connections through again."""
        self._cut = False

    def close(self) -> None:
        """End it all."""
        self.cut()
        _end(self._listener)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self._cut:
                _end(near)
                continue
            try:
                far = socket.create_connection(("127.0.0.1", self._target), timeout=5)
            except OSError:
                _end(near)
                continue
            far.settimeout(None)
            self._open += [near, far]
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=_carry, args=(one, other), daemon=True).start()


def _carry(one: socket.socket, other: socket.socket) -> None:
    try:
        while data := one.recv(65536):
            other.sendall(data)
    except OSError:
        pass
    finally:
        _end(one)
        _end(other)


def _end(line: socket.socket) -> None:
    with contextlib.suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)
    line.close()
