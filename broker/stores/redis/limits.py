"""Limits that all processes keep together, without a round trip for anybody.

Each process counts by itself, in windows that begin for all at the same moment. Every ``EVERY``
seconds it adds what it counted to the counters in Redis, in one write, and learns what the others
did; whoever is over the limit by then is refused out of memory. So a limit is overrun by what
arrives between two exchanges, and by what each process holds back (a hundredth of the limit: most
askers ask a few times and never cost Redis anything). Where Redis does not answer each process goes
by its own count.

The limits themselves, their names in Redis and the counters are those of the ``limits`` library.
"""

import asyncio
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from limits import RateLimitItem, parse

from broker.core.errors import StoreUnavailable, TooManyRequests
from broker.core.limits import Kind
from broker.core.ports import Clock
from broker.core.resting import rest
from broker.stores.redis.guesses import Counters

EVERY: Final = 0.5  # seconds between two exchanges
MOST: Final = 2000  # counters in one exchange: those that grew the most go first
FINE: Final = 100  # what is below this part of a limit is not told

log: Final = logging.getLogger(__name__)


@dataclass(slots=True)
class _Tally:
    """What is known of one asker in one window.

    ``known`` is what Redis said last, ``new`` what this process has counted since.
    """

    window: int
    known: int = 0
    new: int = 0


class RedisLimits:
    """``broker.core.limits.Limits`` over Redis; run ``follow`` beside the requests.

    Args:
        counters: the library's storage over our own connections.
        rates: such as ``1200/minute``, by kind; kinds left out are not counted.
        clock: the time of day: it begins the windows, so processes must agree on it roughly.
    """

    def __init__(self, counters: Counters, rates: Mapping[Kind, str], clock: Clock) -> None:
        self._counters = counters
        self._rates: dict[Kind, RateLimitItem] = {k: parse(rate) for k, rate in rates.items()}
        self._bounds = {kind: (r.amount, r.get_expiry()) for kind, r in self._rates.items()}
        self._clock = clock
        self._tallies: dict[Kind, dict[str, _Tally]] = {kind: {} for kind in rates}

    def take(self, kind: Kind, who: str) -> None:
        """Count a request; no store is asked.

        Raises:
            TooManyRequests: it is one too many; with the seconds to wait.
        """
        bound = self._bounds.get(kind)
        if bound is None:
            return
        now, (most, seconds) = self._clock.now(), bound
        window = int(now // seconds)
        tallies = self._tallies[kind]
        tally = tallies.get(who)
        if tally is None or tally.window != window:
            tally = tallies[who] = _Tally(window)
        if tally.known + tally.new >= most:
            wait = max(1, math.ceil((window + 1) * seconds - now))
            raise TooManyRequests(wait, kind, most, seconds)
        tally.new += 1

    async def follow(self, stop: asyncio.Event) -> None:
        """Exchange counts every ``EVERY`` seconds until ``stop`` is set."""
        while not stop.is_set():
            await self.exchange()
            await rest(stop, EVERY)

    async def exchange(self) -> None:
        """Tell Redis what was counted, learn what others did, and forget windows that are over."""
        found = [told for kind in self._rates for told in self._due(kind)]
        found.sort(key=lambda told: -told[2].new)
        answers = await asyncio.gather(*(self._tell(*told) for told in found[:MOST]))
        if not all(answers):
            log.warning("limits are not shared among processes: Redis does not answer")

    def _due(self, kind: Kind) -> list[tuple[Kind, str, _Tally]]:
        rate = self._rates[kind]
        window = int(self._clock.now() // rate.get_expiry())
        least = max(1, rate.amount // FINE)
        tallies = self._tallies[kind]
        for who in [who for who, tally in tallies.items() if tally.window != window]:
            del tallies[who]
        return [(kind, who, tally) for who, tally in tallies.items() if tally.new >= least]

    async def _tell(self, kind: Kind, who: str, tally: _Tally) -> bool:
        rate, sent = self._rates[kind], tally.new
        key = rate.key_for(kind, who, str(tally.window))
        try:
            tally.known = await self._counters.incr(key, 2 * rate.get_expiry(), sent)
        except StoreUnavailable:
            # Its own count goes on, as if the others had asked nothing.
            tally.known += sent
            tally.new -= sent
            return False
        tally.new -= sent
        return True
