"""Taking connections from sockets that several processes share, so that each gets its part.

Left to itself, the kernel wakes every process that listens, and the quickest takes all that come
at once. Sockets of their own (``SO_REUSEPORT``) spread no better than dice, and what waits at the
socket of a process that hangs or dies is lost. So the socket is one, connections wait there for
whoever is well, and a process that has more of them than another lets that one go first, for a
moment: if nobody came for a connection by then, it is taken after all.
"""

import asyncio
import errno
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from broker.app.listening import BACKLOG
from broker.app.shares import Share
from broker.log import structlog

PAUSE: Final = 0.001  # seconds until a process that let others go first looks again
PATIENCE: Final = 0.03  # seconds it goes on letting them
EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
RELIEF: Final = 1.0  # seconds to wait for the machine to have file numbers or memory again
FULL: Final = 0.1  # seconds to wait for room where no connection can be spared
TOLD: Final = 60.0  # seconds between two words about that

_log = structlog.get_logger("broker.server")


@dataclass(frozen=True, slots=True)
class Room:
    """How many connections a process may have.

    Attributes:
        most: of them.
        taken: returns how many it has.
        make: closes some that can be spared; says whether there were any.
    """

    most: int
    taken: Callable[[], int]
    make: Callable[[], bool]


class Accepting:
    """Takes connections until it ends, one at a time.

    Args:
        listeners: bound sockets; closed in the end. Other processes may hold them as well.
        share: what this process tells the others.
        room: for how many there is room.
        protocol: makes what answers on a connection.
    """

    def __init__(
        self,
        listeners: Sequence[socket.socket],
        share: Share,
        room: Room,
        protocol: Callable[[], asyncio.Protocol],
    ) -> None:
        self._listeners = tuple(listeners)
        self._share = share
        self._room = room
        self._protocol = protocol
        self._welcomes: set[asyncio.Task[None]] = set()
        self._deferring_since = 0.0
        self._deferred_at = 0.0
        self._full_since = float("-inf")
        self._loop: asyncio.AbstractEventLoop | None = None

    def begin(self) -> None:
        """Listen, and take what comes; called in the loop."""
        self._loop = asyncio.get_running_loop()
        self.look()
        for listener in self._listeners:
            listener.settimeout(0)
            listener.listen(BACKLOG)
            self._watch(listener)

    def look(self) -> None:
        """Tell the others how many connections this process has, and that it is awake."""
        if self._loop is not None:
            self._share.tell(self.open_now(), self._loop.time())

    def end(self, *, rest: bool = False) -> None:
        """Take no more. What waits is left to the other processes.

        Args:
            rest: whether to take what waits now, instead: where there is no other process, it
                would be reset.
        """
        if self._loop is None:
            return
        for listener in self._listeners:
            self._loop.remove_reader(listener)
            while rest and self.open_now() < self._room.most and self._take(listener):
                pass
            listener.close()
        self._loop = None
        self._share.leave()

    def _watch(self, listener: socket.socket) -> None:
        if self._loop is not None:
            self._loop.add_reader(listener, self._come, listener)

    def _come(self, listener: socket.socket) -> None:
        """Somebody is at the door: take one, unless it is another's turn."""
        self.look()
        if self._others_first():
            self._rest(listener, PAUSE)
            return
        if self.open_now() >= self._room.most and not self._make_room():
            self._rest(listener, FULL)
            return
        self._take(listener)

    def _take(self, listener: socket.socket) -> bool:
        """Take the next connection; say whether there was one."""
        try:
            connection, _ = listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return False  # another process was quicker, or whoever came has left
        except OSError as error:
            if error.errno not in EXHAUSTED:
                raise
            _log.error("connections.exhausted", reason=error.strerror)
            self._rest(listener, RELIEF)
            return False
        connection.settimeout(0)
        task = asyncio.get_running_loop().create_task(self._welcome(connection))
        self._welcomes.add(task)
        task.add_done_callback(self._welcomes.discard)
        return True

    def open_now(self) -> int:
        """Return how many connections it has, with those that it is about to have."""
        return self._room.taken() + len(self._welcomes)

    def _make_room(self) -> bool:
        """Say now and then that it is full; return whether there is room for one more now."""
        now = asyncio.get_running_loop().time()
        if now - self._full_since > TOLD:
            self._full_since = now
            _log.warning("connections.full", most=self._room.most)
        return self._room.make()

    def _others_first(self) -> bool:
        now = asyncio.get_running_loop().time()
        if not self._share.others_first(now):
            return False
        if now - self._deferred_at > PATIENCE:
            self._deferring_since = now  # what we waited for then has been taken long since
        self._deferred_at = now
        if now - self._deferring_since < PATIENCE:
            return True
        self._deferring_since = now
        return False

    def _rest(self, listener: socket.socket, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(listener)
        loop.call_later(seconds, self._watch, listener)

    async def _welcome(self, connection: socket.socket) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(self._protocol, connection)
        except OSError:
            connection.close()  # it was gone before we looked
