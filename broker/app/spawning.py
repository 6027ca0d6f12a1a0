"""Where processes that serve come from: a loaded one forks them, or each is started anew.

A template is a process of its own, which has loaded program and settings, holds no connection, and
waits. What it forks serves within a moment, and has most of its memory in common with the others.
Where nothing can be forked (not on Linux, or something runs a thread in the template), each process
loads everything by itself. ``multiprocessing`` has such a template as well, but one for the life of
a server: a reload would go on with the former program.
"""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Protocol

from broker.app import forking, signals
from broker.app.handover import MODULE, Handover, heard
from broker.app.problems import Problem, Refused
from broker.log import structlog

START: Final = 60.0  # seconds that a process has to get ready
FORK: Final = 10.0  # seconds that a template has for one

_log = structlog.get_logger("broker.server")

Variables = Callable[[], Mapping[str, str]]


class NotStarted(Exception):
    """A process that was started does not serve; the text says why."""


class Unfit(NotStarted):
    """It does not serve with these settings.

    Args:
        problems: every reason.
    """

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems: Final = problems


class Process(Protocol):
    """What ``subprocess.Popen`` has."""

    @property
    def pid(self) -> int:
        """Its number."""

    def poll(self) -> int | None:
        """Return its exit code; None while it lives."""

    def terminate(self) -> None:
        """Ask it to end."""

    def kill(self) -> None:
        """End it at once."""


class Source(Protocol):
    """Where processes come from."""

    async def process(self, handover: Handover) -> Process:
        """Return a new process that does as it is handed.

        Raises:
            NotStarted: the machine has no room for it.
        """

    def gone(self) -> bool:
        """Return whether nothing comes of it any more."""

    def close(self) -> None:
        """Have nothing come of it any more; what came of it lives on."""


class Anew:
    """Starts a Python for each process.

    Args:
        variables: further environment variables of theirs.
    """

    def __init__(self, variables: Variables) -> None:
        self._variables = variables

    async def process(self, handover: Handover) -> Process:
        """Return a new process that does as it is handed.

        Raises:
            NotStarted: the machine has no room for it.
        """
        return started(handover, self._variables)

    def gone(self) -> bool:
        """Return whether nothing comes of it any more."""
        return False

    def close(self) -> None:
        """Have nothing come of it any more."""


class Template:
    """A process that is loaded, and forks others.

    Args:
        line: our end of its line.
        process: the process itself.
    """

    def __init__(self, line: socket.socket, process: "subprocess.Popen[bytes]") -> None:
        self._line = line
        self._process = process

    async def loaded(self) -> bool:
        """Wait until it is ready; return whether it can fork.

        Raises:
            NotStarted: it ended before that, or takes longer.
        """
        try:
            return bool((await self._answer(START))["forks"])
        except BaseException:
            self.close()
            raise

    async def process(self, handover: Handover) -> Process:
        """Have it fork a process that does as it is handed; a child of this one, like itself.

        Raises:
            NotStarted: it has ended, does not answer, or the machine has no room for another.
        """
        try:
            socket.send_fds(self._line, [handover.written().encode()], handover.files)
            answer = await self._answer(FORK)
        except (OSError, NotStarted) as error:
            self.close()
            raise NotStarted(f"the template forks no process: {error}") from None
        if "pid" not in answer:
            raise NotStarted(f"the machine does not start a process: {answer.get('failed')}")
        return forking.Forked(answer["pid"])

    async def _answer(self, seconds: float) -> dict[str, Any]:
        try:
            return await asyncio.wait_for(told(self._line, self._process), seconds)
        except TimeoutError:
            raise NotStarted(f"it was not ready within {seconds:.0f} s") from None

    def gone(self) -> bool:
        """Return whether nothing comes of it any more."""
        return self._process.poll() is not None

    def close(self) -> None:
        """End it; it has nothing to lose."""
        self._line.close()
        self._process.kill()
        self._process.wait()


async def loaded(handover: Handover, variables: Variables) -> Source:
    """Load program and settings as they are now; return where processes come from that serve so.

    Args:
        handover: what a template gets, but for its line.
        variables: further environment variables.

    Raises:
        NotStarted: the settings are refused, or the program does not load.
    """
    if not forking.adopts():
        return Anew(variables)
    ours, theirs = lines()
    with theirs:
        process = started(replace(handover, template=True, line=theirs.fileno()), variables)
    template = Template(ours, process)
    if await template.loaded():
        return template
    _log.warning("workers.not_forked", reason="something runs a thread where they would be")
    template.close()
    return Anew(variables)


def lines() -> tuple[socket.socket, socket.socket]:
    """Return both ends of a line: ours, for the loop, and that of a process.

    Raises:
        NotStarted: the machine has no room for it.
    """
    try:
        ours, theirs = socket.socketpair()
    except OSError as error:
        raise NotStarted(f"the machine has no line for a process: {error}") from None
    ours.settimeout(0)
    return ours, theirs


def started(handover: Handover, variables: Variables) -> "subprocess.Popen[bytes]":
    """Start a process with a Python of its own.

    Raises:
        NotStarted: the machine has no room for it.
    """
    try:
        with signals.kept_from_children():
            return subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, *_options(), "-m", MODULE, handover.written()],
                env={**os.environ, **variables()},
                pass_fds=handover.files,
                stdin=subprocess.DEVNULL,
            )
    except (OSError, Refused) as error:  # the latter: no directory for its metrics
        raise NotStarted(f"the machine does not start a process: {error}") from None


def _options() -> list[str]:
    """Return options with which Python looks for modules where this process does.

    ``-m`` puts the working directory first unless told not to, and files there may be anybody's.
    """
    return [] if str(Path.cwd()) in sys.path or "" in sys.path else ["-P"]


async def told(line: socket.socket, process: Process) -> dict[str, Any]:
    """Return what a process tells next.

    Raises:
        Unfit: it refuses its settings.
        NotStarted: it ended before it told anything.
    """
    answer = await heard(line)
    if answer and "refused" not in answer:
        return answer
    while process.poll() is None:  # noqa: ASYNC110 - its line is closed: it ends now
        await asyncio.sleep(0.02)
    if answer:
        raise Unfit(*(Problem(*one) for one in answer["refused"]))
    raise NotStarted(how(process.poll()))


def how(code: int | None) -> str:
    """Return how a process ended, in words."""
    if code is not None and code < 0:
        return f"it was ended by signal {-code}"
    return f"it ended with exit code {code}"
