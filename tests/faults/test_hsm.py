"""A broker whose private keys are in an HSM: several processes, and what the HSM does to them."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from broker.app.clock import SystemClock, SystemEntropy
from broker.app.settings import Settings
from broker.app.stores import open_stores
from broker.stores.sql import engine as sql_engine
from broker.stores.sql import schema
from tests.faults.conftest import NOWHERE, prepared
from tests.faults.people import CLIENT, SECRET, Person
from tests.faults.test_workers import JWKS, broker_pids, one_for_each
from tests.faults.waiting import eventually, kid_of
from tests.pace import Machine
from tests.running import NotReady, RunningBroker
from tests.softhsm import CONF, SoftHsm, Token

pytestmark = pytest.mark.softhsm


@pytest.fixture(scope="module")
def hsm(tmp_path_factory: pytest.TempPathFactory) -> SoftHsm:
    """An HSM for the brokers of this file; this process does not see it."""
    pytest.importorskip("pkcs11", reason="left out: softhsm: there is no python-pkcs11")
    return SoftHsm(tmp_path_factory.mktemp("hsm"))


async def _fill(address: str, folder: Path) -> None:
    engine = sql_engine.create(address)
    await schema.upgrade(engine)
    await engine.dispose()
    settings = Settings(database_url=address, secrets=SECRET, data_dir=folder, redis_url=NOWHERE)
    clock = SystemClock()
    async with open_stores(settings, clock, SystemEntropy(), NOWHERE) as stores:
        await stores.sql.clients.add(CLIENT, now=clock.now())


@pytest.fixture(scope="module")
def keyless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with a client and no signing key."""
    folder = tmp_path_factory.mktemp("keyless")
    asyncio.run(_fill(f"sqlite:///{folder / 'broker.db'}", folder))
    return folder / "broker.db"


def on(folder: Path, database: Path, hsm: SoftHsm, token: Token, **settings: str) -> RunningBroker:
    """Return a broker, not started, on a token."""
    named = {
        "pkcs11_module": str(token.module),
        "pkcs11_token": token.label,
        "pkcs11_pin": token.pin,
    }
    broker = prepared(folder, database, **(named | settings))
    broker._extra[CONF] = str(hsm.conf)
    return broker


@pytest.fixture(scope="module")
def token(hsm: SoftHsm) -> Token:
    return hsm.token("broker")


@pytest.fixture(scope="module")
def broker(
    tmp_path_factory: pytest.TempPathFactory, keyless: Path, hsm: SoftHsm, token: Token
) -> Iterator[RunningBroker]:
    """A broker of two processes on one token; the keys' records are in a directory."""
    folder = tmp_path_factory.mktemp("broker")
    keys = folder / "keys"
    keys.mkdir(mode=0o700)
    more = {"workers": "2", "keys_dir": str(keys), "refresh_grace": "120"}
    with on(folder, keyless, hsm, token, signing_algorithms="ES256", **more) as found:
        eventually(lambda: len(broker_pids(found)) == 2, 30)
        yield found


def signs(person: Person, refresh: str) -> str:
    """Return which key signs in the process that a person is connected to."""
    answer = person.refresh(refresh)
    assert answer.status_code == 200, answer.text
    return kid_of(answer.json()["access_token"])


def test_every_process_signs_with_the_keys_of_the_token(broker: RunningBroker) -> None:
    """Somebody signs in; each process signs, with the key that the JWKS shows."""
    people = one_for_each(broker)
    refresh = next(iter(people.values())).tokens()["refresh_token"]
    for person in people.values():
        published = {key["kid"] for key in person.http.get(JWKS).json()["keys"]}
        assert len(published) == 4  # of each algorithm one that signs and its successor
        assert signs(person, refresh) in published
        assert person.http.get("/readyz").status_code == 200


def test_a_rotation_and_a_revocation_by_command(broker: RunningBroker) -> None:
    """The commands speak to the token as well, and every process follows."""
    people = one_for_each(broker)
    refresh = next(iter(people.values())).tokens()["refresh_token"]
    before = signs(next(iter(people.values())), refresh)
    after = broker.cli("keys", "rotate", "--now", "--algorithm", "RS256")["signing"]
    assert after != before
    for person in people.values():
        eventually(lambda person=person: signs(person, refresh) == after)
    broker.cli("keys", "revoke", before, "--yes")
    for person in people.values():
        assert signs(person, refresh) == after
        eventually(lambda person=person: before not in person.http.get(JWKS).text)


