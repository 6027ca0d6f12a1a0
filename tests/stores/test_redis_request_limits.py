"""Limits that processes keep together: nobody waits for Redis, and nobody gets far past them."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from limits import parse
from redis.asyncio import Redis

from broker.core.errors import TooManyRequests
from broker.core.limits import Kind
from broker.stores.redis import RedisStores, connect
from broker.stores.redis.limits import FINE, RedisLimits
from tests.core.helpers import Hands

RATE = {Kind.ADDRESS: "100/minute"}


@pytest.fixture
async def stores(bundled_redis_url: str) -> AsyncIterator[list[RedisStores]]:
    """What three processes have: connections of their own to one Redis."""
    found = [RedisStores(connect(bundled_redis_url), prefix="limits:") for _ in range(3)]
    await found[0].client.flushall()
    yield found
    for one in found:
        await one.close()


def passed(limits: RedisLimits, times: int, who: str = "192.0.2.1") -> int:
    """How many of so many requests in a row are let through."""
    found = 0
    for _ in range(times):
        try:
            limits.take(Kind.ADDRESS, who)
        except TooManyRequests:
            return found
        found += 1
    return found


async def test_one_process_stops_at_the_limit(stores: list[RedisStores]) -> None:
    """The hundred and first of a minute is refused, with the time until the next one."""
    clock = Hands(at=28_000_000 * 60.0 + 45)
    limits = stores[0].limits(RATE, clock)
    assert passed(limits, 500) == 100
    with pytest.raises(TooManyRequests) as caught:
        limits.take(Kind.ADDRESS, "192.0.2.1")
    assert (caught.value.retry_after, caught.value.quota, caught.value.window) == (15, 100, 60)
    assert passed(limits, 5, "192.0.2.2") == 5, "another address is another"
    clock.at += 14.9
    assert passed(limits, 1) == 0
    clock.at += 0.2
    assert passed(limits, 500) == 100


async def test_processes_count_together(stores: list[RedisStores]) -> None:
    """What one let through counts for the others at the next exchange."""
    clock = Hands()
    first, second, third = (one.limits(RATE, clock) for one in stores)
    assert passed(first, 60) == 60
    assert passed(second, 30) == 30
    await first.exchange()
    await second.exchange()
    await third.exchange()
    assert passed(third, 4) == 4, "it has not heard of this asker yet"
    await third.exchange()
    await first.exchange()
    assert passed(third, 500) == 6
    await third.exchange()
    passed(first, 2)
    await first.exchange()
    assert passed(first, 1) == 0


async def test_the_overrun_is_bounded(stores: list[RedisStores]) -> None:
    """Three processes that hear the same asker all the time overrun by one exchange's worth."""
    clock, let_through = Hands(), 0
    limits = [one.limits(RATE, clock) for one in stores]
    for _ in range(50):
        let_through += sum(passed(one, 5) for one in limits)
        await asyncio.gather(*(one.exchange() for one in limits))
    assert 100 <= let_through <= 100 + 3 * 5


async def test_who_asks_little_costs_redis_nothing(stores: list[RedisStores]) -> None:
    """Below a hundredth of the limit nothing is sent; nothing is ever awaited by a request."""
    limits = stores[0].limits({Kind.ADDRESS: "1000/minute"}, Hands())
    for number in range(300):
        passed(limits, 1000 // FINE - 1, f"192.0.2.{number}")
    before = (await stores[0].client.info("stats"))["total_commands_processed"]
    await limits.exchange()
    assert (await stores[0].client.info("stats"))["total_commands_processed"] - before <= 1


async def test_counters_end_by_themselves_and_name_nobody(
    stores: list[RedisStores], bundled_redis_url: str
) -> None:
    """An address is personal data: Redis holds a digest of it, for two windows at the most."""
    limits = stores[0].limits(RATE, Hands())
    passed(limits, 10)
    await limits.exchange()
    redis = Redis.from_url(bundled_redis_url)
    keys = await redis.keys("limits:*")
    assert len(keys) == 1
    assert b"192.0.2.1" not in keys[0]
    assert 0 < await redis.ttl(keys[0]) <= 2 * parse(RATE[Kind.ADDRESS]).get_expiry()
    await redis.aclose()


async def test_without_redis_each_process_goes_by_its_own_count(tmp_path) -> None:
    """Redis is away: nobody is refused for it, and the limit still holds in each process."""
    away = RedisStores(connect(f"unix://{tmp_path}/nobody.sock"), prefix="limits:")
    limits = away.limits(RATE, Hands())
    assert passed(limits, 60) == 60
    await limits.exchange()
    assert passed(limits, 500) == 40
    await away.close()


async def test_windows_that_are_over_are_forgotten(stores: list[RedisStores]) -> None:
    """Memory does not grow with everybody who ever came."""
    clock = Hands()
    limits = stores[0].limits(RATE, clock)
    for number in range(1000):
        passed(limits, 1, f"host-{number}")
    clock.at += 61
    await limits.exchange()
    assert limits._tallies[Kind.ADDRESS] == {}


async def test_they_are_exchanged_beside_the_requests(
    stores: list[RedisStores], monkeypatch: pytest.MonkeyPatch
) -> None:
    """``follow`` does it until it is told to stop."""
    clock, stop = Hands(), asyncio.Event()
    first, second = (one.limits(RATE, clock) for one in stores[:2])
    passed(first, 100)
    exchange, exchanged = first.exchange, asyncio.Event()

    async def told() -> None:
        await exchange()
        exchanged.set()

    monkeypatch.setattr(first, "exchange", told)
    task = asyncio.create_task(first.follow(stop))
    await asyncio.wait_for(exchanged.wait(), 10)
    passed(second, 1)
    await second.exchange()
    assert passed(second, 500) == 0
    stop.set()
    await task
