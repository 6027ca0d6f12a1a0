"""How long things may take: one timer looks at all that are under way, instead of one each."""

import asyncio
from collections.abc import Awaitable
from typing import Any, Final, TypeVar, cast

SHARE: Final = 0.05  # of the time they have: how late one may be given up at most

Result = TypeVar("Result")


class TookTooLong(TimeoutError):
    """The time was over."""


class Deadline:
    """Gives up what takes too long.

    All have the same time, so whoever began first is due first; the timer runs only while somebody
    is under way.

    Args:
        seconds: that each has.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._due: dict[asyncio.Task[Any], float] = {}  # in the order in which they began
        self._given_up: set[asyncio.Task[Any]] = set()
        self._watched: asyncio.AbstractEventLoop | None = None  # whose timer runs

    async def within(self, work: Awaitable[Result]) -> Result:
        """Wait for work; a task waits for one at a time.

        Raises:
            TookTooLong: it was cancelled, because the time was over.
        """
        loop = asyncio.get_running_loop()
        task = cast("asyncio.Task[Any]", asyncio.current_task(loop))  # a task awaits this
        cancelled = task.cancelling()  # by whom else: such a task may still tidy up in time
        due = loop.time() + self._seconds
        if self._watched is not loop:
            self._watched, self._due = loop, {}  # of a loop that was closed nobody is left
            loop.call_later(self._seconds, self._look, loop)
        self._due[task] = due
        try:
            return await work
        except asyncio.CancelledError:
            # As asyncio.timeout does: who else cancels the task is heard.
            if self._over(task, cancelled):
                raise TookTooLong from None
            raise
        finally:
            self._due.pop(task, None)
            if self._given_up:
                self._over(task, cancelled)

    def _over(self, task: asyncio.Task[Any], cancelled: int) -> bool:
        """Take our cancelling back; return whether it was ours, and nobody else's too."""
        if task not in self._given_up:
            return False
        self._given_up.discard(task)
        return task.uncancel() <= cancelled

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for task, due in list(self._due.items()):
            if due > now:  # and whoever began later is due later
                loop.call_later(max(due - now, self._seconds * SHARE), self._look, loop)
                return
            del self._due[task]
            self._given_up.add(task)
            task.cancel()
        self._watched = None
