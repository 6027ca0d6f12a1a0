"""Of all who would read somebody's communities anew one does; nobody waits for the dead."""

import asyncio

from broker.core.community.turns import Turn
from tests.stores.redis_world import ACCOUNT, World

OTHERS = "0a" * 16


async def take(world: World, holder: str, seconds: float = 20) -> Turn:
    return await world.stores.turns.take(ACCOUNT, holder, now=world.now, seconds=seconds)


async def back(world: World, holder: str, rest: float = 0) -> None:
    await world.stores.turns.give_back(ACCOUNT, holder, now=world.now, rest=rest)


async def test_of_many_at_once_one_has_the_turn(world: World) -> None:
    """Processes that want it at the same moment; the others learn until when at the latest."""
    answers = await asyncio.gather(*(take(world, f"h{number}") for number in range(20)))
    assert sorted(answer.mine for answer in answers) == [False] * 19 + [True]
    assert {answer.ends_at for answer in answers} == {world.now + 20}
    assert not any(answer.resting for answer in answers)


async def test_given_back_it_is_the_next_ones(world: World) -> None:
    """At once, but never by who does not have it; other accounts have turns of their own."""
    assert (await take(world, "first")).mine
    await back(world, "second")
    assert not (await take(world, "second")).mine
    other = await world.stores.turns.take(OTHERS, "second", now=world.now, seconds=20)
    assert other.mine
    await back(world, "first")
    assert (await take(world, "second")).mine
    await back(world, "first")
    assert not (await take(world, "first")).mine


async def test_the_turn_of_the_dead_ends(world: World) -> None:
    """By the callers' clock; whoever comes back late does not take it from the next."""
    await take(world, "dead")
    world.now += 19.5
    assert not (await take(world, "next")).mine
    world.now += 0.5
    assert (await take(world, "next")).mine
    await back(world, "dead", rest=60)
    assert await take(world, "third") == Turn(mine=False, resting=False, ends_at=world.now + 20)


async def test_a_rest(world: World) -> None:
    """After a failure it is nobody's for a while, and everybody learns for how long."""
    await take(world, "first")
    await back(world, "first", rest=30)
    resting = Turn(mine=False, resting=True, ends_at=world.now + 30)
    assert await take(world, "second") == resting
    await back(world, "first")
    assert await take(world, "first") == resting
    world.now += 30
    assert (await take(world, "second")).mine


async def test_nothing_stays(world: World) -> None:
    """Turns and rests are forgotten by Redis itself."""
    await take(world, "first", seconds=0.05)
    await asyncio.sleep(0.1)
    assert not await world.everything()
    await take(world, "first")
    await back(world, "first", rest=0.05)
    await asyncio.sleep(0.1)
    assert not await world.everything()
