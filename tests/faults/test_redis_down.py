"""Redis away, hanging, full, or too few connections to it: quick 503s, nothing fails open."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx2
import pytest

from tests.faults.conftest import Make
from tests.faults.elsewhere import Redis
from tests.faults.people import CLIENT, Person
from tests.faults.waiting import eventually
from tests.pace import Machine
from tests.running import RunningBroker

DEADLINE = 2.0  # seconds that anybody may wait for a 503
DOCUMENTS = (
    "/.well-known/jwks.json",
    "/.well-known/openid-configuration",
    "/.well-known/oauth-authorization-server",
)


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Make a process hang: it keeps its sockets and answers nothing."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def assert_refused(answer: httpx2.Response, machine: Machine) -> None:
    """A quick 503 that says when to try again, and that nobody may keep.

    Args:
        answer: to look at.
        machine: watched while it was waited for.
    """
    assert answer.status_code == 503, (answer.request.url, answer.status_code, answer.text)
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.headers["cache-control"] == "no-store"
    assert answer.elapsed.total_seconds() < DEADLINE + machine.late


def assert_closed(issuer: str, person: Person, tokens: dict[str, str]) -> None:
    """Without Redis nothing is granted, ended or shown, and each refusal is quick."""
    stranger = Person(issuer)
    attempts: list[Callable[[], httpx2.Response]] = [
        lambda: person.refresh(tokens["refresh_token"]),
        lambda: person.redeem(tokens["code"]),
        lambda: person.userinfo(tokens["access_token"]),
        lambda: person.revoke(tokens["refresh_token"]),
        person.authorize,
        lambda: person.authorize(prompt="none"),
        lambda: person.http.get("/logout"),
        stranger.authorize,
    ]
    with Machine() as machine, ThreadPoolExecutor(len(attempts)) as pool:
        answers = list(pool.map(lambda attempt: attempt(), attempts))
    for answer in answers:
        assert_refused(answer, machine)
    assert answers[-1].headers["content-type"].startswith("text/html")


def assert_open(person: Person) -> None:
    """What needs no Redis still answers, and the probes tell the truth."""
    for path in DOCUMENTS:
        answer = person.http.get(path)
        assert answer.status_code == 200
        assert "max-age" in answer.headers["cache-control"]
    assert person.http.get("/livez").status_code == 200
    eventually(lambda: person.http.get("/readyz").status_code == 503)
    assert "Redis does not answer" in person.http.get("/readyz").text


def settled(person: Person, tokens: dict[str, str], *, lost: bool = False) -> None:
    """Wait until the broker is ready again, the same process; everything is as it was.

    Where answers were ``lost``, what was sent to Redis before may have been done since: a code that
    was spent so is refused when it comes again (RFC 6749 §4.1.2), and another one is good.
    """
    eventually(lambda: person.http.get("/readyz").status_code == 200)
    answer = person.redeem(tokens["code"])
    if lost and answer.status_code == 400:
        assert answer.json()["error"] == "invalid_grant"
        answer = person.redeem(person.code())
    assert answer.status_code == 200
    assert person.refresh(tokens["refresh_token"]).status_code == 200
    assert person.userinfo(tokens["access_token"]).status_code == 200


def held_by(person: Person) -> dict[str, str]:
    return person.tokens() | {"code": person.code()}


def test_the_embedded_redis_hangs(broker: RunningBroker) -> None:
    """A Redis that hangs is a 503 within the deadline, and is used again when it goes on."""
    person = Person(broker.issuer)
    tokens = held_by(person)
    server, redis = broker.pid, broker.redis_pid()
    with stopped(redis):
        assert_closed(broker.issuer, person, tokens)
        assert_open(person)
    settled(person, tokens, lost=True)
    assert (broker.pid, broker.redis_pid()) == (server, redis)


def test_the_embedded_redis_is_killed(broker: RunningBroker) -> None:
    """A Redis that died is started again by itself, with all that it had."""
    person = Person(broker.issuer)
    tokens = held_by(person)
    server, redis = broker.pid, broker.redis_pid()
    os.kill(redis, signal.SIGKILL)
    seen = person.refresh(tokens["refresh_token"])
    assert seen.status_code in {200, 503}
    eventually(lambda: broker.redis_pid() != redis)
    # What /readyz says may be a second old; that it is started does not mean that it answers yet.
    eventually(lambda: person.userinfo(tokens["access_token"]).status_code == 200)
    settled(person, tokens)
    assert broker.pid == server


@pytest.mark.redis_server
def test_a_redis_elsewhere_is_stopped_and_started(make: Make, elsewhere: Redis) -> None:
    """A Redis that refuses connections is a 503 at once; the broker comes back with it."""
    broker = make(redis_url=elsewhere.url)
    person = Person(broker.issuer)
    tokens = held_by(person)
    elsewhere.stop()
    assert_closed(broker.issuer, person, tokens)
    assert_open(person)
    elsewhere.start()
    settled(person, tokens)


@pytest.mark.redis_server
def test_a_broker_started_without_redis_waits_for_it(make: Make, elsewhere: Redis) -> None:
    """A broker that starts before its Redis is not ready, says why, and is ready with it."""
    elsewhere.stop()
    broker = make(wait=False, redis_url=elsewhere.url)
    person = Person(broker.issuer)
    eventually(lambda: answers(person), 60)
    assert_open(person)
    with Machine() as machine:
        refused = person.authorize()
    assert_refused(refused, machine)
    elsewhere.start()
    eventually(lambda: person.http.get("/readyz").status_code == 200)
    assert person.tokens()["token_type"] == "Bearer"


def answers(person: Person) -> bool:
    try:
        return person.http.get("/livez").status_code == 200
    except httpx2.TransportError:
        return False


@pytest.mark.redis_server
def test_a_redis_that_begins_to_evict(make: Make, elsewhere: Redis) -> None:
    """Redis told to evict while the broker runs: not ready, with the reason, until it is mended."""
    broker = make(redis_url=elsewhere.url)
    person = Person(broker.issuer)
    elsewhere.say("CONFIG", "SET", "maxmemory", "100mb")
    elsewhere.say("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    eventually(lambda: person.http.get("/readyz").status_code == 503)
    assert "evict (maxmemory-policy allkeys-lru)" in person.http.get("/readyz").text
    elsewhere.say("CONFIG", "SET", "maxmemory-policy", "noeviction")
    eventually(lambda: person.http.get("/readyz").status_code == 200)


async def test_the_connections_are_exhausted(make: Make) -> None:
    """Far more requests than connections to a Redis that hangs: all refused in time, and over."""
    broker = make(redis_pool="10")
    person = Person(broker.issuer)
    tokens = await asyncio.to_thread(person.tokens)
    asked = {"grant_type": "refresh_token", "client_id": CLIENT.client_id}
    asked["refresh_token"] = tokens["refresh_token"]
    limits = httpx2.Limits(max_connections=100)
    async with httpx2.AsyncClient(
        base_url=broker.issuer, timeout=10, limits=limits, trust_env=False, verify=False
    ) as http:
        with stopped(broker.redis_pid()), Machine() as machine:
            began = time.monotonic()
            refused = [http.post("/token", data=asked) for _ in range(60)]
            found = await asyncio.gather(*refused, http.get(DOCUMENTS[0]))
            took = time.monotonic() - began
        assert [answer.status_code for answer in found] == [503] * 60 + [200]
        assert took < DEADLINE + 1.0 + machine.late, (
            "one of many that asked at once waited too long"
        )
        again = await asyncio.gather(*(http.post("/token", data=asked) for _ in range(60)))
        assert {answer.status_code for answer in again} <= {200, 503}
        assert (await http.post("/token", data=asked)).status_code == 200
