"""What is done to the processes of the broker, and what must mend itself afterwards."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from random import Random

import psutil

from tests.soak.history import History, Outcome, Record, What
from tests.soak.server import FOLLOWED, OVER, Server

Fault = Callable[[], Awaitable[None]]

CALM = 30.0  # seconds in which nobody meets a failure any more once nothing is hurt
QUIET = 2.0  # seconds without a failure, after which what was done before is over
NOTICED = 1.0  # seconds after which nobody holds a connection to a process that was killed any more
HUNG = 60.0  # seconds in which a process that hangs has a successor


@dataclass
class Processes:
    """The server and its workers.

    Attributes:
        broker: all of them.
        history: where it is written what no client may notice.
        random: what is done is drawn from it.
    """

    broker: Server
    history: History
    random: Random

    def faults(self) -> dict[str, Fault]:
        """Each fault by its name."""
        return {
            "reload": self.reload,
            "kill a process in a reload": self.kill_in_reload,
            "kill a worker": self.kill_worker,
            "hang a worker": self.hang_worker,
            "hang a worker for good": self.hang_for_good,
            "kill the first process": self.kill_first,
            "kill the server": self.kill_server,
            "restart in order": self.restart,
            "replace the server": self.replace,
        }

    async def reload(self) -> None:
        """Have the workers replaced when nothing else is the matter: no request may notice."""
        began = await self._quiet()
        former = await self.broker.settled()
        await self.broker.reload()
        await self._mended("workers that were to be replaced", former, OVER)
        self._unnoticed("a reload", began)

    async def kill_in_reload(self) -> None:
        """Kill one of those that serve, come or go while the workers are replaced."""
        await self.broker.settled()
        over = await self.broker.reload()
        await asyncio.sleep(self.random.uniform(0, 4))
        victim = self.random.choice(self.broker.workers())
        with suppress(psutil.NoSuchProcess):
            victim.kill()
        with suppress(TimeoutError):
            await over()
        await self._mended("a process that was killed in a reload", {victim}, OVER)

    async def kill_worker(self) -> None:
        """Kill one of two: whoever asks a moment later is served by the other."""
        await self._quiet()
        victim = self.random.choice(self.broker.workers())
        victim.kill()
        began = time.time() + NOTICED
        await self._mended("a worker that was killed", {victim})
        await asyncio.sleep(self.random.uniform(1, 4))
        self._unnoticed("a worker killed a moment before", began)

    async def hang_worker(self) -> None:
        """Have a worker hang for a while."""
        with suppress(psutil.NoSuchProcess):
            worker = self.random.choice(self.broker.workers())
            worker.suspend()
            await asyncio.sleep(self.random.uniform(0.5, 3))
            worker.resume()

    async def hang_for_good(self) -> None:
        """Have a worker hang until another has its place."""
        victim = self.random.choice(list(await self.broker.settled()))
        victim.suspend()
        await self._mended("a worker that hangs", {victim}, HUNG)

    async def kill_first(self) -> None:
        """Kill the process that was started, alone: its workers end with it."""
        left = self.broker.kill_first()
        _, alive = await asyncio.to_thread(psutil.wait_procs, left, FOLLOWED)
        if alive:
            self._note(What.MENDED, Outcome.WRONG, "workers outlive the server", time.time())
        await asyncio.to_thread(self.broker.restart)

    async def kill_server(self) -> None:
        """Kill all of them, and start anew."""
        await asyncio.to_thread(self.broker.kill9)
        await asyncio.to_thread(self.broker.restart)

    async def restart(self) -> None:
        """End all of them in order, and start anew."""
        await asyncio.to_thread(self.broker.restart)

    async def replace(self) -> None:
        """Have another server serve beside this one, then end this one in order."""
        await asyncio.to_thread(self.broker.succeed)

    async def _quiet(self) -> float:
        """Wait until nobody has met a failure for a while; returns since when."""
        began = time.time()
        while (now := time.time()) < began + CALM:
            since = max((one.ended for one in self._failures(now)), default=0.0)
            if max(began, since) < now - QUIET:
                return now - QUIET
            await asyncio.sleep(0.1)
        self._note(What.MENDED, Outcome.WRONG, f"failures {CALM:.0f} s after the last fault", began)
        return time.time()

    def _failures(self, now: float) -> Iterator[Record]:
        for one in reversed(self.history.records):
            if one.ended < now - 2 * QUIET:
                return
            if one.outcome is Outcome.UNKNOWN:
                yield one

    async def _mended(
        self, what: str, former: set[psutil.Process], seconds: float = FOLLOWED
    ) -> None:
        began = time.time()
        try:
            await self.broker.replaced(former, seconds)
        except TimeoutError:
            self._note(What.MENDED, Outcome.WRONG, f"{what}: no successor in time", began)
        else:
            self._note(What.MENDED, Outcome.OK, what, began)

    def _unnoticed(self, what: str, began: float) -> None:
        self._note(What.UNNOTICED, Outcome.OK, what, began)

    def _note(self, what: What, outcome: Outcome, said: str, began: float) -> None:
        self.history.add(Record(what, outcome, began, time.time(), said=said))
