"""Processes that the server starts, each with a line to it."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from broker.app import signals
from broker.app.handover import END, MODULE, RETIRE, Handover, understood
from broker.app.problems import Refused
from broker.app.shares import HERE, NOWHERE, Table

START: Final = 60.0  # seconds that a worker has to get ready
HANGS: Final = 10.0  # seconds without a look in which a worker counts as alive


Living = Callable[[Collection[int]], None]


class NotStarted(Exception):
    """A process that was started does not serve; the text says why."""


class Child:
    """One process, from its start on.

    Args:
        handover: what it gets; its line is the far end of ours.
        line: our end.
        table: where it tells of itself.
        environment: its environment variables.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(
        self, handover: Handover, line: socket.socket, table: Table, environment: Mapping[str, str]
    ) -> None:
        self._line = line
        self._table = table
        self.seat: Final = handover.seat
        with signals.kept_from_children():
            self._process: Final = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, *_options(), "-m", MODULE, handover.written()],
                env=environment,
                pass_fds=handover.files,
                stdin=subprocess.DEVNULL,
            )
        self._started_at: Final = asyncio.get_running_loop().time()
        self._answer: Final = asyncio.create_task(self._told())
        # Where all end nobody asks any more: no reason to write a traceback.
        self._answer.add_done_callback(lambda told: told.cancelled() or told.exception())

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    @property
    def ready(self) -> bool:
        """Whether it has said that it serves."""
        return self._answer.done() and self._answer.exception() is None

    @property
    def reason(self) -> str:
        """How it ended, or why it refused to serve."""
        error = self._answer.exception() if self._answer.done() else None
        return str(error or _how(self._process.poll()))

    async def answer(self, seconds: float) -> int:
        """Wait until it serves, or has looked; return how many processes its settings want.

        Args:
            seconds: to wait at most.

        Raises:
            NotStarted: it ended before that, or takes longer.
        """
        try:
            return await asyncio.wait_for(asyncio.shield(self._answer), seconds)
        except TimeoutError:
            raise NotStarted(f"it was not ready within {seconds:.0f} s") from None

    async def _told(self) -> int:
        answer: dict[str, Any] = understood(await self._heard())
        if "ready" in answer:
            return int(answer["ready"])
        while self._process.poll() is None:  # noqa: ASYNC110 - its line is closed: it ends now
            await asyncio.sleep(0.02)
        raise NotStarted(answer.get("refused") or _how(self._process.poll()))

    async def _heard(self) -> bytes:
        """Return what it says first; less than a line where it ended before."""
        said, loop = b"", asyncio.get_running_loop()
        with suppress(ConnectionError):
            while not said.endswith(b"\n") and (more := await loop.sock_recv(self._line, 65536)):
                said += more
        return said

    def hangs(self, now: float, since: float) -> bool:
        """Return whether it has not looked around for long, or takes too long to start.

        Args:
            now: seconds of the loop's clock.
            since: since when that is watched; nothing before counts.
        """
        if not self._answer.done():
            return now > max(since, self._started_at) + START
        looked = self._table.looked(self.seat)
        return looked > 0 and max(since, looked) < now - HANGS

    def gone(self) -> bool:
        """Return whether it has ended; what it held is given back then."""
        if self._process.poll() is None or not self._answer.done():
            return False
        self._line.close()
        self._table.share(self.seat).leave()
        return True

    def retire(self) -> None:
        """Tell it that others have taken over."""
        self._say(RETIRE)

    def end(self) -> None:
        """Tell it to end; at once where it serves nobody yet."""
        self._say(END)
        if self.seat != NOWHERE and not self.ready:
            self._process.terminate()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._table.share(self.seat).leave()  # it hangs no more, and nobody waits for it

    def _say(self, word: bytes) -> None:
        with suppress(OSError):  # it is gone, or about to be
            self._line.send(word)


class Nursery:
    """Starts processes.

    Args:
        listeners: the sockets that they serve; the server's own.
        table: where they tell of themselves.
        patience: seconds they keep idle connections when they are told to end.
        fixed: settings that only a restart changes.
        variables: further environment variables of theirs.
        living: told now and then which processes serve, by their numbers.
    """

    def __init__(
        self,
        listeners: Sequence[socket.socket],
        table: Table,
        *,
        patience: float,
        fixed: Mapping[str, str],
        variables: Callable[[], Mapping[str, str]],
        living: Living,
    ) -> None:
        self._listeners = tuple(listeners)
        self._table = table
        self._patience = patience
        self._fixed = fixed
        self._variables = variables
        self.living: Final = living

    def start(self, taken: Collection[int]) -> Child:
        """Start a process that serves.

        Args:
            taken: the seats of those that live.

        Raises:
            NotStarted: too many live, or the machine has no room for another.
        """
        seat = next((seat for seat in range(HERE) if seat not in taken), None)
        if seat is None:
            raise NotStarted("too many former processes have not ended yet")
        return self._start(seat, tuple(listener.fileno() for listener in self._listeners))

    def look(self) -> Child:
        """Start a process that looks whether the settings are fit, and does what comes first.

        Raises:
            NotStarted: the machine has no room for it.
        """
        return self._start(NOWHERE, ())

    def close(self) -> None:
        """Hold the sockets no longer: as long as we did, people would be let in by nobody."""
        for listener in self._listeners:
            listener.close()

    def _start(self, seat: int, listeners: tuple[int, ...]) -> Child:
        try:
            ours, theirs = socket.socketpair()
            with theirs:
                handover = Handover(
                    line=theirs.fileno(),
                    listeners=listeners,
                    table=self._table.number,
                    seat=seat,
                    patience=self._patience,
                    fixed=self._fixed,
                )
                ours.settimeout(0)
                return Child(handover, ours, self._table, {**os.environ, **self._variables()})
        except (OSError, Refused) as error:  # the latter: no directory for its metrics
            raise NotStarted(f"the machine does not start a process: {error}") from None


def _options() -> list[str]:
    """Return options with which Python looks for modules where this process does.

    ``-m`` puts the working directory first unless told not to, and files there may be anybody's.
    """
    return [] if str(Path.cwd()) in sys.path or "" in sys.path else ["-P"]


def _how(code: int | None) -> str:
    if code is not None and code < 0:
        return f"it was ended by signal {-code}"
    return f"it ended with exit code {code}"
