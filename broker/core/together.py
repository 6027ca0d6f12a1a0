"""Work that several callers want at the same time and that is done once for all of them."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class Together(Generic[K, T]):
    """Does work once for all who want it while it is under way; what comes of it is not kept.

    It goes on when a caller goes away: what it has spent is not lost with whoever asked for it.
    """

    def __init__(self) -> None:
        self._under_way: dict[K, asyncio.Task[T]] = {}

    async def do(self, key: K, work: Callable[[], Awaitable[T]]) -> T:
        """Return what comes of the work, or raise what it raises; begun unless it is under way.

        Args:
            key: what the work is about.
            work: does it.
        """
        task = self._under_way.get(key)
        if task is None:
            task = self._under_way[key] = asyncio.create_task(_done(work))
            task.add_done_callback(lambda ended: self._ended(key, ended))
        return await asyncio.shield(task)

    def _ended(self, key: K, ended: asyncio.Task[T]) -> None:
        self._under_way.pop(key, None)
        if not ended.cancelled():
            ended.exception()  # seen, even if every caller has gone


async def _done(work: Callable[[], Awaitable[T]]) -> T:
    return await work()