def test_the_token_is_away_for_a_while(
    broker: RunningBroker, hsm: SoftHsm, token: Token, tmp_path: Path
) -> None:
    """Requests get a quick 503 and lose nothing, the JWKS is served, all recovers by itself."""
    person = Person(broker.issuer)
    refresh = person.tokens()["refresh_token"]
    place = hsm.folder_of(token)
    away = place.rename(hsm.conf.parent / "away")
    try:
        with Machine() as machine:
            refused = eventually(_if_refused(person, refresh))
        assert float(refused.headers["retry-after"]) >= 1
        assert refused.elapsed.total_seconds() < 2.5 + machine.late
        assert "PIN" not in refused.text
        assert person.http.get(JWKS).status_code == 200
        unready = eventually(lambda: _unready(person))
        assert "cannot be opened" in unready.text
    finally:
        away.rename(place)
    eventually(lambda: person.http.get("/readyz").status_code == 200)
    eventually(lambda: person.refresh(refresh).status_code == 200)


def _if_refused(person: Person, refresh: str) -> Callable[[], httpx2.Response | None]:
    def ask() -> httpx2.Response | None:
        answer = person.refresh(refresh)
        assert answer.status_code in {200, 503}, answer.text
        return answer if answer.status_code == 503 else None

    return ask


def _unready(person: Person) -> httpx2.Response | None:
    answer = person.http.get("/readyz")
    return answer if answer.status_code == 503 else None


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"pkcs11_pin": "nonsense"}, "BROKER_PKCS11_PIN: the HSM token 'refusing' does not take"),
        ({"pkcs11_pin": ""}, "BROKER_PKCS11_PIN: needed with BROKER_PKCS11_MODULE"),
        ({"pkcs11_token": ""}, "BROKER_PKCS11_TOKEN: needed with BROKER_PKCS11_MODULE"),
        ({"pkcs11_module": "/nowhere/hsm.so"}, "BROKER_PKCS11_MODULE: there is no file"),
        ({"pkcs11_module": ""}, "BROKER_PKCS11_TOKEN: has no effect without BROKER_PKCS11_MODULE"),
        ({"pkcs11_module": __file__}, "is no PKCS#11 library"),
        ({"keys_dir": __file__}, "is not a directory; make it with: install -d -m 700"),
        ({"keys_dir": "/nowhere/keys"}, "BROKER_KEYS_DIR: /nowhere/keys does not exist"),
    ],
    ids=lambda value: next(iter(value.items()), "") if isinstance(value, dict) else "",
)
def test_a_start_that_cannot_work_is_refused(
    tmp_path: Path, keyless: Path, hsm: SoftHsm, settings: dict[str, str], said: str
) -> None:
    """The message names the setting and says what to do."""
    token = Token(hsm.module, "refusing")
    if settings.get("pkcs11_pin"):
        token = hsm.token("refusing")
    broker = on(tmp_path / "b", keyless, hsm, token, **settings)
    with pytest.raises(NotReady) as refusal:
        broker.start()
    broker.stop()
    assert said in " ".join(str(refusal.value).split())
    assert "Traceback" not in str(refusal.value)


def test_a_start_without_the_hsm_that_has_the_keys_is_refused(
    broker: RunningBroker, tmp_path: Path, keyless: Path
) -> None:
    """An HSM that was forgotten is named; no key is made in its place."""
    keys = broker._extra["BROKER_KEYS_DIR"]
    without = prepared(tmp_path / "b", keyless, keys_dir=keys, signing_algorithms="ES256")
    with pytest.raises(NotReady, match="in an HSM; set BROKER_PKCS11_MODULE"):
        without.start()
    without.stop()


def test_retiring_a_secret_knows_keys_in_an_hsm(broker: RunningBroker) -> None:
    """A reference sealed with the first secret does not need the last, HSM or not."""
    secrets = broker._extra["BROKER_SECRETS"]
    broker._extra["BROKER_SECRETS"] = f"{secrets},Qm7ePz2xVb9tRk4wLs8nJd3hGf6yUc1aXo5iTqEv"
    try:
        assert broker.cli("secrets", "retire")["sealed_keys"] == []
    finally:
        broker._extra["BROKER_SECRETS"] = secrets
