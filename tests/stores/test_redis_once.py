"""What is used once is not used again, whoever tries, and is forgotten in time."""

import asyncio

from tests.stores.redis_world import World


async def test_of_many_at_once_one_wins(world: World) -> None:
    """Processes that see the same identifier at the same moment."""
    answers = await asyncio.gather(*(world.stores.once.spend_once("a" * 64, 60) for _ in range(20)))
    assert sorted(answers) == [False] * 19 + [True]
    assert await world.stores.once.spend_once("b" * 64, 60)


async def test_it_is_forgotten_in_time(world: World) -> None:
    """Nothing is kept for ever; a time that is over already still counts for a moment."""
    spend = world.stores.once.spend_once
    # Both travel together: a moment may be over on a busy machine before the second one leaves.
    both = await asyncio.gather(spend("c" * 64, 0), spend("c" * 64, 0))
    assert sorted(both) == [False, True]
    await asyncio.sleep(1.1)
    assert await world.stores.once.spend_once("c" * 64, 60)
