"""Turns at an upstream: the same rules in one process' memory and in every kind of Redis."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from dataclasses import replace
from itertools import count

import pytest

from broker.core.budget import (
    BEFORE_ALL,
    GATES,
    OURS,
    UNANSWERED,
    WINDOW,
    Allowance,
    Budget,
    Call,
    Declined,
    Go,
    Heard,
    Reach,
    Urgency,
    Why,
)
from broker.stores.redis import RedisStores, connect
from broker.stores.redis.budget import RedisBudget
from broker.stores.redis.keys import Names
from broker.upstream.budget import ProcessBudget
from tests.core.helpers import Hands
from tests.stores.redis_servers import serving
from tests.stores.turned import patient, turned

CALL = Call("discord", "token", OURS, Urgency.SIGN_IN)
PERSON = Call("discord", "member", "ab" * 16, Urgency.KEEPING)
FINE = Heard(answered=True)
FEW = Allowance(sign_in=6, keeping=4, offered=2)
_numbers = count()


GO = Go(0.0, GATES)


class World:
    """A budget, and time that passes when somebody rests; where many do, when all of them do."""

    def __init__(self, budget: Budget, clock: Hands) -> None:
        self.budget = budget
        self.clock = clock
        self._resting: list[tuple[float, asyncio.Event]] = []
        self._many = 0

    def now(self) -> float:
        return self.clock.now()

    async def rest(self, seconds: float) -> None:
        """Let time pass."""
        over = asyncio.Event()
        self._resting.append((self.clock.at + seconds, over))
        if not self._many:
            self._go_on()
        await over.wait()

    def _go_on(self) -> None:
        """Let it be when the first of those who rest is to go on."""
        self.clock.at = max(self.clock.at, min(until for until, _ in self._resting))
        for until, over in self._resting:
            if until <= self.clock.at:
                over.set()
        self._resting = [one for one in self._resting if not one[1].is_set()]

    async def all_of(self, *works: Awaitable[None]) -> None:
        """Do them at the same time."""
        tasks = [asyncio.ensure_future(work) for work in works]
        self._many = len(tasks)
        while self._many:
            await asyncio.sleep(0.001)
            self._many = sum(not task.done() for task in tasks)
            if self._many and len(self._resting) == self._many:
                self._go_on()
        await asyncio.gather(*tasks)

    async def ask(
        self, call: Call = CALL, patience: float = 5.0, waited: Go = BEFORE_ALL
    ) -> Go | Declined:
        return await self.budget.may_send(call, patience=patience, waited=waited)

    async def turn(self, call: Call = CALL) -> tuple[Go, float]:
        """Ask; return the answer and the moment that it names."""
        answer = await self.ask(call)
        assert isinstance(answer, Go)
        return answer, self.now() + answer.wait

    async def made(self, call: Call = CALL, heard: Heard = FINE) -> Go | Declined:
        """Ask, and make the call at once."""
        answer = await self.ask(call)
        if answer == GO:
            await self.budget.heard(call, heard)
        return answer

    async def go(self, call: Call = CALL, patience: float = 5.0) -> float | Declined:
        """Wait for a turn, as callers do; return the seconds it took."""
        began, waited = self.now(), BEFORE_ALL
        while True:
            left = patience - (self.now() - began)
            answer = await self.ask(call, left, waited)
            if isinstance(answer, Declined):
                return answer
            if answer.wait <= 0:
                return self.now() - began
            await self.rest(answer.wait)
            waited = answer


@pytest.fixture(
    params=[
        "process",
        "bundled_redis_url",
        pytest.param("redis_7_url", marks=pytest.mark.redis_server),
        pytest.param("redis_cluster_url", marks=pytest.mark.redis_server),
    ]
)
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """An upstream that nobody has called."""
    clock = Hands()
    if request.param == "process":
        yield World(ProcessBudget(clock, FEW), clock)
        return
    client = await serving(request.getfixturevalue(request.param))
    steps = turned(clock)(client, deadline=1.0, replicas=0)
    yield World(RedisBudget(steps, Names(f"b{next(_numbers)}:"), FEW), clock)
    await client.aclose()


def window(left: int, reset: float, limit: int = 5) -> Heard:
    """An answer that tells of its window."""
    return Heard(answered=True, bucket="b1", limit=limit, left=left, reset=reset)


async def test_without_limits_everybody_goes(world: World) -> None:
    """Where answers say nothing of limits, nothing is waited for."""
    assert [await world.made() for _ in range(50)] == [GO] * 50


async def test_a_few_go_ahead_where_nothing_is_known(world: World) -> None:
    """Before the first answer four calls are under way at the most; others look again soon."""
    asked = [await world.ask() for _ in range(6)]
    assert asked == [GO] * 4 + [Go(0.1, 0)] * 2
    assert await world.ask(patience=0.05) == Declined(Why.QUEUE, 0.1)
    await world.budget.heard(CALL, UNANSWERED)
    assert [await world.ask() for _ in range(2)] == [GO, Go(0.1, 0)]
    await world.budget.heard(CALL, FINE)
    assert [await world.ask() for _ in range(9)] == [GO] * 9


async def test_a_window_holds_so_many(world: World) -> None:
    """The headers' limit: what is left goes now, the rest in the windows to come, in order."""
    assert await world.made(heard=window(left=2, reset=2.0)) == GO
    ends = world.now() + 2.0
    answers = [await world.turn() for _ in range(9)]
    assert [given for given, _ in answers[:2]] == [GO] * 2
    assert [at - ends for _, at in answers[2:7]] == pytest.approx([0.0] * 5, abs=0.2)
    assert [at - ends for _, at in answers[7:]] == pytest.approx([2.0] * 2, abs=0.2)
    assert [given.passed for given, _ in answers[2:]] == [1] * 7


