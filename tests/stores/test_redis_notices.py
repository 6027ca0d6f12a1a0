"""The queue of logout tokens: nothing is lost, whoever dies, and nothing is kept for ever."""

import asyncio
from collections.abc import AsyncIterator
from itertools import count

import pytest

from broker.core.model import Facts
from broker.stores.redis import RedisStores
from broker.stores.redis import notices as queue
from broker.stores.redis.notices import RedisNotices
from tests.core.helpers import Hands
from tests.stores.redis_servers import serving
from tests.stores.redis_world import ACCOUNT, CLIENT, OTHER, SID, Announced, World
from tests.stores.turned import turned

LEASE = 0.3
_numbers = count()


@pytest.fixture
def hands() -> Hands:
    """The clock of Redis, by which the queue goes."""
    return Hands()


@pytest.fixture
async def stores(redis_url: str, hands: Hands) -> AsyncIterator[RedisStores]:
    """Empty stores."""
    prefix = f"n{next(_numbers)}:"
    made = RedisStores(await serving(redis_url), prefix=prefix, make_steps=turned(hands))
    yield made
    await made.close()


@pytest.fixture
def notices(stores: RedisStores) -> RedisNotices:
    """The queue with a short lease, over the same keys."""
    return RedisNotices(stores._steps, stores._names, lease=LEASE)


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Endings that are taken for finished a moment after they announced themselves."""
    monkeypatch.setattr(queue, "ANNOUNCED", 0.05)


async def other_grant(world: World) -> None:
    """Have a grant of another client in the same session."""
    from dataclasses import replace

    asked = replace(world.request, client_id=OTHER, scope=("openid",))
    await world.redeem(await world.code(request=asked), client_id=OTHER)


async def due(notices: RedisNotices, hands: Hands, within: float = 5.0) -> list[queue.Claim]:
    """Return the accounts to look at, once there are any."""
    until = hands.at + within
    while not (found := list(await notices.claim(10))):
        assert hands.at < until
        hands.at += 0.02
    return found


async def told(notices: RedisNotices) -> list[tuple[str, str]]:
    """Take everything that is due; return whom it concerns."""
    taken = await notices.take(ACCOUNT, 100)
    return sorted((each.client_id, each.sid) for each in taken.notices)


async def test_every_client_of_a_session_gets_a_notice(
    world: World, notices: RedisNotices, hands: Hands
) -> None:
    """Once each, however many grants it has; offline ones stay alive and count as well."""
    await world.sign_in()
    await world.grant()
    offline = await world.grant(scope="openid offline_access")
    await other_grant(world)
    await world.stores.sessions.end(ACCOUNT, SID, now=world.now)
    (claim,) = await due(notices, hands)
    assert claim.account_id == ACCOUNT
    taken = await notices.take(ACCOUNT, 100)
    assert sorted((each.client_id, each.sid, each.sub) for each in taken.notices) == [
        (OTHER, SID, "sub-1"),
        (CLIENT, SID, "sub-1"),
    ]
    assert {each.tries for each in taken.notices} == {1}
    assert all(0 <= each.age < 5 for each in taken.notices)
    assert await world.alive(offline)


async def test_a_client_with_an_offline_grant_alone_gets_one(
    world: World, notices: RedisNotices
) -> None:
    """At the end of its session; ending that again tells it nothing new."""
    await world.sign_in()
    await world.grant(scope="openid offline_access")
    await world.stores.sessions.end(ACCOUNT, SID, now=world.now)
    (one,) = (await notices.take(ACCOUNT, 9)).notices
    await notices.done(one)
    await world.stores.sessions.end(ACCOUNT, SID, now=world.now)
    assert await told(notices) == []


@pytest.mark.parametrize("whole", [False, True])
async def test_a_client_that_gave_its_grant_back_gets_one(
    world: World, notices: RedisNotices, whole: bool
) -> None:
    """It took part in the session; what it revoked, or lost to a thief, was only its grant."""
    await world.sign_in()
    await world.stores.grants.end(ACCOUNT, await world.grant(), CLIENT)
    if whole:
        await world.stores.accounts.end_all(ACCOUNT, Facts(2, "sub-1", disabled=True))
    else:
        await world.stores.sessions.end(ACCOUNT, SID, now=world.now)
    assert await told(notices) == [(CLIENT, SID)]
    assert world.key("index") not in await world.everything()


@pytest.mark.parametrize("given_back", [False, True])
async def test_a_withdrawn_client_is_told_once(
    world: World, notices: RedisNotices, given_back: bool
) -> None:
    """It took part in the session, be its grant alive or not; its session's end is no news then."""
    await world.sign_in()
    grant_id = await world.grant()
    if given_back:
        await world.stores.grants.end(ACCOUNT, grant_id, CLIENT)
    await other_grant(world)
    end, gone = world.stores.accounts.end_access, Facts(2, "sub-1", consents={OTHER: "openid"})
    await end(ACCOUNT, gone, CLIENT, until=world.now, consented=True)
    (one,) = (await notices.take(ACCOUNT, 9)).notices
    assert (one.client_id, one.sid, one.sub) == (CLIENT, SID, "sub-1")
    await notices.done(one)
    await end(ACCOUNT, gone, CLIENT, until=world.now, consented=True)
    await world.stores.sessions.end(ACCOUNT, SID, now=world.now)
    assert await told(notices) == [(OTHER, SID)]


