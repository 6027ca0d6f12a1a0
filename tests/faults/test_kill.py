"""``kill -9`` at any instant: of the server, of its parent alone, of the Redis; or ``-STOP``."""

import asyncio
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import psutil
import pytest

from tests.faults.conftest import Make, change
from tests.faults.people import Line, Load, Person, generation, lines
from tests.faults.test_embedded_processes import gone
from tests.faults.test_redis_down import stopped
from tests.faults.waiting import eventually, in_audit_log
from tests.running import RunningBroker

KILLS = 12 if os.environ.get("BROKER_TEST_LONG") == "1" else 1
POLL = 1.0  # seconds, BROKER_KEYS_POLL of every broker here
GRACE = "120"  # seconds; a restart on a busy machine is well within


def assert_nothing_was_lost(broker: RunningBroker, held: list[Line]) -> None:
    """No step was forgotten, nor taken twice; a lost answer's token was named again."""
    assert not in_audit_log(broker, "grant.adopted"), "Redis lost an acknowledged write"
    assert not in_audit_log(broker, "grant.reused")
    for line in held:
        numbers = [generation(token) for token in line.acknowledged]
        assert all(after - before in {1, 2} for before, after in pairwise(numbers)), numbers


def kill_the_first(broker: RunningBroker) -> None:
    """Kill the process that was started alone: its workers and its Redis end with it."""
    redis = psutil.Process(broker.redis_pid())
    others = [one for one in (*broker.workers(), redis) if one.pid != broker.pid]
    os.kill(broker.pid, signal.SIGKILL)
    _, alive = psutil.wait_procs(others, timeout=30)
    assert all(gone(one) for one in alive), alive


def assert_none_works_twice(broker: RunningBroker, held: list[Line]) -> None:
    """Outside the grace time the newest token alone works; an older one ends its grant."""
    person = Person(broker.issuer)
    for line in held:
        answer = person.refresh(line.newest)
        assert answer.status_code == 200, answer.text
        line.acknowledged.append(answer.json()["refresh_token"])
    for line in held:
        for token in (line.acknowledged[-3], line.newest):
            answer = person.refresh(token)
            assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


@pytest.mark.timeout(120 * KILLS)
@pytest.mark.parametrize("workers", ["1", "2"])
async def test_the_server_is_killed_under_load(make: Make, workers: str) -> None:
    """Every acknowledged refresh token works after a restart, none twice outside the grace."""
    broker = make(workers=workers, refresh_grace=GRACE)
    held = await asyncio.to_thread(lines, Person(broker.issuer), 6)
    async with Load(broker.issuer, held) as load:
        for number in range(KILLS):
            await load.reaches(5 + number % 4)
            if number % 2:
                os.kill(broker.redis_pid(), signal.SIGKILL)
            await asyncio.to_thread(broker.kill9)
            await asyncio.to_thread(broker.restart)
        await load.reaches(3)
    load.check()
    assert_nothing_was_lost(broker, held)
    await asyncio.to_thread(kill_the_first, broker)
    change(broker, refresh_grace="0")
    await asyncio.to_thread(broker.restart)
    await asyncio.to_thread(assert_none_works_twice, broker, held)


async def test_the_embedded_redis_is_killed_under_load(broker: RunningBroker) -> None:
    """Clients meet 503s, never a lost or doubled token; the broker's process stays the same."""
    held = await asyncio.to_thread(lines, Person(broker.issuer), 6)
    server = broker.pid
    async with Load(broker.issuer, held) as load:
        for _ in range(2):
            await load.reaches(4)
            first = broker.redis_pid()
            os.kill(first, signal.SIGKILL)
            await asyncio.to_thread(eventually, lambda was=first: broker.redis_pid() != was)
        await load.reaches(4)
    load.check()
    assert broker.pid == server
    assert_nothing_was_lost(broker, held)
    assert all(set(line.seen) <= {"200", "503"} for line in held), [line.seen for line in held]


def test_a_process_that_was_stopped_serves_the_first_who_asks(broker: RunningBroker) -> None:
    """It was stopped for longer than it may sign without a look at its keys: it looks first."""
    person = Person(broker.issuer)
    tokens = person.tokens()
    with ThreadPoolExecutor(1) as pool:
        with stopped(broker.pid):
            asked = pool.submit(person.refresh, tokens["refresh_token"])
            time.sleep(2.0 * POLL + 0.5)
        assert asked.result().status_code == 200
