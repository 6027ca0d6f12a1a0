"""A broker on a Redis Cluster of six and on Sentinels: fail-overs under load lose nobody."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from tests.faults.conftest import Make
from tests.faults.people import ADA, BEN, Load, Person, lines
from tests.faults.redis_groups import PATIENT, Cluster, Sentinels, cluster, sentinels
from tests.faults.waiting import eventually
from tests.running import RunningBroker

pytestmark = [pytest.mark.redis_server, pytest.mark.slow]
PEOPLE = (ADA, BEN, "chiyo", "dmitri7")


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three primaries, three replicas."""
    with cluster(tmp_path_factory.mktemp("cluster")) as found:
        yield found


@pytest.fixture
def six(nodes: Cluster) -> Cluster:
    """They have patience with each other, until a test takes it away."""
    eventually(nodes.whole)
    nodes.give_up_after(PATIENT)
    return nodes


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Sentinels]:
    """A primary with two replicas under three Sentinels."""
    with sentinels(tmp_path / "sentinels") as found:
        yield found


def test_everything_works_on_a_cluster(make: Make, six: Cluster) -> None:
    """Codes, refreshes, revocation, logout, sign-out of an account: each step stays in one slot."""
    broker = make(redis_url=six.url, workers="2", redis_replicas="1")
    slots = set()
    for name in PEOPLE:
        person = Person(broker.issuer, name)
        tokens = person.tokens()
        second = person.refresh(tokens["refresh_token"]).json()
        assert person.userinfo(second["access_token"]).status_code == 200
        assert person.refresh(tokens["refresh_token"]).json()["refresh_token"], "within the grace"
        account = broker.cli("accounts", "show", name)["account_id"]
        slots.add(six.slot(account))
        assert person.revoke(second["refresh_token"]).status_code == 200
        assert person.refresh(second["refresh_token"]).status_code == 400
        other = person.tokens()
        broker.cli("accounts", "sign-out", name)
        assert person.refresh(other["refresh_token"]).status_code == 400
    assert len(slots) > 1, "accounts are spread over the cluster"


def test_a_crowd_at_once_finds_room_on_a_cluster(make: Make, six: Cluster) -> None:
    """More requests at once than there are connections to a node wait their turn; none fails."""
    broker = make(redis_url=six.url, redis_pool="10")
    tokens = [Person(broker.issuer, name).tokens() for name in PEOPLE]
    people = [(Person(broker.issuer), one) for one in tokens for _ in range(16)]
    with ThreadPoolExecutor(len(people)) as pool:
        for _ in range(5):
            answers = list(pool.map(lambda pair: pair[0].userinfo(pair[1]["access_token"]), people))
            assert {answer.status_code for answer in answers} == {200}


async def test_a_primary_of_the_cluster_is_killed(make: Make, six: Cluster) -> None:
    """Its replica takes over within seconds; nobody is signed out, others were not disturbed."""
    broker = make(redis_url=six.url, workers="2", refresh_grace="120")
    people = [Person(broker.issuer, name) for name in PEOPLE]
    held = [line for one in people for line in await asyncio.to_thread(lines, one, 2)]
    account = broker.cli("accounts", "show", PEOPLE[0])["account_id"]
    victim = six.owner(account)
    async with Load(broker.issuer, held) as load:
        await load.reaches(5)
        six.give_up_after()
        victim.kill()
        await load.reaches(10, 40)
        victim.start()
        await asyncio.to_thread(eventually, six.whole, 30)
        await load.reaches(10, 30)
    load.check()


async def test_a_primary_of_the_cluster_hangs(make: Make, six: Cluster) -> None:
    """A node that keeps its sockets and says nothing is given up, as one that is gone."""
    broker = make(redis_url=six.url, refresh_grace="120")
    person = Person(broker.issuer, PEOPLE[0])
    held = await asyncio.to_thread(lines, person, 4)
    victim = six.owner(broker.cli("accounts", "show", PEOPLE[0])["account_id"])
    async with Load(broker.issuer, held) as load:
        await load.reaches(5)
        six.give_up_after()
        victim.hang()
        try:
            await load.reaches(5, 40)
        finally:
            victim.go_on()
        await asyncio.to_thread(eventually, six.whole, 30)
        await load.reaches(5, 30)
    load.check()


@pytest.mark.long
async def test_slots_move_to_a_fresh_node_under_load(make: Make, tmp_path: Path) -> None:
    """A node that serves nothing yet gets its share of slots, and no request fails meanwhile."""
    with cluster(tmp_path / "growing") as growing:
        broker = make(redis_url=growing.url, workers="2")
        people = [Person(broker.issuer, name) for name in PEOPLE]
        held = [line for one in people for line in await asyncio.to_thread(lines, one, 4)]
        joined = await asyncio.to_thread(growing.join)
        async with Load(broker.issuer, held) as load:
            await load.reaches(5)
            await asyncio.to_thread(growing.spread)
            await load.reaches(5)
        load.check()
        assert {status for line in held for status in line.seen} == {"200"}
        assert joined in growing.primaries()


async def test_sentinels_name_another_primary(make: Make, watched: Sentinels) -> None:
    """The primary is killed under load: brokers follow the Sentinels, and nobody is signed out."""
    broker = make(redis_url=watched.url, workers="2", refresh_grace="120")
    held = [
        line
        for name in PEOPLE
        for line in await asyncio.to_thread(lines, Person(broker.issuer, name), 2)
    ]
    first = watched.primary()
    async with Load(broker.issuer, held) as load:
        await load.reaches(5)
        watched.give_up_after()
        first.kill()
        await load.reaches(10, 60)
        await asyncio.to_thread(eventually, lambda: watched.primary() is not first)
    load.check()
    assert ready(broker)


async def test_a_primary_under_sentinels_hangs(make: Make, watched: Sentinels) -> None:
    """Its connections are given up one by one, and the one that Sentinels name is found."""
    broker = make(redis_url=watched.url, refresh_grace="120")
    held = await asyncio.to_thread(lines, Person(broker.issuer), 4)
    first = watched.primary()
    async with Load(broker.issuer, held) as load:
        await load.reaches(5)
        watched.give_up_after()
        first.hang()
        try:
            await load.reaches(5, 60)
            # The broker may have heard of another from a Sentinel that knew it before this one.
            await asyncio.to_thread(eventually, lambda: watched.primary() is not first)
        finally:
            first.go_on()
        await load.reaches(5, 30)
    load.check()


async def test_an_acknowledged_ending_survives_a_fail_over(make: Make, watched: Sentinels) -> None:
    """What a replica has confirmed is ended for ever, though the primary dies at once."""
    broker = make(redis_url=watched.url, redis_replicas="1")
    person = Person(broker.issuer)
    tokens, others = person.tokens(), Person(broker.issuer, BEN).tokens()
    assert person.revoke(tokens["refresh_token"]).status_code == 200
    watched.give_up_after()
    watched.primary().kill()

    def answered() -> httpx2.Response | None:
        answer = person.refresh(tokens["refresh_token"])
        return None if answer.status_code == 503 else answer

    dead = await asyncio.to_thread(eventually, answered, 60)
    assert (dead.status_code, dead.json()["error"]) == (400, "invalid_grant")
    alive = await asyncio.to_thread(
        eventually,
        lambda: (a := person.refresh(others["refresh_token"])).status_code == 200 and a,
        30,
    )
    assert alive.json()["refresh_token"]


def ready(broker: RunningBroker) -> bool:
    """Whether the broker says that it is."""
    return Person(broker.issuer).http.get("/readyz").status_code == 200
