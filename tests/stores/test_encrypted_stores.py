"""Stores as operating.md hardens them: TLS both ways, our own CA, a Redis user of few rights."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy import text

from broker.stores.sql import engine as sql_engine
from tests.faults.conftest import fill
from tests.faults.people import SECRET, Person
from tests.postgresql import Cluster
from tests.running import ROOT, RunningBroker
from tests.stores.encrypted import Certified, certificate, certify, encrypted

pytestmark = [pytest.mark.redis_server, pytest.mark.postgresql, pytest.mark.slow]
GUIDE = ROOT / "deploy" / "operating.md"
LUA = ROOT / "broker" / "stores" / "redis" / "lua"
PASSWORD = "Kq8Rr2sW"


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Certified:
    """A CA of our own and what it certified."""
    return certify(tmp_path_factory.mktemp("certified"))


@pytest.fixture(scope="module")
def redis_url(certified: Certified, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis that speaks TLS alone, to whoever shows a certificate, under the guide's user."""
    folder = tmp_path_factory.mktemp("redis")
    rules = f"user default off\n{acl()}\n".replace("PASSWORD", PASSWORD)
    with encrypted(folder, certified, rules) as port:
        yield f"rediss://broker:{PASSWORD}@127.0.0.1:{port}?{certified.words}"


@pytest.fixture(scope="module")
def database(certified: Certified, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL that speaks TLS; the address looks whose certificate it shows."""
    sql = Cluster()
    try:
        sql.make()
        sql.enable_tls(certified.server, certified.key(certified.server))
        yield f"{sql.fresh()}?sslmode=verify-full&sslrootcert={certified.ca}"
    finally:
        sql.remove()


def acl() -> str:
    """The line of the guide."""
    found = re.search(r"^user broker .*$", GUIDE.read_text("utf-8"), re.MULTILINE)
    assert found
    return found[0]


def test_the_guide_names_every_command() -> None:
    """What scripts and steps call is allowed; nothing else of Redis' data is."""
    scripts = "".join(path.read_text("utf-8") for path in LUA.rglob("*.lua"))
    steps = "".join(path.read_text("utf-8") for path in LUA.parent.glob("*.py"))
    called = set(re.findall(r"redis\.p?call\(\s*'(\w+)'", scripts))
    called |= set(re.findall(r"""command\(\s*"([A-Z]+)\"""", steps))
    assert len(called) > 20
    assert {f"+{word.lower()}" for word in called} <= set(acl().split())


async def test_the_broker_serves_on_hardened_stores(
    redis_url: str, database: str, tmp_path: Path
) -> None:
    """Sign-in, refresh, userinfo, revocation and sign-out; Redis denied nothing."""
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    await fill(database, data)
    settings = {
        "BROKER_SECRETS": SECRET,
        "BROKER_REDIS_URL": redis_url,
        "BROKER_DATABASE_URL": database,
    }
    with RunningBroker(tmp_path, settings) as broker:
        person = Person(broker.issuer)
        tokens = person.tokens()
        second = person.refresh(tokens["refresh_token"]).json()
        assert person.userinfo(second["access_token"]).status_code == 200
        assert person.revoke(second["refresh_token"]).status_code == 200
        assert person.refresh(second["refresh_token"]).status_code == 400
        other = person.tokens()
        broker.cli("accounts", "sign-out", person.name)
        assert person.refresh(other["refresh_token"]).status_code == 400
    with Redis.from_url(redis_url, decode_responses=True) as redis:
        assert "errorstat_NOPERM" not in redis.info("errorstats")


async def test_another_ca_is_not_believed(database: str, tmp_path: Path) -> None:
    """``sslmode`` and ``sslrootcert`` mean what they mean to libpq."""
    stranger, _ = certificate(tmp_path, "stranger")
    address, _, _ = database.partition("sslrootcert=")
    for root, believed in ((database, True), (f"{address}sslrootcert={stranger}", False)):
        engine = sql_engine.create(root)
        try:
            async with engine.connect() as connection:
                used = text("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
                assert (await connection.execute(used)).scalar_one()
                assert believed
        except OSError:
            assert not believed
        finally:
            await engine.dispose()
