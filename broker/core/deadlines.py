"""How long things may take: one timer looks at all that are under way, instead of one each.

A process may stand still: it was stopped, its machine was, or others had the processor. When it
goes on, what was awaited has often arrived long ago and was not read yet; and the time is over.
"""

import asyncio
from collections.abc import Awaitable
from time import thread_time
from typing import Any, Final, TypeVar, cast

SHARE: Final = 0.05  # of the time they have: how late one may be given up at most
LOOK: Final = 0.2  # of it: after which the timer looks again, be anything due or not
TURN: Final = 0.2  # of it: what is left at least of anybody's when a process goes on, once
STOOD: Final = 0.2  # seconds that a timer comes too late without work to blame it on

Result = TypeVar("Result")


class TookTooLong(TimeoutError):
    """The time was over."""


class Deadline:
    """Gives up what takes too long.

    All have the same time, so whoever began first is due first; the timer runs only while somebody
    is under way. Time in which the process stood still is nobody's: each is due later by as much,
    and the first time after ``TURN`` of the time at the soonest. What the event loop's own work
    takes counts, or a busy process would give up nothing.

    Args:
        seconds: that each has.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._due: dict[asyncio.Task[Any], float] = {}  # in the order in which they began
        self._given_up: set[asyncio.Task[Any]] = set()
        self._turned: set[asyncio.Task[Any]] = set()  # who has had a turn
        self._watched: asyncio.AbstractEventLoop | None = None  # whose timer runs
        self._next = 0.0  # when the timer is to look
        self._worked = 0.0  # seconds that the loop's thread had worked when the timer was set

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
            self._look_later(loop, self._seconds * LOOK)
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
            if self._turned:
                self._turned.discard(task)
            if self._given_up:
                self._over(task, cancelled)

    def _over(self, task: asyncio.Task[Any], cancelled: int) -> bool:
        """Take our cancelling back; return whether it was ours, and nobody else's too."""
        if task not in self._given_up:
            return False
        self._given_up.discard(task)
        return task.uncancel() <= cancelled

    def _look_later(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self._next, self._worked = loop.time() + seconds, thread_time()
        loop.call_at(self._next, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        stood = now - self._next - (thread_time() - self._worked)
        if stood > STOOD:
            self._put_off(now, stood)
        for task, due in list(self._due.items()):
            if due > now:  # and whoever began later is due later
                wait = min(due - now, self._seconds * LOOK)
                self._look_later(loop, max(wait, self._seconds * SHARE))
                return
            del self._due[task]
            self._given_up.add(task)
            task.cancel()
        self._watched = None

    def _put_off(self, now: float, stood: float) -> None:
        """Leave each the time it had, a turn at the least, and no more than the whole.

        Where a process stands still again and again, a turn each time would never end.
        """
        turn, most = now + self._seconds * TURN, now + self._seconds
        for task, due in self._due.items():
            later = min(due + stood, most)
            if later < turn and task not in self._turned:
                self._turned.add(task)
                later = turn
            self._due[task] = later
