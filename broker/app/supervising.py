"""Looking after the processes that serve: starting, replacing, ending them.

::

    SIGTERM           end all; requests under way may finish, and those on the way may come
    SIGINT            the same, without waiting for others; the second time: end at once
    SIGHUP            replace one after the other by new ones, which read program and settings anew

A new process serves before an old one is told to go, and if it cannot, the old one stays: whoever
has a connection or opens one notices nothing. A process that dies or hangs is replaced.

One process alone serves by itself, without any other. Told to replace itself it has another one
serve, and looks after that from then on.
"""

import asyncio
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from broker.app import signals
from broker.app.absence import Absence
from broker.app.children import Child, Nursery
from broker.app.crew import Crew
from broker.app.handover import KEEP_ALIVE
from broker.app.orphans import Orphans
from broker.app.pauses import Pauses, Watch
from broker.app.spawning import START, NotStarted, Source
from broker.log import structlog

if TYPE_CHECKING:  # it loads the HTTP server
    from broker.app.answering import Server

LOOK: Final = 0.2  # seconds between two looks at the processes
STOPPED: Final = 2.0  # seconds between two looks that mean that this process itself did not run
LOOKING: Final = 600.0  # seconds that what comes before serving may take: migrations do

_log = structlog.get_logger("broker.server")


