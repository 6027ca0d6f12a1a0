"""Metrics of a real broker: scraped over HTTP, true under several processes and when one dies."""

import asyncio
import json
import os
import re
import signal
import time
from base64 import urlsafe_b64encode

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from broker.app.metrics_server import ENDED
from broker.web.routes import ROUTES
from tests.app.served import Served
from tests.faults.conftest import fill, prepared
from tests.faults.people import CLIENT, SECRET, Person
from tests.faults.waiting import eventually
from tests.ports import free_port
from tests.running import RunningBroker

WORKERS = 2
PERIOD = 30 * 86400
JWKS = "/.well-known/jwks.json"
LABELS = {
    "alg", "state", "where", "reason", "route", "method", "status", "le", "grant", "client",
    "outcome", "kind", "store", "upstream", "call",
}  # fmt: skip
PATHS = {entry.path for entry in ROUTES} | {"unknown"}


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """A SQLite file with a client and keys."""
    folder = tmp_path_factory.mktemp("metrics")
    asyncio.run(fill(f"sqlite:///{folder / 'broker.db'}", folder))
    return folder / "broker.db"


@pytest.fixture(scope="module")
def address():
    return f"127.0.0.1:{free_port()}"


@pytest.fixture(scope="module")
def broker(tmp_path_factory, database, address):
    """A broker of two processes with metrics."""
    folder = tmp_path_factory.mktemp("broker")
    with prepared(folder, database, workers=str(WORKERS), metrics_address=address) as found:
        eventually(lambda: all_serve(Scrape(address)), 30)
        yield found


def all_serve(found):
    """Whether every process has begun, and has read its keys."""
    return found.value("processes") == WORKERS and found.value("keyring_ready") == 1


class Scrape:
    """What the metrics say at a moment."""

    def __init__(self, address):
        answer = httpx2.get(f"http://{address}/metrics", trust_env=False, verify=False, timeout=10)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/plain; version=")
        self.text = answer.text
        self.families = list(text_string_to_metric_families(answer.text))
        self.samples = [sample for family in self.families for sample in family.samples]

    def value(self, name, **labels):
        """Return the value of one series, None where there is none; never two of a kind."""
        found = [
            sample.value
            for sample in self.samples
            if sample.name == f"token_broker_{name}" and sample.labels == labels
        ]
        assert len(found) <= 1
        return found[0] if found else None

    def states(self):
        """Return how many keys are next, signing, retired and revoked."""
        states = ("next", "signing", "retired", "revoked")
        return [self.value("keys", alg="RS256", state=state) for state in states]


def files(broker):
    """Return which process wrote which file."""
    folder = broker.data_dir / f"metrics-{broker.port}"
    return {
        (path.stem.rpartition("_")[0], path.stem.rpartition("_")[2]) for path in folder.iterdir()
    }


def forged(typ):
    """A token that names a key nobody has."""
    parts = [{"alg": "RS256", "kid": "k" * 43, "typ": typ}, {"sub": "x"}]
    segments = [
        urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts
    ]
    return ".".join([*segments, "AAAA"])


def pids(broker):
    return {process.pid for process in broker.workers()}


def replaced(broker, dead):
    """Whether others serve in a dead process' place."""
    return len(pids(broker)) == WORKERS and dead not in pids(broker)


def test_keys_are_told_with_their_moments(broker, address):
    """The first key signs, its successor is known; every process has read the store just now."""
    found = Scrape(address)
    assert found.value("keyring_ready") == 1
    assert found.states() == [1, 1, 0, 0]
    since = found.value("key_signs_since_timestamp_seconds", alg="RS256")
    assert time.time() - 300 < since < time.time()
    assert found.value("key_change_over_timestamp_seconds", alg="RS256") == since + PERIOD
    assert found.value("key_successor_known_timestamp_seconds", alg="RS256") == since
    assert 0 <= time.time() - found.value("keyring_read_timestamp_seconds") < 10


def test_signatures_of_all_processes_are_added_up(broker, address):
    """Each token counts once, whichever process signed it; help texts survive the adding."""
    before = Scrape(address).value("signatures_total", alg="RS256")
    tokens = 0
    for _ in range(4):
        person = Person(broker.issuer)  # a connection of its own, perhaps to the other process
        answers = [person.tokens()]
        answers.append(person.refresh(answers[0]["refresh_token"]).json())
        tokens += sum("access_token" in a for a in answers) + sum("id_token" in a for a in answers)
    assert tokens >= 12
    found = Scrape(address)
    assert found.value("signatures_total", alg="RS256") == before + tokens
    assert "Signatures made over tokens." in found.text