async def test_whose_turn_has_come_goes(world: World) -> None:
    """After waiting the place is kept; a newcomer comes after it."""
    await world.made(heard=window(left=0, reset=0.4, limit=1))
    first = await world.ask()
    assert isinstance(first, Go)
    await world.rest(first.wait)
    assert await world.ask(waited=first) == GO
    second = await world.ask()
    assert isinstance(second, Go)
    assert second.wait > 0.2


async def test_a_window_that_ends_later_than_expected(world: World) -> None:
    """A window opens with its first call, whenever that arrives: who waits for it is put off."""
    await world.made(heard=window(left=0, reset=0.6, limit=2))
    given = [await world.ask() for _ in range(3)]
    await world.rest(0.61)
    assert await world.ask(waited=given[0]) == GO
    told_at = world.now()
    await world.budget.heard(CALL, window(left=1, reset=1.0, limit=2))
    assert await world.ask(waited=given[1]) == GO
    await world.rest(0.61)
    again = await world.ask(waited=given[2])
    assert isinstance(again, Go)
    assert (again.passed, again.window) == (1, given[2].window)
    assert world.now() + again.wait - told_at == pytest.approx(1.0, abs=0.15)
    await world.rest(again.wait + 0.01)
    assert await world.ask(waited=again) == GO


async def test_who_comes_at_the_very_end_of_a_window(world: World) -> None:
    """On its way the call could fall into the next one, and be one too many there: it waits."""
    await world.made(heard=window(3, 10.0))
    world.clock.at += 9.85
    assert await world.ask() == GO
    world.clock.at += 0.1
    answer, _ = await world.turn()
    assert answer.wait == pytest.approx(0.05, abs=1e-3)


async def test_a_window_ends_when_answers_say_so(world: World) -> None:
    """Even a little later than it was expected: nobody comes too early for the next one."""
    await world.made(heard=window(left=0, reset=0.6, limit=1))
    given = await world.ask()
    assert isinstance(given, Go)
    await world.rest(given.wait)
    assert await world.ask(waited=given) == GO
    told_at = world.now()
    await world.budget.heard(CALL, window(left=0, reset=0.68, limit=1))
    _, at = await world.turn()
    assert at >= told_at + 0.675