class Supervisor:
    """Looks after the processes of one server.

    Args:
        nursery: starts them.
        handed_over: called when others serve instead of this process.
        patience: seconds that idle connections are kept when all end.
        absence: answers while none serves.
    """

    def __init__(
        self,
        nursery: Nursery,
        handed_over: Callable[[], None],
        patience: float,
        absence: Absence | None = None,
    ) -> None:
        self._nursery = nursery
        self._crew = Crew(nursery)
        self._handed_over = handed_over
        self._patience = patience
        self._here: Server | None = None
        self._serving_here: asyncio.Task[None] | None = None
        self._handed = False
        self._wanted = 0
        self._looked_at = 0.0
        self._looking_since = 0.0
        self._pauses = Pauses()
        self._watch = Watch()
        self._absence = absence or Absence(())
        self._orphans = Orphans()
        self._filling: asyncio.Task[None] | None = None
        self._replacing: asyncio.Task[None] | None = None
        self._replaceable = False
        self._again = False

    async def serve(
        self, workers: int, opened: Callable[[], None], announce: Callable[[], None]
    ) -> None:
        """Serve by so many processes until a signal ends them.

        Args:
            workers: how many.
            opened: called when all is ready for them.
            announce: called when they serve.

        Raises:
            NotStarted: one of the first does not serve, or is not fit to.
        """
        await self._until_told(asyncio.create_task(self._first(workers, opened, announce)))

    async def serve_here(self, server: "Server") -> None:
        """Serve by this process until a signal ends it, or replaces it by others."""
        self._here = server
        self._replaceable = True
        work = asyncio.create_task(self._look_after())
        self._serving_here = asyncio.create_task(self._serve_or_end(server, work))
        await self._until_told(work)
        await self._serving_here

    async def _until_told(self, work: "asyncio.Task[None]") -> None:
        loop = asyncio.get_running_loop()
        with signals.handled(self._signals(work), loop.call_soon_threadsafe):
            try:
                await asyncio.wait({work})
            finally:
                await self._end()
        if not work.cancelled():
            work.result()

    async def _serve_or_end(self, server: "Server", work: "asyncio.Task[None]") -> None:
        try:
            await server.serve()
        finally:
            if not self._handed:
                work.cancel()

    async def _first(
        self, workers: int, opened: Callable[[], None], announce: Callable[[], None]
    ) -> None:
        self._wanted = workers
        await self._looked(await self._nursery.usual_source())
        opened()
        await self._fill()
        for child in self._crew.serving:
            await child.answer(START)
        announce()
        self._replaceable = True
        if self._again:
            self._replace_again()
        await self._look_after()

    async def _look_after(self) -> None:
        while True:
            self._keep_up(asyncio.get_running_loop().time())
            await asyncio.sleep(LOOK)

    def _signals(self, work: "asyncio.Task[None]") -> signals.Handlers:
        with_terminal = signals.ends_with_terminal()

        def interrupt() -> None:
            self._patience = 0.0  # somebody sits there and waits
            if not work.cancel():
                self._hurry()  # the second time

        def replace() -> None:
            if with_terminal and not signals.terminal():
                work.cancel()  # its terminal was closed
            else:
                self._replace_soon()

        return {signal.SIGTERM: work.cancel, signal.SIGINT: interrupt, signal.SIGHUP: replace}

    def _keep_up(self, now: float) -> None:
        """Replace processes that died, and kill those that hang."""
        if now - self._looked_at > STOPPED:
            self._looking_since = now  # so were the others, as likely as not: give them time
        self._looked_at = now
        for child in self._crew.died(now, self._looking_since):
            self._died(child, now)
        missing = len(self._crew.serving) < self._wanted
        if missing and self._pauses.over(now) and not self._fills():
            self._filling = asyncio.create_task(self._fill_again())
        if self._wanted:
            serves = any(child.ready for child in self._crew.everybody())
            self._watch.look(now, serves=serves)
            self._absence.look(now, serves=serves)
        self._orphans.look(now)
        if not self._crew.starts and self._nursery.lost():
            _log.error("template.died")
        self._nursery.living(self._crew.living())

    def _died(self, child: Child, now: float) -> None:
        """Have another take its place: at once where it had served for a while."""
        if not child.ready:
            self._not_started(child.reason, now)
            return
        lived = child.lived(now)
        again_in = self._pauses.after(lived, now)
        told = {"reason": child.reason, "lived": round(lived, 1), "again_in": round(again_in, 1)}
        _log.error("worker.died", pid=child.pid, **told)

    def _not_started(self, reason: str, now: float) -> None:
        again_in = self._pauses.after(0.0, now)
        _log.error("worker.not_started", reason=reason, again_in=round(again_in, 1))

    def _fills(self) -> bool:
        return self._filling is not None and not self._filling.done()

    async def _fill_again(self) -> None:
        try:
            await self._fill()
        except NotStarted as error:
            self._not_started(str(error), self._looked_at)

    async def _fill(self) -> None:
        """Start what is missing."""
        while len(self._crew.serving) < self._wanted:
            self._crew.let_serve(await self._crew.start())
            self._crew.let_go(self._wanted)  # a reload may have filled the place meanwhile

    def _replace_soon(self) -> None:
        if self._replaceable and (self._replacing is None or self._replacing.done()):
            self._replacing = asyncio.create_task(self._replace())
        else:
            self._again = True

    def _replace_again(self) -> None:
        self._again = False
        self._replacing = asyncio.create_task(self._replace())

    async def _replace(self) -> None:
        """Replace all that serve, by as many as the settings want now."""
        try:
            _log.info("reload.begun")
            source = await self._nursery.load()
            try:
                wanted = await self._by(source)
            finally:
                self._nursery.dismiss(source)
            self._wanted = wanted
            self._pauses.forget()
            _log.info("reload.done", pids=[child.pid for child in self._crew.serving])
        except NotStarted as error:
            _log.error("reload.failed", reason=str(error))
        if self._again:
            self._replace_again()

    async def _by(self, source: Source) -> int:
        """Replace all that serve by processes that come from there; return how many they are."""
        wanted = await self._looked(source)
        for _ in range(wanted):
            child = await self._crew.start(source)
            await self._trial(child, START)
            self._nursery.use(source)
            self._take_over(child, wanted)
        return wanted

    async def _looked(self, source: Source) -> int:
        """Have done what comes before serving; return how many processes are wanted."""
        return await self._trial(await self._crew.look(source), LOOKING)

    async def _trial(self, child: Child, seconds: float) -> int:
        try:
            return await child.answer(seconds)
        except NotStarted:
            child.kill()
            raise

    def _take_over(self, child: Child, wanted: int) -> None:
        """Have a new process serve, and the oldest go where there are too many now."""
        self._crew.let_serve(child)
        if self._here is not None and not self._handed:
            self._handed = True
            self._here.end(KEEP_ALIVE)
            self._handed_over()
        self._crew.let_go(wanted)
        self._wanted = len(self._crew.serving)

    async def _end(self) -> None:
        """Tell all to end; kill those that do not."""
        for task in (self._replacing, self._filling):
            if task is not None:
                task.cancel()
        self._absence.close()
        await self._crew.close()
        if self._here is not None:
            self._here.end(self._patience)
        await self._crew.end(at_once=not self._patience, hurry=self._hurry)
        if self._serving_here is not None:
            await asyncio.wait({self._serving_here})

    def _hurry(self) -> None:
        """End at once, whatever is under way."""
        if self._here is not None:
            self._here.force_exit = True
        for child in self._crew.everybody():
            child.kill()
