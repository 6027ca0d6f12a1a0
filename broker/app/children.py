"""Processes that the server starts, each with a line to it."""

import asyncio
import socket
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import Final

from broker.app.handover import END, NOW, RETIRE, Handover
from broker.app.shares import HERE, NOWHERE, Table
from broker.app.spawning import (
    START,
    NotStarted,
    Process,
    Source,
    Variables,
    how,
    lines,
    loaded,
    told,
)

HANGS: Final = 10.0  # seconds without a look in which a worker counts as alive

Living = Callable[[Collection[int]], None]


class Child:
    """One process, from its start on.

    Args:
        handover: what it gets; its line is the far end of ours.
        line: our end.
        table: where it tells of itself.
        process: it.
    """

    def __init__(
        self, handover: Handover, line: socket.socket, table: Table, process: Process
    ) -> None:
        self._line = line
        self._table = table
        self._process = process
        self.seat: Final = handover.seat
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
        return str(error or how(self._process.poll()))

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
        return int((await told(self._line, self._process))["ready"])

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

    def lived(self, now: float) -> float:
        """Return how many seconds ago it was started.

        Args:
            now: seconds of the loop's clock.
        """
        return now - self._started_at

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

    def end(self, *, at_once: bool) -> None:
        """Tell it to end.

        Args:
            at_once: whether idle connections are closed at once. It ends so, anyhow, where it
                serves nobody yet.
        """
        self._say(NOW if at_once else END)
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
    """Has processes started.

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
        variables: Variables,
        living: Living,
    ) -> None:
        self._listeners = tuple(listeners)
        self._table = table
        self._patience = patience
        self._fixed = fixed
        self._variables = variables
        self._source: Source | None = None
        self.living: Final = living

    async def load(self) -> Source:
        """Load program and settings as they are now; return where processes come from that do.

        Raises:
            NotStarted: the settings are refused, or the program does not load.
        """
        return await loaded(self._handover(NOWHERE), self._variables)

    def use(self, source: Source) -> None:
        """Have processes come from there from now on, and none from where they did."""
        if self._source is not None and self._source is not source:
            self._source.close()
        self._source = source

    def dismiss(self, source: Source) -> None:
        """Have no process come from there, unless all do by now."""
        if source is not self._source:
            source.close()

    def lost(self) -> bool:
        """Return whether that from which processes come has died; the next one loads it anew."""
        if self._source is None or not self._source.gone():
            return False
        self._source.close()
        self._source = None
        return True

    async def usual_source(self) -> Source:
        """Return where processes come from; loaded where there is nothing.

        Raises:
            NotStarted: as with `load`.
        """
        if self._source is None or self.lost():
            self.use(source := await self.load())
            return source
        return self._source

    async def start(self, source: Source, taken: Collection[int]) -> Child:
        """Start a process that serves.

        Args:
            source: where it comes from.
            taken: the seats of those that live.

        Raises:
            NotStarted: too many live, or the machine has no room for another.
        """
        seat = next((seat for seat in range(HERE) if seat not in taken), None)
        if seat is None:
            raise NotStarted("too many former processes have not ended yet")
        listeners = tuple(listener.fileno() for listener in self._listeners)
        return await self._start(source, self._handover(seat, listeners))

    async def look(self, source: Source) -> Child:
        """Start a process that looks whether the settings are fit, and does what comes first.

        Raises:
            NotStarted: the machine has no room for it.
        """
        return await self._start(source, self._handover(NOWHERE))

    def close(self) -> None:
        """Hold the sockets no longer: as long as we did, people would be let in by nobody."""
        for listener in self._listeners:
            listener.close()
        if self._source is not None:
            self._source.close()

    def _handover(self, seat: int, listeners: tuple[int, ...] = ()) -> Handover:
        return Handover(
            template=False,
            line=-1,
            listeners=listeners,
            table=self._table.number,
            seat=seat,
            patience=self._patience,
            fixed=self._fixed,
        )

    async def _start(self, source: Source, handover: Handover) -> Child:
        with ExitStack() as stack:
            ours, theirs = (stack.enter_context(end) for end in lines())
            process = await source.process(replace(handover, line=theirs.fileno()))
            theirs.close()
            stack.pop_all()
        return Child(handover, ours, self._table, process)