async def test_a_withdrawal_that_is_delivered_late_tells_nothing_of_what_came_since(
    world: World, notices: RedisNotices
) -> None:
    """The client takes part again, with a new consent: the session's end is to reach it."""
    await world.sign_in()
    await world.stores.accounts.put_facts(ACCOUNT, Facts(3, "sub-1", consents={CLIENT: "openid"}))
    await world.stores.grants.end(ACCOUNT, await world.grant(scope="openid"), CLIENT)
    end, late = world.stores.accounts.end_access, Facts(2, "sub-1", consents={})
    await end(ACCOUNT, late, CLIENT, until=world.now - 1, consented=True)
    assert await told(notices) == []
    await world.stores.sessions.end(ACCOUNT, SID, now=world.now)
    assert await told(notices) == [(CLIENT, SID)]


async def test_a_grant_ended_after_its_session_is_nobody_s_business(
    world: World, notices: RedisNotices
) -> None:
    """An offline grant that is given back later leaves nothing in the index."""
    await world.sign_in()
    offline = await world.grant(scope="openid offline_access")
    await world.stores.sessions.end(ACCOUNT, SID, now=world.now)
    await world.stores.grants.end(ACCOUNT, offline, CLIENT)
    assert world.key("index") not in await world.everything()


async def test_other_sessions_are_left_alone(world: World, notices: RedisNotices) -> None:
    """A client that has a grant in another session of the account is not told of this one."""
    await world.sign_in()
    await world.grant()
    elsewhere = "0e" * 16
    await world.sign_in(sid=elsewhere)
    await other_grant(world)
    await world.stores.sessions.end(ACCOUNT, SID, now=world.now)
    assert await told(notices) == [(CLIENT, SID)]


@pytest.mark.parametrize("facts", [{"disabled": True}, {"not_before": 1_700_000_001.0}])
async def test_the_end_of_an_account_tells_the_clients_of_all_its_sessions(
    world: World, notices: RedisNotices, facts: dict, hands: Hands
) -> None:
    """Disabled or signed out everywhere; delivered twice by the outbox, it tells them once."""
    await world.sign_in()
    await world.grant()
    elsewhere = "0e" * 16
    await world.sign_in(sid=elsewhere)
    await world.grant(scope="openid offline_access")
    await other_grant(world)
    await world.stores.accounts.end_all(ACCOUNT, Facts(2, "sub-1", **facts))
    assert await told(notices) == [(OTHER, elsewhere), (CLIENT, elsewhere), (CLIENT, SID)]
    for notice in (await _after_lease(notices, hands)).notices:
        await notices.done(notice)
    await world.stores.accounts.end_all(ACCOUNT, Facts(2, "sub-1", **facts))
    assert await told(notices) == []


async def _after_lease(notices: RedisNotices, hands: Hands) -> queue.Taken:
    hands.at += LEASE * 1.3
    return await notices.take(ACCOUNT, 100)


async def test_of_many_takers_one_gets_a_notice(
    world: World, notices: RedisNotices, hands: Hands
) -> None:
    """At a time; a taker that dies loses it to another when its lease runs out."""
    await world.sign_in()
    await world.grant()
    await world.stores.sessions.end(ACCOUNT, SID, now=world.now)
    took = await asyncio.gather(*(notices.take(ACCOUNT, 9) for _ in range(20)))
    assert sum(len(each.notices) for each in took) == 1
    assert all(0 < (each.wait or 0) <= LEASE for each in took)
    (again,) = (await _after_lease(notices, hands)).notices
    assert again.tries == 2


async def test_an_account_that_was_handed_out_comes_back(
    world: World, notices: RedisNotices, hands: Hands
) -> None:
    """Whoever took it may be killed before it has looked."""
    await world.sign_in()
    await world.grant()
    await world.stores.sessions.end(ACCOUNT, SID, now=world.now)
    first = await due(notices, hands)
    assert await notices.claim(9) == ()
    assert [each.account_id for each in await due(notices, hands)] == [
        each.account_id for each in first
    ]


async def test_an_ending_that_died_before_it_wrote_leaves_nothing_behind(
    notices: RedisNotices, stores: RedisStores, soon: None, hands: Hands
) -> None:
    """It was announced, and nothing came of it: the account is forgotten after a while."""
    with pytest.raises(RuntimeError):
        async with notices.ending(ACCOUNT):
            raise RuntimeError
    (claim,) = await due(notices, hands)
    await notices.settle(claim, (await notices.take(ACCOUNT, 9)).wait)
    assert await _queue(stores) == (0, 0)


