"""Starting one server process, speaking a few words with it, ending it."""

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from broker.stores.embedded.errors import EmbeddedRedisFailed

LONGEST_SOCKET: Final = 100  # bytes; the system's limit is 104 or 108
PR_SET_PDEATHSIG: Final = 1
PAUSE: Final = 0.002
LOG: Final = "redis.log"


def spawn(binary: Path, directory: Path, address: Path, lock_fd: int) -> "subprocess.Popen[bytes]":
    """Start a server; call it from a thread that lives as long as the server shall.

    Args:
        binary: the program.
        directory: where its data are.
        address: path of its socket.
        lock_fd: descriptor that it inherits and so keeps locked.
    """
    with contextlib.suppress(FileNotFoundError):
        address.unlink()
    options = {
        "port": "0",
        "unixsocket": str(address),
        "unixsocketperm": "600",
        "dir": str(directory),
        "appendonly": "yes",
        "appendfsync": "always",
        "save": "",
        "maxmemory-policy": "noeviction",
        "databases": "1",
        "daemonize": "no",
        "loglevel": "warning",
        "logfile": LOG,
    }
    arguments = [word for name, value in options.items() for word in (f"--{name}", value)]
    return subprocess.Popen(  # noqa: S603
        [binary, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=(lock_fd,),
        start_new_session=True,  # Ctrl-C at the terminal is for the broker, which then ends us
        preexec_fn=_die_with_parent(),  # noqa: PLW1509
    )


def wait_ready(
    process: "subprocess.Popen[bytes]", address: Path, log: Path, seconds: float
) -> None:
    """Wait until the server answers, data loaded.

    Raises:
        EmbeddedRedisFailed: it ended, or took too long.
    """
    until = time.monotonic() + seconds
    while say(address, "PING") != "+PONG":
        if process.poll() is not None:
            raise EmbeddedRedisFailed(f"redis-server ended at start: {_last_words(log)}")
        if time.monotonic() > until:
            raise EmbeddedRedisFailed(f"redis-server does not answer within {seconds:.0f} s")
        time.sleep(PAUSE)


def say(address: Path, command: str, timeout: float = 1.0) -> str | None:
    """Send one inline command; return the first line of the answer, or None."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(timeout)
            line.connect(str(address))
            line.sendall(f"{command}\r\n".encode())
            return line.recv(4096).split(b"\r\n")[0].decode()
    except OSError:
        return None


def terminate(process: "subprocess.Popen[bytes]", seconds: float) -> None:
    """End the server: asked first, killed after so many seconds."""
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def signal_server(pid: int, address: Path, number: signal.Signals) -> None:
    """Send a signal to a server that is not our child, if it still is that server."""
    if _is_server(pid, address):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _is_server(pid: int, address: Path) -> bool:
    """Whether the process is the server of this socket, not another that got its number.

    A server shows its socket in its title.
    """
    if not sys.platform.startswith("linux"):
        return True
    try:
        title = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return os.fsencode(address) in title


def _die_with_parent() -> Callable[[], None] | None:
    """Return what a child runs so that it is told to end when its parent is gone (Linux)."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    parent = os.getpid()

    def prepare() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)

    return prepare


def _last_words(log: Path) -> str:
    try:
        lines = log.read_text("utf-8", "replace").strip().splitlines()
    except OSError:
        return "it left no log"
    return lines[-1] if lines else "it left no log"
