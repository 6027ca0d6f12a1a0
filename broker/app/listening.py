"""The sockets that people connect to: opened here, or handed over by whoever started this process.

systemd and others open sockets themselves and hand them over (``LISTEN_FDS``, sd_listen_fds(3)).
They stay open while one server ends and the next begins, so nobody is refused in between.
"""

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final

from broker.app.occupants import occupant
from broker.app.problems import Problem, Refused
from broker.app.settings import Settings
from broker.app.sources import variable

BACKLOG: Final = 2048
FIRST: Final = 3  # the number of the first file handed over
COUNT: Final = "LISTEN_FDS"
MEANT_FOR: Final = "LISTEN_PID"
NAMES: Final = "LISTEN_FDNAMES"


@dataclass(frozen=True, slots=True)
class Doors:
    """Bound sockets.

    Attributes:
        sockets: one or more.
    """

    sockets: tuple[socket.socket, ...]

    def open(self) -> None:
        """Listen: from now on whoever comes waits for somebody who serves.

        Two servers can bind one address as long as neither listens; the second to listen fails.

        Raises:
            Refused: another listens there.
        """
        for one in self.sockets:
            try:
                one.listen(BACKLOG)
            except OSError as error:
                host, port = one.getsockname()[:2]
                raise _refused(host, port, error) from None

    def __str__(self) -> str:
        return ", ".join(_address(one) for one in self.sockets)


@contextmanager
def listening(settings: Settings) -> Iterator[Doors]:
    """Open the listening socket, or take those that were handed over.

    Raises:
        Refused: the address cannot be listened on, or what was handed over is no such socket.
    """
    with ExitStack() as stack:
        handed = tuple(stack.enter_context(one) for one in _handed())
        yield Doors(handed or (stack.enter_context(_opened(settings)),))


def _handed() -> list[socket.socket]:
    """Take the sockets that are meant for this process."""
    count, meant_for = os.environ.pop(COUNT, ""), os.environ.pop(MEANT_FOR, "")
    os.environ.pop(NAMES, None)
    if meant_for != str(os.getpid()) or not count.isdigit():
        return []
    return [_taken(number) for number in range(FIRST, FIRST + int(count))]


def _taken(number: int) -> socket.socket:
    try:
        os.set_inheritable(number, False)  # noqa: FBT003
        found = socket.socket(fileno=number)
        inet = found.family in {socket.AF_INET, socket.AF_INET6}
        if inet and found.type == socket.SOCK_STREAM:
            return found
    except OSError:
        pass
    raise Refused(Problem(COUNT, f"file {number} is no TCP socket"))


def _opened(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with ExitStack() as stack:
        try:
            found = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            found.bind((settings.host, settings.port))
        except OSError as error:
            raise _refused(settings.host, settings.port, error) from None
        stack.pop_all()
    return found


def _refused(host: str, port: int, error: OSError) -> Refused:
    reason = f"cannot listen on {host} port {port}: {error.strerror}"
    if error.errno == errno.EADDRINUSE and (who := occupant(port)):
        reason += f", by {who}"
    return Refused(Problem(variable("port"), reason))


def _address(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