def test_unknown_kids_are_counted_by_where_they_came(broker, address):
    """An access token and a hint; what was named is nowhere to be read."""
    before = Scrape(address)
    for _ in range(6):
        assert Person(broker.issuer).userinfo(forged("at+jwt")).status_code == 401
    hint = Person(broker.issuer).http.get("/logout", params={"id_token_hint": forged("JWT")})
    assert hint.status_code in {200, 400}
    after = Scrape(address)
    for where, more in (("access_token", 6), ("id_token_hint", 1)):
        name = "unknown_kid_requests_total"
        assert after.value(name, where=where) == before.value(name, where=where) + more
    assert "kkkk" not in after.text


def test_a_hanging_process_shows(broker, address):
    """The moment of the last reading is that of the process where it is longest ago."""
    victim = broker.workers()[0]
    victim.send_signal(signal.SIGSTOP)
    try:
        time.sleep(3.5)  # less than its server waits before it kills it
        read = Scrape(address).value("keyring_read_timestamp_seconds")
        assert time.time() - read > 2.5
    finally:
        victim.send_signal(signal.SIGCONT)
    eventually(lambda: time.time() - Scrape(address).value("keyring_read_timestamp_seconds") < 2.5)


def test_a_dead_process_leaves_its_counts_and_nothing_else(broker, address):
    """Counters go on where they were; gauges are those of the living."""
    Person(broker.issuer).tokens()
    before = Scrape(address)
    victim = min(pids(broker))
    assert ("gauge_livemin", str(victim)) in files(broker)
    os.kill(victim, signal.SIGKILL)
    seen = set()

    def settled():
        seen.add(serve := Scrape(address).value("processes"))
        written = len(files(broker) & live())
        return replaced(broker, victim) and serve == written == WORKERS

    def live():
        return {("gauge_livesum", str(pid)) for pid in pids(broker)}

    eventually(settled, 30)
    after = Scrape(address)
    assert after.value("processes") == WORKERS
    assert max(seen) <= WORKERS
    assert not [kind for kind, pid in files(broker) if pid == str(victim)]
    assert {kind for kind, pid in files(broker) if pid == ENDED} == {"counter", "histogram"}
    name = "signatures_total"
    assert after.value(name, alg="RS256") == before.value(name, alg="RS256")
    Person(broker.issuer).tokens()
    assert Scrape(address).value(name, alg="RS256") == before.value(name, alg="RS256") + 2


def test_a_change_over_and_a_revocation_are_seen(broker, address):
    """Within seconds, once every process follows."""
    before = Scrape(address)
    said = broker.cli("keys", "rotate", "--now")
    eventually(lambda: Scrape(address).states() == [1, 1, 1, 0])
    after = Scrape(address)
    name = "key_signs_since_timestamp_seconds"
    assert after.value(name, alg="RS256") > before.value(name, alg="RS256")
    since = after.value(name, alg="RS256")
    assert after.value("key_change_over_timestamp_seconds", alg="RS256") > since
    assert after.value("key_successor_known_timestamp_seconds", alg="RS256") > since
    published = {key["kid"] for key in Person(broker.issuer).http.get(JWKS).json()["keys"]}
    retired = min(published - {said["signing"], said["successor"]})
    broker.cli("keys", "revoke", retired, "--yes")
    eventually(lambda: Scrape(address).states() == [1, 1, 0, 1])


def test_nothing_secret_and_nothing_without_bounds(broker, address):
    """No key id, token, account or address: few labels, few values, all of them ours."""
    person = Person(broker.issuer)
    tokens = person.tokens()
    kids = [key["kid"] for key in person.http.get(JWKS).json()["keys"]]
    found = Scrape(address)
    for text in (SECRET, person.name, "127.0.0.1", *tokens["access_token"].split("."), *kids):
        assert text not in found.text
    for sample in found.samples:
        assert set(sample.labels) <= LABELS
        assert sample.labels.get("route", "unknown") in PATHS
        rest = {name: value for name, value in sample.labels.items() if name != "route"}
        assert all(re.fullmatch(r"[A-Za-z0-9_.+]{1,30}", value) for value in rest.values()), rest


