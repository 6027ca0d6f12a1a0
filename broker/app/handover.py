"""What the server hands to the processes that it starts, and what they say to each other.

A process that is started reads the program and the settings as they are then. Most are templates:
loaded with all that serving needs, they fork those that serve. Each is handed the open files it
needs, and a line, over which it and the server hear at once when the other is gone.
"""

import asyncio
import json
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

from broker.app.problems import Problem, Refused
from broker.app.settings import Settings
from broker.app.sources import variable

MODULE: Final = "broker.app.worker"
RETIRE: Final = b"retire\n"  # others have taken over: part with the clients at leisure
END: Final = b"end\n"
NOW: Final = b"now\n"  # the same, without waiting for clients that ask nothing
GRACE: Final = 10  # seconds that requests under way have to finish
KEEP_ALIVE: Final = 65  # seconds a connection may be idle
PARTING: Final = 1.0  # seconds that connections have to say whether another request is on the way
FIXED: Final = ("host", "port", "data_dir", "metrics_address")  # of the server, not of a worker


@dataclass(frozen=True, slots=True)
class Handover:
    """Open files by number, and what the server stands on.

    Attributes:
        template: whether the process is to fork others instead.
        line: a socket to the server.
        listeners: listening sockets; none where the process is only to look whether it could serve.
        table: memory that all see, of ``broker.app.shares``.
        seat: this process' place in it.
        patience: seconds that idle connections are kept when the process is told to end.
        fixed: settings that only a restart changes, as the server has them.
    """

    template: bool
    line: int
    listeners: tuple[int, ...]
    table: int
    seat: int
    patience: float
    fixed: Mapping[str, str]

    @property
    def files(self) -> tuple[int, ...]:
        """The files to hand over."""
        return (self.line, self.table, *self.listeners)

    def written(self) -> str:
        """Return it as a word of a command line."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def read(cls, text: str | bytes, files: Sequence[int] = ()) -> Self:
        """Return what `written` made.

        Args:
            text: what it made.
            files: the numbers of `files`, where they are others here.
        """
        given = json.loads(text)
        line, table, *listeners = files or (given["line"], given["table"], *given["listeners"])
        return cls(**given | {"line": line, "table": table, "listeners": tuple(listeners)})

    def check(self, settings: Settings) -> None:
        """Check that settings fit the server that runs.

        Raises:
            Refused: one that only a restart changes is another now.
        """
        reason = "is not what the server was started with; restart it to change that"
        changed = [name for name, text in fixed(settings).items() if self.fixed[name] != text]
        if changed:
            raise Refused(*(Problem(variable(name), reason) for name in changed))


def fixed(settings: Settings) -> dict[str, str]:
    """Return the settings that only a restart changes."""
    return {name: str(getattr(settings, name)) for name in FIXED}


def say(line: socket.socket, **said: Any) -> None:
    """Tell the server something: ``ready`` (how many processes are wanted) or ``refused`` (what).

    A template tells whether it ``forks``; then the ``pid`` of each process, or how one ``failed``.
    """
    with suppress(OSError):  # it is gone, which is noticed elsewhere
        line.sendall(json.dumps(said).encode() + b"\n")


async def heard(line: socket.socket) -> dict[str, Any]:
    """Return what a process says next, nothing where it ended before it had."""
    said, loop = b"", asyncio.get_running_loop()
    with suppress(ConnectionError):
        while not said.endswith(b"\n") and (more := await loop.sock_recv(line, 65536)):
            said += more
    found: dict[str, Any] = json.loads(said) if said.endswith(b"\n") else {}
    return found