async def test_who_wakes_too_late(world: World) -> None:
    """A place whose window is over is lost: those in the present one are others'."""
    await world.made(heard=window(left=0, reset=0.6, limit=1))
    late, ontime = await world.ask(), await world.ask()
    assert isinstance(late, Go)
    assert isinstance(ontime, Go)
    await world.rest(1.3)
    again = await world.ask(waited=late)
    assert isinstance(again, Go)
    assert again.wait > 0
    assert again.window == ontime.window + 1
    assert await world.ask(waited=ontime) == GO


async def test_who_waits_at_a_later_gate_keeps_its_place(world: World) -> None:
    """Nobody is given a place that somebody has who waits elsewhere."""
    await world.made(heard=window(left=1, reset=5.0, limit=2))
    silence = Heard(answered=True, wait=1.0, reach=Reach.ALL, limited=True)
    await world.budget.heard(PERSON, silence)
    first, second = await world.ask(), await world.ask()
    assert isinstance(first, Go)
    assert isinstance(second, Go)
    assert (first.passed, second.passed) == (3, 1)
    assert second.wait > 3


async def test_who_is_declined_at_a_later_gate_keeps_no_place(world: World) -> None:
    """Places at the gates before are free again."""
    await world.made(heard=window(left=1, reset=5.0, limit=2))
    silence = Heard(answered=True, wait=2.0, reach=Reach.ALL, limited=True)
    await world.budget.heard(PERSON, silence)
    for _ in range(3):
        assert isinstance(await world.ask(patience=1.0), Declined)
    answer = await world.ask()
    assert isinstance(answer, Go)
    assert answer.wait < 3


async def test_too_late_is_declined_and_takes_no_place(world: World) -> None:
    """Patience is a deadline; who is declined keeps nobody else waiting."""
    await world.made(heard=window(left=0, reset=2.0, limit=1))
    for _ in range(3):
        declined = await world.ask(patience=1.0)
        assert isinstance(declined, Declined)
        assert declined.why == Why.QUEUE
        assert declined.wait == pytest.approx(2.0, abs=0.2)
    given = await world.ask(patience=3.0)
    assert (given.wait, given.passed) == (pytest.approx(2.0, abs=0.2), 1)


async def test_a_new_window_is_full_again(world: World) -> None:
    """When it is over, as many as before may go, without having heard more."""
    await world.made(heard=window(left=0, reset=0.4, limit=3))
    await world.rest(0.45)
    answers = [await world.ask() for _ in range(4)]
    assert answers[:3] == [GO] * 3
    assert (answers[3].wait, answers[3].passed) == (pytest.approx(0.4, abs=0.2), 1)


async def test_answers_out_of_order(world: World) -> None:
    """An answer that is older than others, or was long on its way, opens no window again."""
    await world.made(heard=window(left=4, reset=4.0))
    for _ in range(4):
        assert await world.ask() == GO
    for left, reset in ((1, 4.0), (3, 4.0), (3, 5.0), (2, 3.0)):
        await world.budget.heard(CALL, window(left=left, reset=reset))
        assert (await world.ask()).wait > 2


async def test_a_window_that_is_another(world: World) -> None:
    """What an answer says of a later window than the one we know of is taken as it is."""
    await world.made(heard=window(left=0, reset=1.0))
    await world.budget.heard(CALL, window(left=4, reset=9.0))
    assert [await world.ask() for _ in range(4)] == [GO] * 4
    assert (await world.ask(patience=20)).wait > 7


async def test_others_that_use_the_same_limit(world: World) -> None:
    """What the headers say is left counts more than what we sent."""
    await world.made(heard=window(left=4, reset=4.0))
    await world.made(heard=window(left=0, reset=4.0))
    assert (await world.ask()).wait > 2


async def test_one_persons_limit_is_not_anothers(world: World) -> None:
    """Buckets are counted by token."""
    await world.made(PERSON, window(left=0, reset=9))
    assert (await world.ask(PERSON)).wait > 4
    assert await world.ask(replace(PERSON, holder="cd" * 16)) == GO


async def test_routes_that_share_a_bucket(world: World) -> None:
    """What the upstream calls one bucket is one, whatever the routes."""
    other = replace(PERSON, route="guilds")
    await world.made(other, window(left=3, reset=9))
    await world.made(PERSON, window(left=0, reset=9))
    assert (await world.ask(other)).wait > 4