async def test_an_ending_that_writes_late_is_found_quickly(
    world: World, notices: RedisNotices, hands: Hands
) -> None:
    """The first look saw nothing yet; the next ones come soon, for as long as it may write."""
    await world.sign_in()
    await world.grant()
    async with notices.ending(ACCOUNT):
        (claim,) = await due(notices, hands)
        await notices.settle(claim, (await notices.take(ACCOUNT, 9)).wait)
        world.stores.sessions._notices = Announced()
        await world.stores.sessions.end(ACCOUNT, SID, now=world.now)
    await due(notices, hands)
    assert await told(notices) == [(CLIENT, SID)]


async def test_an_announcement_meanwhile_brings_the_next_look_forward(
    notices: RedisNotices, stores: RedisStores, soon: None, hands: Hands
) -> None:
    """A look that found a long wait must not put off what was announced since."""
    async with notices.ending(ACCOUNT):
        (claim,) = await due(notices, hands)
        async with notices.ending(ACCOUNT):
            hands.at += 0.1
            await notices.settle(claim, 600.0)
            assert await due(notices, hands)


async def test_an_ending_that_was_held_up_announces_itself_again(
    notices: RedisNotices, stores: RedisStores, soon: None, hands: Hands
) -> None:
    """Nobody waits any more for what a process wrote after a long sleep."""
    async with notices.ending(ACCOUNT):
        (claim,) = await due(notices, hands)
        await asyncio.sleep(0.1)  # which the process itself sees
        hands.at += 0.1
        await notices.settle(claim, None)
        assert await _queue(stores) == (0, 0)
    assert await _queue(stores) == (1, 1)


async def test_a_failed_notice_comes_back_when_it_is_due(
    world: World, notices: RedisNotices, soon: None, hands: Hands
) -> None:
    """After the pause it was given, counted as a try or not, and its account with it."""
    await world.sign_in()
    await world.grant()
    await world.stores.sessions.end(ACCOUNT, SID, now=world.now)
    (claim,) = await due(notices, hands)
    taken = await notices.take(ACCOUNT, 9)
    await notices.settle(claim, taken.wait)
    await notices.again(taken.notices[0], 0.1)
    assert await told(notices) == []
    await due(notices, hands)
    (second,) = (await notices.take(ACCOUNT, 9)).notices
    assert second.tries == 2
    await notices.again(second, 0.0, tried=False)
    (third,) = (await notices.take(ACCOUNT, 9)).notices
    assert third.tries == 2
    assert third.age >= second.age > 0


async def test_a_slow_taker_changes_nothing_any_more(
    world: World, notices: RedisNotices, hands: Hands
) -> None:
    """Its lease ran out: what another has taken or finished since is not its own."""
    await world.sign_in()
    await world.grant()
    await world.stores.sessions.end(ACCOUNT, SID, now=world.now)
    (slow,) = (await notices.take(ACCOUNT, 9)).notices
    (other,) = (await _after_lease(notices, hands)).notices
    await notices.again(slow, 0.0)
    assert await told(notices) == []
    await notices.done(other)
    await notices.again(slow, 0.0)
    assert (await notices.take(ACCOUNT, 9)).wait is None


async def test_what_is_done_is_forgotten(
    world: World, notices: RedisNotices, stores: RedisStores, soon: None, hands: Hands
) -> None:
    """No key of the queue outlives its last notice."""
    await world.sign_in()
    await world.grant()
    await world.stores.sessions.end(ACCOUNT, SID, now=world.now)
    (claim,) = await due(notices, hands)
    taken = await notices.take(ACCOUNT, 9)
    await notices.settle(claim, taken.wait)
    await notices.done(taken.notices[0])
    (claim,) = await due(notices, hands)
    await notices.settle(claim, (await notices.take(ACCOUNT, 9)).wait)
    assert await _queue(stores) == (0, 0)
    assert not any("notices" in key for key in await world.everything())


async def test_a_few_are_taken_at_a_time(world: World, notices: RedisNotices) -> None:
    """The rest is due at once."""
    await world.sign_in()
    await world.grant()
    await other_grant(world)
    await world.stores.sessions.end(ACCOUNT, SID, now=world.now)
    first, second = await notices.take(ACCOUNT, 1), await notices.take(ACCOUNT, 1)
    assert first.wait == 0.0
    assert {each.client_id for each in (*first.notices, *second.notices)} == {CLIENT, OTHER}
    assert 0 < (second.wait or 0) <= LEASE


async def _queue(stores: RedisStores) -> tuple[int, int]:
    due_key, intents = stores.notices._names.notices()
    client = stores.client
    return await client.zcard(due_key), await client.zcard(intents)
