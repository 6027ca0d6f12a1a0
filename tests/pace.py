"""How long things take, and waiting for them, on a machine that has much else to do."""

import asyncio
from collections.abc import Callable
from threading import Event, Thread
from time import monotonic, sleep, thread_time
from types import TracebackType
from typing import Self, TypeVar

T = TypeVar("T")
TICK = 0.02  # seconds


class Spent:
    """The seconds that a block has taken of its event loop's time, in ``async with``.

    What the loop works and what it waits for counts. That others had the processor when it was
    to go on does not: nothing that is promised could hold against that.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._stood = 0.0
        self._next()

    def _next(self) -> None:
        self._worked, self._due = thread_time(), self._loop.time() + TICK
        self._timer = self._loop.call_at(self._due, self._tick)

    def _tick(self) -> None:
        self._note()
        self._next()

    def _note(self) -> None:
        late = self._loop.time() - self._due - (thread_time() - self._worked)
        self._stood += max(late, 0.0)

    @property
    def seconds(self) -> float:
        """Until now."""
        return self._loop.time() - self._began - self._stood

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._note()
        self._timer.cancel()


async def until(holds: Callable[[], T], seconds: float = 10.0) -> T:
    """Return what ``holds`` says as soon as it is true."""
    end = monotonic() + seconds
    while not (found := holds()):
        assert monotonic() < end, f"still not so after {seconds} s"
        await asyncio.sleep(0.005)
    return found


def stood(seconds: float) -> None:
    """Have the event loop find that its process has just stood still for so long.

    All of its timers are due by then, and it has not seen what arrived; it costs no time.
    """
    loop = asyncio.get_running_loop()
    before = loop.time
    loop.time = lambda: before() + seconds  # type: ignore[method-assign]


class Machine:
    """What the machine took from whoever was to go on, meanwhile, in ``with``.

    A thread wants the processor again and again; how late it gets it, another process that a test
    waits for is late as well.

    Attributes:
        late: seconds, in all.
    """

    def __init__(self) -> None:
        self.late = 0.0
        self._over = Event()
        self._thread = Thread(target=self._look, daemon=True)

    def _look(self) -> None:
        while not self._over.is_set():
            began = monotonic()
            sleep(TICK)
            self.late += monotonic() - began - TICK

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()