def test_requests_are_told_with_what_came_of_them(broker, address):
    """How many by route and status, how long, what the token endpoint said to which client."""
    person = Person(broker.issuer)
    before = Scrape(address)
    tokens = person.tokens()
    person.http.post("/token", data={"grant_type": "refresh_token", "refresh_token": "x",
                                     "client_id": CLIENT.client_id})  # fmt: skip
    person.http.post("/token", data={"grant_type": "nonsense", "client_id": "nobody"})
    person.http.get("/nowhere/at/all", headers={"x-method": "y"})
    person.http.request("PROPFIND", "/token")
    assert person.http.get(JWKS).status_code == 200
    found = Scrape(address)

    def more(name, **labels):
        return (found.value(name, **labels) or 0) - (before.value(name, **labels) or 0)

    token = {"route": "/token", "method": "POST"}
    assert more("requests_total", **token, status="200") == 1
    assert more("requests_total", **token, status="400") == 1
    assert more("requests_total", **token, status="401") == 1
    assert more("requests_total", route="/token", method="other", status="405") == 1
    assert more("requests_total", route="unknown", method="GET", status="404") == 1
    assert more("requests_total", route=JWKS, method="GET", status="200") >= 1
    assert more("request_seconds_count", route="/token") == 4
    ours = {"client": CLIENT.client_id}
    assert more("grants_total", grant="authorization_code", **ours, outcome="ok") == 1
    assert more("grants_total", grant="refresh_token", **ours, outcome="invalid_grant") == 1
    assert more("grants_total", grant="unknown", client="none", outcome="invalid_client") == 1
    assert more("events_total", kind="sign_in") == 1
    assert found.value("pool_connections", store="redis", state="most") == WORKERS * 50
    # Looked at now and then.
    idle = {"store": "redis", "state": "idle"}
    eventually(lambda: Scrape(address).value("pool_connections", **idle) >= 1)
    assert tokens["access_token"] not in found.text


def test_the_public_port_has_none(broker):
    """They are for the operator alone."""
    answer = Person(broker.issuer).http.get("/metrics")
    assert answer.status_code == 404
    assert "token_broker_" not in answer.text


def test_one_process_answers_for_itself(tmp_path, database):
    """The same numbers without files, on IPv6 too; all of it ends with the server."""
    address = f"[::1]:{free_port()}"
    broker = prepared(tmp_path, database, metrics_address=address)
    broker._extra["PROMETHEUS_MULTIPROC_DIR"] = str(tmp_path / "left-over")
    with broker:
        Person(broker.issuer).tokens()
        found = Scrape(address)
        assert found.value("processes") == 1
        assert found.value("signatures_total", alg="RS256") == 2
        assert found.states() == [1, 1, 0, 0]
        assert f"metrics are on http://{address}/metrics" in broker.log.read_text()
        assert not list(broker.data_dir.glob("metrics-*"))
    assert not (tmp_path / "left-over").exists()
    with pytest.raises(httpx2.TransportError):
        Scrape(address)


def test_what_a_killed_server_left_is_not_counted_again(tmp_path, database):
    """A directory of files is removed at the end, or else at the next start."""
    address = f"127.0.0.1:{free_port()}"
    settings = {"workers": str(WORKERS), "metrics_address": address}
    with prepared(tmp_path, database, RunningBroker, **settings) as broker:
        Person(broker.issuer).tokens()
        assert Scrape(address).value("signatures_total", alg="RS256") == 2
        broker.kill9()
        assert files(broker)
        broker.restart()
        eventually(lambda: all_serve(Scrape(address)), 30)
        assert Scrape(address).value("signatures_total", alg="RS256") == 0
    assert not list(broker.data_dir.glob("metrics-*"))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_taken_address_is_named(tmp_path, address, broker, workers):
    """Not a traceback, and not a broker that nobody can watch."""
    answer = Served(tmp_path / "data", metrics_address=address, workers=workers).run("serve")
    assert answer.returncode == 4
    assert f"BROKER_METRICS_ADDRESS: cannot listen on {address}" in answer.stderr
    assert "Traceback" not in answer.stderr
