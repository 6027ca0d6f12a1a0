"""How often somebody may guess a code: the ``limits`` library, counting in our Redis.

The library's own Redis storage would open connections of its own, with retries and without our
deadline; its contract for other storages is small, so ours keeps to the connections we have.
"""

import hashlib
import math
from typing import Final

from limits import RateLimitItemPerMinute
from limits.aio.storage import Storage
from limits.aio.strategies import FixedWindowRateLimiter

from broker.core.errors import StoreUnavailable
from broker.core.ports import Clock
from broker.stores.redis.keys import Names
from broker.stores.redis.scripts import Steps, script

WINDOW: Final = 10  # minutes: as long as a code lives
PER_PERSON: Final = RateLimitItemPerMinute(5, WINDOW, namespace="person")
PER_ADDRESS: Final = RateLimitItemPerMinute(10, WINDOW, namespace="address")


class RedisGuesses:
    """``broker.core.device.model.Guesses`` in Redis.

    Args:
        steps: runs the scripts.
        names: names the keys.
        clock: the time of day.
    """

    def __init__(self, steps: Steps, names: Names, clock: Clock) -> None:
        self._limiter = FixedWindowRateLimiter(Counters(steps, names, clock))
        self._clock = clock

    async def attempt(self, address: str, person: str) -> int:
        """Count an attempt before it is judged; 0 where it may be, else the seconds to wait."""
        for item, who in ((PER_ADDRESS, address), (PER_PERSON, person)):
            if not await self._limiter.hit(item, who):
                reset = (await self._limiter.get_window_stats(item, who)).reset_time
                return max(1, math.ceil(reset - self._clock.now()))
        return 0

    async def forgive(self, address: str, person: str) -> None:
        """Take an attempt back that was right."""
        for item, who in ((PER_ADDRESS, address), (PER_PERSON, person)):
            await self._limiter.hit(item, who, cost=-1)


class Counters(Storage):
    """A storage of the ``limits`` library over our own steps; every count is one round trip.

    Args:
        steps: runs the scripts.
        names: names the keys.
        clock: the time of day, in which the library wants to hear of a window's end.
    """

    STORAGE_SCHEME: list[str] | None = None

    def __init__(self, steps: Steps, names: Names, clock: Clock) -> None:
        super().__init__()
        self._steps = steps
        self._prefix = names.prefix
        self._clock = clock
        self._count = script("guess_count")

    @property
    def base_exceptions(self) -> type[Exception]:
        """What goes wrong here."""
        return StoreUnavailable

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add to a counter; return what it counts then."""
        answer = await self._steps.run(self._count, (self._name(key),), str(expiry), str(amount))
        return int(answer[0])

    async def get(self, key: str) -> int:
        """Return what a counter counts."""
        return int(await self._steps.command("GET", self._name(key)) or 0)

    async def get_expiry(self, key: str) -> float:
        """Return when a counter ends, as UTC seconds; now, where there is none."""
        left: int = await self._steps.command("PTTL", self._name(key))
        return self._clock.now() + max(left, 0) / 1000

    async def check(self) -> bool:
        """Return whether Redis answers."""
        return bool(await self._steps.command("PING"))

    async def reset(self) -> int | None:
        """Do nothing: counters end by themselves, and other keys share the prefix."""
        return None

    async def clear(self, key: str) -> None:
        """Forget a counter."""
        await self._steps.command("DEL", self._name(key))

    def _name(self, key: str) -> str:
        """Whose guesses they are shows nowhere: an address is personal data."""
        return f"{self._prefix}{{guess:{hashlib.sha256(key.encode()).hexdigest()[:32]}}}"
