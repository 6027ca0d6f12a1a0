"""Silence that an upstream has asked for, shared among all processes through Redis."""

import asyncio
from contextlib import suppress
from typing import Final

from redis.exceptions import RedisError

from broker.core.ports import Clock
from broker.stores.redis import Client
from broker.upstream.base import ProcessPauses

DEADLINE: Final = 0.5  # seconds; without Redis a process still knows what it was told itself


class SharedPauses:
    """``Pauses`` in Redis, with this process' own memory where Redis does not answer.

    Args:
        client: Redis.
        prefix: what every key begins with.
        clock: time, for how long Redis keeps a pause.
    """

    def __init__(self, client: Client, prefix: str, clock: Clock) -> None:
        self._client = client
        self._prefix = prefix
        self._clock = clock
        self._own = ProcessPauses()

    async def until(self, upstream: str) -> float:
        """Return the moment (UTC seconds) before which nothing may be sent; 0 when none."""
        told = None
        with suppress(RedisError, OSError, TimeoutError, ValueError):
            async with asyncio.timeout(DEADLINE):
                told = await self._client.execute_command("GET", self._key(upstream))
        return max(await self._own.until(upstream), float(told or 0.0))

    async def set(self, upstream: str, until: float) -> None:
        """Remember that nothing may be sent before this moment (UTC seconds), or a later one."""
        until = max(until, await self.until(upstream))
        await self._own.set(upstream, until)
        left = max(1, round((until - self._clock.now()) * 1000))
        with suppress(RedisError, OSError, TimeoutError):
            async with asyncio.timeout(DEADLINE):
                words = ("SET", self._key(upstream), repr(until), "PX", left)
                await self._client.execute_command(*words)

    def _key(self, upstream: str) -> str:
        return f"{self._prefix}{{upstream:{upstream}}}:pause"
