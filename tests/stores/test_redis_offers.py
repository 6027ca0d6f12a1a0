"""Tokens of upstreams that are offered in exchange: how many worthless ones are looked at."""

import asyncio

from broker.stores.redis import RedisStores
from tests.core.helpers import Hands
from tests.stores.redis_world import START


async def test_offers_of_an_address(stores: RedisStores) -> None:
    """Fifty within ten minutes, however many at once; another address is not held up by it."""
    offers = stores.offers(Hands(START))
    waits = await asyncio.gather(*(offers.attempt("192.0.2.1", "activity") for _ in range(60)))
    assert waits.count(0) == 50
    assert all(0 < wait <= 600 for wait in waits if wait)
    assert await offers.attempt("192.0.2.2", "activity") == 0


async def test_offers_of_a_client(stores: RedisStores) -> None:
    """A thousand, from wherever they come: a tenth of what Discord takes of us in as long."""
    offers = stores.offers(Hands(START))
    for start in range(0, 1000, 20):
        some = range(start, start + 20)
        assert not any(await asyncio.gather(*(offers.attempt(f"a{n}", "activity") for n in some)))
    assert await offers.attempt("b", "activity") > 0
    assert await offers.attempt("b", "other") == 0


async def test_a_client_that_has_proven_itself_is_counted_as_one(stores: RedisStores) -> None:
    """Its address is its own: an empty one is not counted."""
    offers = stores.offers(Hands(START))
    waits = [await offers.attempt("", "bot") for _ in range(60)]
    assert not any(waits)


async def test_good_tokens_cost_nothing(stores: RedisStores) -> None:
    """Whoever brings good ones may come as often as they like."""
    offers = stores.offers(Hands(START))
    for _ in range(120):
        assert await offers.attempt("192.0.2.1", "activity") == 0
        await offers.forgive("192.0.2.1", "activity")