@pytest.mark.parametrize(
    ("reach", "others"),
    [
        (Reach.BUCKET, (GO, GO, GO)),
        (Reach.ROUTE, (None, GO, GO)),
        (Reach.ALL, (None, None, GO)),
    ],
)
async def test_told_to_wait(world: World, reach: Reach, others: tuple[Go | None, ...]) -> None:
    """A 429 silences whom it is for: a token, a route, everything; never another upstream."""
    told = Heard(answered=True, wait=3.0, reach=reach, limited=True)
    assert await world.made(PERSON, told) == GO
    assert (await world.ask(PERSON)).wait == pytest.approx(3.0, abs=0.2)
    declined = await world.ask(PERSON, patience=2.0)
    assert declined == Declined(Why.QUEUE, pytest.approx(3.0, abs=0.5))
    calls = (
        replace(PERSON, holder="cd" * 16),
        replace(PERSON, route="guilds"),
        replace(PERSON, upstream="github"),
    )
    for call, free in zip(calls, others, strict=True):
        answer = await world.ask(call)
        if free is None:
            assert isinstance(answer, Go)
            assert answer.wait > 2.5
        else:
            assert answer == free


async def test_a_pause_holds_for_those_who_wait(world: World) -> None:
    """Whose turn falls into a pause gets another one after it."""
    await world.made(heard=window(left=0, reset=0.4, limit=1))
    given = await world.ask()
    assert isinstance(given, Go)
    await world.budget.heard(CALL, Heard(answered=True, wait=1.2, reach=Reach.ALL, limited=True))
    await world.rest(given.wait)
    again = await world.ask(waited=given)
    assert isinstance(again, Go)
    assert again.wait == pytest.approx(0.8, abs=0.2)
    assert again.passed == GATES


async def test_the_longest_word_counts(world: World) -> None:
    """A shorter wait told later does not end a longer one."""
    for wait in (3.0, 0.5):
        await world.budget.heard(CALL, Heard(answered=True, wait=wait, limited=True))
    assert (await world.ask()).wait > 2.5


async def test_a_pace_is_learned_where_no_limit_is_named(world: World) -> None:
    """After a 429 without numbers calls go one by one, slower than before; and faster again."""
    for _ in range(40):
        assert await world.made() == GO
    told = Heard(answered=True, wait=0.3, reach=Reach.ALL, limited=True)
    for _ in range(9):  # of one burst: the pace is chosen once
        await world.budget.heard(CALL, told)
    began = world.now()
    turns = [at for _, at in [await world.turn() for _ in range(5)]]
    assert turns[0] - began == pytest.approx(0.3, abs=0.15)
    assert 1 / 50 <= (turns[-1] - turns[0]) / 4 <= 0.15


async def test_waits_that_nobody_names_grow(world: World) -> None:
    """Cloudflare's page names no time: told again right afterwards, twice as long."""
    told = Heard(answered=True, wait=0.15, reach=Reach.ALL, guessed=True, limited=True)
    waits = []
    for _ in range(3):
        await world.budget.heard(CALL, told)
        waits.append((await world.ask()).wait)
        await world.rest(waits[-1] + 0.01)
    assert waits == pytest.approx([0.15, 0.3, 0.6], abs=0.1)
    await world.budget.heard(CALL, FINE)
    await world.budget.heard(CALL, told)
    assert (await world.ask()).wait < 0.6


async def test_refusals_are_counted(world: World) -> None:
    """The least needed calls end first, and then all; until the time is over."""
    refused = Heard(answered=True, refusal=True)
    calls = [replace(CALL, urgency=urgency) for urgency in Urgency]
    seen = []
    for _ in range(6):
        answers = [await world.ask(call) for call in calls]
        seen.append([isinstance(answer, Go) for answer in answers])
        await world.budget.heard(CALL, refused)
    assert seen == [[True, True, True]] * 2 + [[True, True, False]] * 2 + [[True, False, False]] * 2
    declined = await world.ask()
    assert isinstance(declined, Declined)
    assert declined.why == Why.REFUSALS
    assert WINDOW - 60 <= declined.wait <= WINDOW + 60
    await world.rest(declined.wait + 0.01)
    assert await world.ask() == GO


