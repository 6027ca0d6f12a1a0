"""SQL away: what needs none goes on, new sign-ins are told so, and no revoked key signs."""

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.faults.conftest import Make, fill
from tests.faults.elsewhere import Wire
from tests.faults.people import BEN, Person
from tests.faults.test_redis_down import DEADLINE, DOCUMENTS, stopped
from tests.faults.waiting import eventually, kid_of
from tests.pace import Machine
from tests.postgresql import Cluster
from tests.running import CommandFailed

pytestmark = pytest.mark.postgresql
POLL = 1.0  # seconds, BROKER_KEYS_POLL of every broker here
OUT_OF_REACH = 5  # the exit code


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL server of this file's own: it is stopped now and then."""
    found = Cluster()
    try:
        found.make()
        yield found
    finally:
        found.remove()


@pytest.fixture
def address(cluster: Cluster, tmp_path: Path) -> str:
    """A database on it, with everything a broker begins with."""
    found = cluster.fresh()
    asyncio.run(fill(found, tmp_path))
    return found


def assert_goes_on(person: Person, tokens: dict[str, str]) -> None:
    """Documents, refreshes and userinfo need no SQL; the process stays in service, and says so."""
    for path in DOCUMENTS:
        assert person.http.get(path).status_code == 200
    answer = person.refresh(tokens["refresh_token"])
    assert answer.status_code == 200, answer.text
    tokens.update(answer.json())
    assert person.userinfo(tokens["access_token"]).status_code == 200
    eventually(lambda: "out of reach" in person.http.get("/readyz").text)
    assert person.http.get("/readyz").status_code == 200


def assert_told(asked: Callable[[], httpx2.Response]) -> None:
    """A 503 page for a person, in time."""
    with Machine() as machine:
        page = asked()
    assert page.status_code == 503, page.text
    assert page.headers["content-type"].startswith("text/html")
    assert int(page.headers["retry-after"]) >= 1
    # Discord's part is in it.
    assert page.elapsed.total_seconds() < DEADLINE + 1.0 + machine.late


def test_postgresql_is_stopped_and_started(make: Make, cluster: Cluster, address: str) -> None:
    """Refresh, userinfo and JWKS go on, sign-ins get a 503 page; it recovers by itself."""
    broker = make(database_url=address)
    person, tokens = Person(broker.issuer), {}
    tokens.update(person.tokens())
    under_way = Person(broker.issuer, BEN)
    back = under_way.passed(under_way.authorize().headers["location"])
    cluster.stop()
    try:
        assert_goes_on(person, tokens)
        assert_told(lambda: under_way.http.get(back))
        newcomer = Person(broker.issuer, BEN)
        assert_told(lambda: newcomer.follow(newcomer.authorize()))
        time.sleep(3 * POLL)  # longer than a process may sign without word of revocations
        assert_goes_on(person, tokens)
        kid = kid_of(tokens["access_token"])
        with pytest.raises(CommandFailed) as failed:
            broker.cli("keys", "rotate")
        assert failed.value.status == OUT_OF_REACH
        assert_goes_on(person, tokens)
        assert kid_of(tokens["access_token"]) == kid
    finally:
        cluster.start()
    eventually(lambda: "out of reach" not in person.http.get("/readyz").text)
    assert newcomer.tokens()["token_type"] == "Bearer"
    assert broker.cli("keys", "rotate")["changed"] is True


def test_a_revocation_reaches_who_is_cut_off(make: Make, cluster: Cluster, address: str) -> None:
    """A process without SQL hears of a revoked key through Redis; the successor signs there too."""
    first = make(database_url=address)
    with Wire(cluster.port) as wire:
        through = urlsplit(address)._replace(netloc=f"broker@127.0.0.1:{wire.port}").geturl()
        shared = f"unix://{first.data_dir / 'redis' / 'redis.sock'}"
        second = make(database_url=through, redis_url=shared, issuer=first.issuer)
        person, other = Person(first.issuer), Person(f"http://127.0.0.1:{second.port}")
        tokens = person.tokens()
        tokens = other.refresh(tokens["refresh_token"]).json()
        old = kid_of(tokens["access_token"])
        wire.cut()
        eventually(lambda: "out of reach" in other.http.get("/readyz").text)
        said = first.cli("keys", "revoke", old, "--yes")
        time.sleep(2 * POLL)
        for _ in range(3):
            for one in (person, other):
                answer = one.refresh(tokens["refresh_token"])
                assert kid_of(answer.json()["access_token"]) == said["signing"]
        published = [key["kid"] for key in other.http.get(DOCUMENTS[0]).json()["keys"]]
        assert said["signing"] in published
        assert old not in published
        assert other.userinfo(tokens["access_token"]).status_code == 401
        wire.mend()
        eventually(lambda: "out of reach" not in other.http.get("/readyz").text)
        eventually(lambda: other.http.get("/readyz").status_code == 200)
        answer = other.refresh(tokens["refresh_token"])
        assert kid_of(answer.json()["access_token"]) == said["signing"]


def test_without_either_store_nothing_is_signed(make: Make, cluster: Cluster, address: str) -> None:
    """SQL and Redis away: 503s, and the JWKS still, for no longer than its word is good."""
    first = make(database_url=address)
    person = Person(first.issuer)
    tokens = person.tokens()
    cluster.stop()
    try:
        with stopped(first.redis_pid()):
            assert person.refresh(tokens["refresh_token"]).status_code == 503
            time.sleep(3 * POLL)
            assert person.http.get(DOCUMENTS[0]).status_code == 200
            ready = person.http.get("/readyz")
            assert ready.status_code == 503
            assert "not been followed" in ready.text
    finally:
        cluster.start()
    eventually(lambda: person.http.get("/readyz").status_code == 200)
    assert person.refresh(tokens["refresh_token"]).status_code == 200
