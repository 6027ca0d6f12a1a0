"""How often clients are registered: by whom where anybody may, with which ticket where few may."""

import math
from typing import Final

from limits import RateLimitItemPerHour
from limits.aio.strategies import FixedWindowRateLimiter

from broker.core.ports import Clock
from broker.core.tickets import MOST_USES, Ticket
from broker.stores.redis.guesses import Counters
from broker.stores.redis.keys import Names
from broker.stores.redis.scripts import Steps

PER_ADDRESS: Final = RateLimitItemPerHour(100, namespace="register")
REVOKED: Final = 2 * MOST_USES


class RedisAdmissions:
    """``broker.core.enrolled.Admissions`` in Redis.

    Args:
        steps: runs the scripts.
        names: names the keys.
        clock: the time of day.
    """

    def __init__(self, steps: Steps, names: Names, clock: Clock) -> None:
        self._counters = Counters(steps, names, clock)
        self._limiter = FixedWindowRateLimiter(self._counters)
        self._clock = clock

    async def attempt(self, address: str) -> int:
        """Count a registration from an address; 0 where it may be, else the seconds to wait."""
        if await self._limiter.hit(PER_ADDRESS, address):
            return 0
        reset = (await self._limiter.get_window_stats(PER_ADDRESS, address)).reset_time
        return max(1, math.ceil(reset - self._clock.now()))

    async def spend(self, ticket: Ticket, *, now: float) -> bool:
        """Use a ticket once; False where it is used up or revoked."""
        count = await self._count(ticket, now, 1)
        return count <= (ticket.uses or MOST_USES)

    async def revoke(self, ticket: Ticket, *, now: float) -> None:
        """Let a ticket never be used again."""
        await self._count(ticket, now, REVOKED)

    async def _count(self, ticket: Ticket, now: float, amount: int) -> int:
        left = max(1, math.ceil(ticket.expires_at - now))
        return await self._counters.incr(f"ticket {ticket.ticket_id}", left, amount)
