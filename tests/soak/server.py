"""The broker that is hurt: its listening socket is held here, as systemd holds it."""

import asyncio
import signal
import socket
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import psutil

from tests.running import START_SECONDS, STOP_SECONDS, NotReady, RunningBroker

WORKERS = 2
FOLLOWED = 30.0  # seconds in which a worker that died has a successor
OVER = 110.0  # seconds in which a reload is done and whoever served before has ended
LOOK = 0.1


class Server(RunningBroker):
    """A broker of two workers, on a socket that stays while servers end and begin.

    Args:
        folder: an empty directory for its data and its log.
        settings: ``BROKER_…`` variables.
        held: the socket.
    """

    def __init__(self, folder: Path, settings: dict[str, str], held: socket.socket) -> None:
        super().__init__(folder, settings, handed=held)

    async def settled(self, seconds: float = FOLLOWED) -> set[psutil.Process]:
        """Return the workers as soon as there are as many as there should be.

        Raises:
            TimeoutError: there are not in time.
        """
        async with asyncio.timeout(seconds):
            while len(found := self.workers()) != WORKERS:
                await asyncio.sleep(LOOK)
            return set(found)

    async def replaced(self, former: set[psutil.Process], seconds: float = FOLLOWED) -> None:
        """Wait until none of these is among the workers, and there are as many as there should be.

        Raises:
            TimeoutError: it is not so in time.
        """
        async with asyncio.timeout(seconds):
            while former & await self.settled(seconds):
                await asyncio.sleep(LOOK)

    async def reload(self) -> Callable[[], Awaitable[None]]:
        """Ask it to replace its workers; returns what waits until that is over, done or not."""
        begun = self.log.stat().st_size
        psutil.Process(self.pid).send_signal(signal.SIGHUP)

        async def over() -> None:
            async with asyncio.timeout(OVER):
                while not any(one in self._said(begun) for one in ("reload.done", "reload.failed")):
                    await asyncio.sleep(LOOK)

        return over

    def kill_first(self) -> set[psutil.Process]:
        """Kill the process that was started, alone; returns those that it leaves behind."""
        left = set(self.workers())
        psutil.Process(self.pid).kill()
        self._left |= left
        self._reap()
        return left

    def succeed(self) -> None:
        """Start another server on the same socket; when it serves, end the former in order.

        Raises:
            NotReady: the other one ended at its start, or took too long.
        """
        former, begun = self._process, self.log.stat().st_size
        assert former is not None
        self._left |= set(self._family())
        self.launch()
        until = time.monotonic() + START_SECONDS
        # Requests tell nothing: the former answers as well.
        while " listens on http" not in self._said(begun):
            if self._process is None or self._process.poll() is not None:
                raise NotReady(self.tail())
            if time.monotonic() > until:
                raise NotReady(f"it took longer than {START_SECONDS:.0f} s\n{self.tail()}")
            time.sleep(LOOK)
        former.terminate()
        former.wait(2 * STOP_SECONDS)

    def _said(self, begun: int) -> str:
        """What was logged from that byte on."""
        with self.log.open("rb") as log:
            log.seek(begun)
            return log.read().decode("utf-8", "replace")