async def test_a_dead_token_is_not_tried_again(world: World) -> None:
    """A 401 for a token counts for ten minutes, for that token alone; never for ourselves."""
    dead = Heard(answered=True, refusal=True, dead=True)
    assert await world.made(PERSON, dead) == GO
    assert await world.ask(PERSON) == Declined(Why.DEAD, 0.0)
    assert await world.ask(replace(PERSON, holder="cd" * 16)) == GO
    await world.budget.heard(CALL, dead)
    assert await world.ask() == GO


async def test_calls_that_belong_together(world: World) -> None:
    """Who took places for two waits once; others find both taken."""
    await world.made(heard=Heard(answered=True, wait=0.3, reach=Reach.ALL, limited=True))
    pair, next_one = replace(CALL, weight=2), replace(CALL, weight=0)
    (first, one), (_, another) = await world.turn(pair), await world.turn(pair)
    assert another - one == pytest.approx(0.13, abs=0.05)
    await world.rest(first.wait + 0.01)
    assert await world.ask(pair, waited=first) == GO
    assert await world.ask(next_one) == GO


async def test_each_of_them_counts_where_it_is_made(world: World) -> None:
    """At its own bucket a call has one place, however many follow it elsewhere."""
    await world.made(heard=window(left=2, reset=5.0, limit=3))
    assert [await world.ask(replace(CALL, weight=2)) for _ in range(2)] == [GO] * 2


async def test_no_window_is_overdrawn(world: World) -> None:
    """Many that ask at once and wait as told never go in greater number than the limit."""
    await world.made(heard=window(left=5, reset=0.3))
    sent: list[float] = []

    async def one() -> None:
        assert not isinstance(await world.go(), Declined)
        sent.append(world.now())

    began = world.now()
    await world.all_of(*(one() for _ in range(20)))
    for at in sent:
        assert sum(at <= other < at + 0.15 for other in sent) <= 5
    assert sent[-1] - began < 2


async def test_nonsense_is_no_limit(world: World) -> None:
    """A window of nothing, or one that is over, says nothing."""
    for heard in (window(0, 0.0), window(0, 5.0, limit=0), window(0, 0.01)):
        assert await world.made(heard=heard) == GO
    assert await world.ask() == GO


async def test_refusals_of_long_ago(bundled_redis_url: str) -> None:
    """Ten minutes later they count no more, and are forgotten."""
    prefix = f"k{next(_numbers)}:"
    stores = RedisStores(connect(bundled_redis_url), prefix=prefix, make_steps=patient)
    await stores.budget.heard(CALL, Heard(answered=True, refusal=True))
    (key,) = [key async for key in stores.client.scan_iter(f"{prefix}*:refusals")]
    ago = int(time.time() // 60) - 11
    await stores.client.hset(key, str(ago), "9999")
    assert await stores.budget.may_send(CALL, patience=1) == GO
    assert await stores.client.hget(key, str(ago)) is None
    await stores.client.hset(key, str(ago + 3), "9999")
    answer = await stores.budget.may_send(CALL, patience=1)
    assert isinstance(answer, Declined)
    assert 60 < answer.wait <= 180
    await stores.close()


async def test_what_redis_keeps_ends(bundled_redis_url: str) -> None:
    """Every key of the budget ends by itself, and carries the tag of its upstream."""
    prefix = f"k{next(_numbers)}:"
    stores = RedisStores(connect(bundled_redis_url), prefix=prefix, make_steps=patient)
    for call in (CALL, PERSON):
        await stores.budget.may_send(call, patience=1)
        heard = replace(window(0, 2.0), refusal=True, dead=True, wait=2.0, limited=True)
        await stores.budget.heard(call, heard)
    keys = [key async for key in stores.client.scan_iter(f"{prefix}*")]
    assert all("{upstream:discord}:" in key for key in keys)
    assert len(keys) == 8
    for key in keys:
        assert 0 < await stores.client.ttl(key) <= (900 if PERSON.holder in key else 86400)
    await stores.close()
