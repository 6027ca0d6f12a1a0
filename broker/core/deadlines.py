"""How long things may take: one timer looks at all that are under way, instead of one each.

A ``Deadline`` is for many of which each has the same time; a ``Span`` is one's own.

A process may stand still: it was stopped, its machine was, or others had the processor. When it
goes on, what was awaited has often arrived long ago and was not read yet; and the time is over.
"""

import asyncio
from collections.abc import Awaitable
from operator import itemgetter
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

    All have the same time, but for what one is given besides; the timer runs only while somebody is
    under way. Time in which the process stood still is nobody's: each is due later by as much,
    and the first time after ``TURN`` of the time at the soonest. What the event loop's own work
    takes counts, or a busy process would give up nothing.

    Args:
        seconds: that each has.
    """

    _least, _most = SHARE, LOOK  # of the time: what the timer rests

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._due: dict[asyncio.Task[Any], float] = {}
        self._given_up: set[asyncio.Task[Any]] = set()
        self._turned: set[object] = set()  # who has had a turn
        self._watched: asyncio.AbstractEventLoop | None = None  # whose timer runs
        self._timer: asyncio.TimerHandle  # as soon as there was one
        self._next = 0.0  # when the timer is to look
        self._worked = 0.0  # seconds that the loop's thread had worked when the timer was set

    async def within(self, work: Awaitable[Result], more: float = 0.0) -> Result:
        """Wait for work; a task waits for one at a time.

        Args:
            work: what is awaited.
            more: seconds that it has besides.

        Raises:
            TookTooLong: it was cancelled, because the time was over.
        """
        loop = asyncio.get_running_loop()
        task = cast("asyncio.Task[Any]", asyncio.current_task(loop))  # a task awaits this
        cancelled = task.cancelling()  # by whom else: such a task may still tidy up in time
        now = loop.time()
        due = self._end(now) + more
        if self._watched is not loop:
            self._watched, self._due = loop, {}  # of a loop that was closed nobody is left
            self._look_later(loop, min(self._seconds * self._most, max(due - now, 0)))
        elif due < self._next and now < self._next:
            self._timer.cancel()
            self._look_later(loop, max(due - now, 0))
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

    def _end(self, now: float) -> float:
        return now + self._seconds

    def _over(self, task: asyncio.Task[Any], cancelled: int) -> bool:
        """Take our cancelling back; return whether it was ours, and nobody else's too."""
        if task not in self._given_up:
            return False
        self._given_up.discard(task)
        return task.uncancel() <= cancelled

    def _look_later(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self._next, self._worked = loop.time() + seconds, thread_time()
        self._timer = loop.call_at(self._next, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        stood = now - self._next - (thread_time() - self._worked)
        if stood > STOOD:
            self._put_off(now, stood)
        for task, due in sorted(self._due.items(), key=itemgetter(1)):  # as they are, mostly
            if due > now:
                wait = min(due - now, self._seconds * self._most)
                self._look_later(loop, max(wait, self._seconds * self._least))
                return
            del self._due[task]
            self._given_up.add(task)
            task.cancel()
        self._watched = None

    def _put_off(self, now: float, stood: float) -> None:
        for task, due in self._due.items():
            self._due[task] = self._later(task, due, now, stood)

    def _later(self, who: object, due: float, now: float, stood: float) -> float:
        """Leave somebody the time they had, a turn at the least, and no more than the whole.

        Where a process stands still again and again, a turn each time would never end.
        """
        later = max(due, min(due + stood, now + self._seconds))
        turn = now + self._seconds * TURN
        if later < turn and who not in self._turned:
            self._turned.add(who)
            return turn
        return later


class Span(Deadline):
    """A time for several things together, one after the other or at once; it begins when made.

    It ends later by as long as the process stood still while any of them was under way.

    Args:
        seconds: that they have.
    """

    _least, _most = 0.0, SHARE  # few are under way in it, and it may not stand still once only

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self._loop = asyncio.get_running_loop()
        self._ends = self._loop.time() + seconds

    @property
    def left(self) -> float:
        """Seconds until it ends, or less than 0; they do not pass while the process stands still.

        That it did is known as soon as the timer has looked, which is before whoever waited goes
        on, unless it was for a moment.
        """
        return self._ends - self._loop.time()

    def _end(self, now: float) -> float:
        del now
        return self._ends

    def _put_off(self, now: float, stood: float) -> None:
        super()._put_off(now, stood)
        self._ends = self._later(self, self._ends, now, stood)
