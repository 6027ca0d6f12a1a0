"""How long things take, and waiting for them, on a machine that has much else to do."""

import asyncio
from collections.abc import Callable
from time import monotonic, thread_time
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
