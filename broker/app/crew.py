"""The processes of one server, by what they are about to do: come, serve, leave."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

from broker.app.children import Child, Nursery
from broker.app.handover import GRACE, KEEP_ALIVE
from broker.app.spawning import Source
from broker.log import structlog

END: Final = GRACE + 10.0  # seconds until one that was told to end is killed

_log = structlog.get_logger("broker.server")


class Crew:
    """Knows them; each is in one place.

    Args:
        nursery: starts them.

    Attributes:
        serving: those that are to serve, the oldest first.
    """

    def __init__(self, nursery: Nursery) -> None:
        self._nursery = nursery
        self.serving: list[Child] = []
        self._coming: set[Child] = set()
        self._leaving: dict[Child, float] = {}  # and when at the latest
        self._one_at_a_time = asyncio.Lock()

    def everybody(self) -> list[Child]:
        """Return all that live, as far as is known."""
        return [*self.serving, *self._coming, *self._leaving]

    def living(self) -> list[int]:
        """Return the numbers of those that stay, or are about to."""
        return [child.pid for child in (*self.serving, *self._coming)]

    @property
    def starts(self) -> bool:
        """Whether one is being started this moment."""
        return self._one_at_a_time.locked()

    async def start(self, source: Source | None = None) -> Child:
        """Start one that is to serve.

        Args:
            source: where it comes from; as usual unless given.

        Raises:
            NotStarted: as ``Nursery`` says.
        """
        found = source or await self._nursery.usual_source()
        return await self._begun(lambda: self._nursery.start(found, self._seats()))

    async def look(self, source: Source) -> Child:
        """Start one that looks, and does what comes before serving.

        Raises:
            NotStarted: as ``Nursery`` says.
        """
        return await self._begun(lambda: self._nursery.look(source))

    async def _begun(self, start: Callable[[], Awaitable[Child]]) -> Child:
        """Return a new process; one that is about to be there is ours, even where all end now."""

        async def begin() -> Child:
            async with self._one_at_a_time:  # none takes a seat that another is about to take
                child = await start()
                self._coming.add(child)
                return child

        return await asyncio.shield(begin())

    def _seats(self) -> set[int]:
        return {child.seat for child in self.everybody()}

    def let_serve(self, child: Child) -> None:
        """Have one that came serve."""
        self._coming.discard(child)
        self.serving.append(child)

    def let_go(self, wanted: int) -> None:
        """Have the oldest go where there are more than so many."""
        while len(self.serving) > wanted:
            old = self.serving.pop(0)
            old.retire()
            self._leaving[old] = asyncio.get_running_loop().time() + KEEP_ALIVE + END

    def died(self, now: float, since: float) -> Iterator[Child]:
        """Forget those that have ended; kill those that hang, or take too long to leave.

        Args:
            now: seconds of the loop's clock.
            since: since when it is watched whether they hang.

        Yields:
            Those that were to serve.
        """
        self._coming = {child for child in self._coming if not child.gone()}
        self._leaving = {child: end for child, end in self._leaving.items() if not child.gone()}
        for child, end in self._leaving.items():
            if now > end:
                child.kill()
        for child in list(self.serving):
            if child.hangs(now, since):
                _log.error("worker.hangs", pid=child.pid)
                child.kill()
            if child.gone():
                self.serving.remove(child)
                yield child

    async def close(self) -> None:
        """Start no more, and hold no sockets for them."""
        async with self._one_at_a_time:
            self._nursery.close()

    async def end(self, *, at_once: bool, hurry: Callable[[], None]) -> None:
        """Tell all to end, and wait until they have.

        Args:
            at_once: whether idle connections are closed at once.
            hurry: called again and again where they take too long.
        """
        children = set(self.everybody())
        for child in children:
            child.end(at_once=at_once)
        until = asyncio.get_running_loop().time() + END
        while children := {child for child in children if not child.gone()}:
            if asyncio.get_running_loop().time() > until:
                hurry()
            await asyncio.sleep(0.05)
