"""Turns at an upstream are given to every process, and by oneself while Redis is away."""

import pytest

from broker.app.budgets import SharedBudget
from broker.app.watching import Watch
from broker.core.budget import GATES, OURS, Call, Declined, Go, Heard, Reach, Urgency, Why
from broker.stores.embedded import EmbeddedRedis
from broker.stores.redis import RedisStores, connect
from broker.upstream.budget import ProcessBudget
from broker.upstream.pacing import Outcome
from tests.core.helpers import Hands
from tests.stores.turned import patient

CALL = Call("discord", "token", OURS, Urgency.SIGN_IN)
SILENCE = Heard(answered=True, wait=30.0, reach=Reach.ALL, limited=True, refusal=True)


@pytest.fixture
def redis(tmp_path):
    with EmbeddedRedis(tmp_path).start() as server:
        yield server


def shared(url):
    stores = RedisStores(connect(url), make_steps=patient)
    return SharedBudget(stores.budget, ProcessBudget(Hands()))


async def test_one_process_hears_what_another_was_told(redis):
    """A wait told to one is kept by all, and nothing is remembered that is over."""
    one, other = shared(redis.url), shared(redis.url)
    await one.heard(CALL, SILENCE)
    answer = await other.may_send(CALL, patience=1.0)
    assert isinstance(answer, Declined)
    assert answer.why == Why.QUEUE
    assert 20 < answer.wait <= 30


async def test_without_redis_a_process_keeps_its_own_word(redis):
    """Losing Redis is no reason to pester Discord: what was told before counts, and after."""
    budget = shared(redis.url)
    assert await budget.may_send(CALL, patience=1.0) == Go(0.0, GATES)
    await budget.heard(CALL, SILENCE)
    redis.stop()
    assert await budget.may_send(CALL, patience=1.0) == Declined(Why.QUEUE, 30.0)
    await budget.heard(CALL, Heard(answered=True, wait=60.0, reach=Reach.ALL, limited=True))
    assert await budget.may_send(CALL, patience=1.0) == Declined(Why.QUEUE, 60.0)


def test_what_is_counted():
    """Calls by route and outcome, those not made by reason, and how long was waited."""
    watch = Watch()
    calls = watch.calls()
    calls.called("discord", "member", Outcome.OK)
    calls.called("discord", "member", Outcome.LIMITED)
    calls.waited("discord", 0.5)
    calls.waited("discord", 1.0)
    calls.declined("discord", Why.REFUSALS)

    def value(name, **labels):
        return watch.registry.get_sample_value(f"token_broker_upstream_{name}_total", labels)

    assert value("calls", upstream="discord", call="member", outcome="limited") == 1
    assert value("waits", upstream="discord") == 2
    assert value("waiting_seconds", upstream="discord") == 1.5
    assert value("calls_declined", upstream="discord", reason="refusals") == 1
