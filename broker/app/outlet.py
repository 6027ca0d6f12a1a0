"""What log lines are written to: a pipe or a socket whose reader may be stuck is not waited for.

Others write to the same pipe: the server's other processes, whatever started it. So it is not made
non-blocking for all of them; this process has it opened anew for itself, or asks each time.
"""

import errno
import io
import os
import select
import socket
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import BinaryIO, Final, TextIO, cast

OWN: Final = "/proc/self/fd/{}"
PATIENCE: Final = 0.25  # seconds in which a reader that is merely slow may make room,
WINDOW: Final = 10.0  # all waiting in so many seconds taken together

Send = Callable[[bytes], int]
"""Writes what there is room for and returns how much; raises ``BlockingIOError`` for none."""


class Outlet(io.RawIOBase):
    """Writes without ever waiting for long; a line that was begun is ended before the next.

    Args:
        number: of the file, to wait for room.
        send: writes to it.
    """

    def __init__(self, number: int, send: Send) -> None:
        super().__init__()
        self._send = send
        self._ready = select.poll()
        self._ready.register(number, select.POLLOUT)
        self._rest = b""
        self._since = 0.0
        self._patience = 0.0

    def writable(self) -> bool:
        """Return that it is."""
        return True

    def write(self, data: object) -> int:
        """Write all of it, some of it now and the rest before anything else, or nothing.

        Raises:
            BlockingIOError: there is no room, and nothing was written.
            OSError: nobody reads.
        """
        wanted = bytes(cast("bytes", data))
        self._rest = self._pushed(self._rest)
        left = wanted if self._rest else self._pushed(wanted)
        if wanted and len(left) == len(wanted):
            raise BlockingIOError(errno.EAGAIN, "whoever reads the log is stuck")
        self._rest = left
        return len(wanted)

    def _pushed(self, data: bytes) -> bytes:
        """Write as much as there is room for; return what is left."""
        while data:
            try:
                data = data[self._send(data) :]
            except BlockingIOError:
                if not self._room():
                    break
        return data

    def _room(self) -> bool:
        """Wait for room, while there is patience left; return whether there is some."""
        began = time.monotonic()
        if began - self._since > WINDOW:
            self._since, self._patience = began, PATIENCE
        if self._patience <= 0:
            return False
        found = self._ready.poll(self._patience * 1000)
        self._patience -= time.monotonic() - began
        return bool(found)


def outlet(stream: TextIO) -> BinaryIO:
    """Return what log lines are written to: itself, unless somebody has to read what is written.

    Args:
        stream: standard error.
    """
    try:
        number = stream.fileno()
        mode = os.fstat(number).st_mode
    except (OSError, ValueError):  # it is none of the system's
        return stream.buffer
    if stat.S_ISFIFO(mode):
        return cast("BinaryIO", Outlet(number, _into_pipe(number)))
    if stat.S_ISSOCK(mode):
        return cast("BinaryIO", Outlet(number, _into_socket(number)))
    return stream.buffer


def _into_pipe(number: int) -> Send:
    with suppress(OSError):
        # One of our own, where the system opens it to us: it may be another user's.
        own = os.open(OWN.format(number), os.O_WRONLY | os.O_NONBLOCK)
        return partial(os.write, own)
    ready = select.poll()
    ready.register(number, select.POLLOUT)

    def send(data: bytes) -> int:
        # Where there is any room there is room for this much, unless another takes it meanwhile.
        if not ready.poll(0):
            raise BlockingIOError
        return os.write(number, data[: select.PIPE_BUF])

    return send


def _into_socket(number: int) -> Send:
    own = socket.socket(fileno=os.dup(number))
    return lambda data: own.send(data, socket.MSG_DONTWAIT)
