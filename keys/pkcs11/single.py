"""One thread for calls that may block for ever, with a bounded queue before it.

Libraries of devices are not to be called from two threads, nor from an event loop. A call that
never returns costs this thread and nothing else: who waits for it is told in time, who comes
later at once, and the process can still end.
"""

import asyncio
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final, TypeVar

from keys.errors import VaultUnavailable

T = TypeVar("T")

WAITING: Final = 512
"""How many calls may wait: more than a device does within the deadline of a signature."""


class SingleThread:
    """Runs calls one after another on a thread of its own.

    Args:
        name: What the thread is called, and what error messages call its device.
        waiting: How many calls may wait.
    """

    def __init__(self, name: str, waiting: int = WAITING) -> None:
        self._name = name
        self._calls: queue.Queue[tuple[Future[Any], Callable[[], Any], float] | None]
        self._calls = queue.Queue(waiting)
        self._overdue_at: float | None = None
        # A daemon: a call that never returns must not keep the process from ending.
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    async def run(self, call: Callable[[], T], within: float) -> T:
        """Run a call on the thread and return what it returns.

        Args:
            call: What to do.
            within: How long to wait for it, in seconds. What has not begun by then never does.

        Raises:
            VaultUnavailable: It took longer, an earlier call still does, or too many wait.
        """
        future = self.submit(call, within)
        try:
            async with asyncio.timeout(within):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            raise VaultUnavailable(f"{self._name} did not answer within {within:g} s") from None

    def submit(self, call: Callable[[], T], within: float) -> Future[T]:
        """Queue a call; it is overdue when it takes longer than `within` seconds.

        Raises:
            VaultUnavailable: An earlier call is overdue, or too many wait.
        """
        if self.overdue:
            raise VaultUnavailable(f"{self._name} has not answered an earlier call yet")
        future: Future[T] = Future()
        try:
            self._calls.put_nowait((future, call, within))
        except queue.Full:
            raise VaultUnavailable(f"too many calls wait for {self._name}") from None
        return future

    @property
    def overdue(self) -> bool:
        """Whether the call that runs has taken longer than it may."""
        limit = self._overdue_at
        return limit is not None and time.monotonic() > limit

    def stop(self, within: float) -> bool:
        """End the thread after what is queued; return whether it did within so many seconds."""
        try:
            self._calls.put(None, timeout=within)
        except queue.Full:
            return False
        self._thread.join(within)
        return not self._thread.is_alive()

    def _work(self) -> None:
        while (queued := self._calls.get()) is not None:
            future, call, within = queued
            if not future.set_running_or_notify_cancel():
                continue  # nobody waits any more
            self._overdue_at = time.monotonic() + within
            try:
                future.set_result(call())
            except BaseException as error:  # noqa: BLE001 - it is for whoever waits, not for us
                future.set_exception(error)
            finally:
                self._overdue_at = None
            del queued, future, call  # keeps nothing alive while waiting
