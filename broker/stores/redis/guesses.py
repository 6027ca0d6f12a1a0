"""How often somebody may guess: the ``limits`` library, counting in our Redis.

The library's own Redis storage would open connections of its own, with retries and without our
deadline; its contract for other storages is small, so ours keeps to the connections we have.
"""

import hashlib
import math
from typing import Final

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.aio.storage import Storage
from limits.aio.strategies import FixedWindowRateLimiter

from broker.core.errors import StoreUnavailable
from broker.core.ports import Clock
from broker.stores.redis.keys import Names
from broker.stores.redis.scripts import Steps, script

WINDOW: Final = 10  # minutes: as long as a code lives
PER_PERSON: Final = RateLimitItemPerMinute(5, WINDOW, namespace="person")
PER_ADDRESS: Final = RateLimitItemPerMinute(10, WINDOW, namespace="address")

# An address may be that of a proxy for many, as Discord's is for its Activities; all that our own
# address may ask wrongly of Discord is 10,000 in as long.
OFFERS_PER_ADDRESS: Final = RateLimitItemPerMinute(50, WINDOW, namespace="offers of an address")
OFFERS_PER_CLIENT: Final = RateLimitItemPerMinute(1000, WINDOW, namespace="offers of a client")


class _Attempts:
    """Counts attempts by what they come from: each has a limit of its own."""

    def __init__(self, counters: "Counters", clock: Clock, *limits: RateLimitItem) -> None:
        self._limiter = FixedWindowRateLimiter(counters)
        self._clock = clock
        self._limits = limits

    async def _attempt(self, *who: str) -> int:
        for item, one in zip(self._limits, who, strict=True):
            if one and not await self._limiter.hit(item, one):
                reset = (await self._limiter.get_window_stats(item, one)).reset_time
                return max(1, math.ceil(reset - self._clock.now()))
        return 0

    async def _forgive(self, *who: str) -> None:
        for item, one in zip(self._limits, who, strict=True):
            if one:
                await self._limiter.hit(item, one, cost=-1)


class RedisGuesses(_Attempts):
    """``broker.core.device.model.Guesses`` in Redis.

    Args:
        steps: runs the scripts.
        names: names the keys.
        clock: the time of day.
    """

    def __init__(self, steps: Steps, names: Names, clock: Clock) -> None:
        super().__init__(Counters(steps, names, clock), clock, PER_ADDRESS, PER_PERSON)

    async def attempt(self, address: str, person: str) -> int:
        """Count an attempt before it is judged; 0 where it may be, else the seconds to wait."""
        return await self._attempt(address, person)

    async def forgive(self, address: str, person: str) -> None:
        """Take an attempt back that was right."""
        await self._forgive(address, person)


class RedisOffers(_Attempts):
    """``broker.core.grants.exchange_upstream.Offers`` in Redis; the arguments are as above."""

    def __init__(self, steps: Steps, names: Names, clock: Clock) -> None:
        limits = OFFERS_PER_ADDRESS, OFFERS_PER_CLIENT
        super().__init__(Counters(steps, names, clock), clock, *limits)

    async def attempt(self, address: str, client_id: str) -> int:
        """Count an upstream's token before it is looked at; else the seconds to wait."""
        return await self._attempt(address, client_id)

    async def forgive(self, address: str, client_id: str) -> None:
        """Take a token back that was good."""
        await self._forgive(address, client_id)


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
