"""Stores as operating.md hardens them: TLS both ways, our own CA, a Redis user of few rights."""

import datetime as dt
import ipaddress
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from sqlalchemy import text

from broker.stores.sql import engine as sql_engine
from tests.faults.conftest import fill
from tests.faults.people import SECRET, Person
from tests.outer import need
from tests.ports import free_port
from tests.postgresql import Cluster
from tests.running import ROOT, RunningBroker
from tests.stores.redis_servers import wait_for

pytestmark = [pytest.mark.redis_server, pytest.mark.postgresql, pytest.mark.slow]
GUIDE = ROOT / "deploy" / "operating.md"
LUA = ROOT / "broker" / "stores" / "redis" / "lua"
PASSWORD = "Kq8Rr2sW"


@dataclass(frozen=True)
class Certified:
    """Files of a CA, a server and a client."""

    ca: Path
    server: Path
    client: Path

    @staticmethod
    def key(certificate: Path) -> Path:
        return certificate.with_suffix(".key")


def _certify(folder: Path, name: str, issuer: Any = None) -> tuple[Path, Any]:
    """Write a certificate and its key; returns its file and what signs with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    by, signs = issuer or (subject, key)
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(signs, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    Certified.key(path).write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    Certified.key(path).chmod(0o600)
    return path, (subject, key)


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Certified:
    """A CA of our own and what it certified."""
    folder = tmp_path_factory.mktemp("certified")
    ca, issuer = _certify(folder, "ca")
    return Certified(ca, *(_certify(folder, name, issuer)[0] for name in ("server", "client")))


@pytest.fixture(scope="module")
def redis_url(certified: Certified, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis that speaks TLS alone, to whoever shows a certificate, under the guide's user."""
    port, folder = free_port(), tmp_path_factory.mktemp("redis")
    (folder / "acl").write_text(f"user default off\n{acl()}\n".replace("PASSWORD", PASSWORD))
    options = {
        "port": 0,
        "tls-port": port,
        "bind": "127.0.0.1",
        "dir": folder,
        "save": "",
        "aclfile": folder / "acl",
        "tls-ca-cert-file": certified.ca,
        "tls-cert-file": certified.server,
        "tls-key-file": certified.key(certified.server),
    }
    words = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
    binary = need("redis-server", "redis_server")
    process = subprocess.Popen([binary, *words], stdout=subprocess.DEVNULL)
    shown = (
        f"ssl_ca_certs={certified.ca}&ssl_certfile={certified.client}"
        f"&ssl_keyfile={certified.key(certified.client)}"
    )
    url = f"rediss://broker:{PASSWORD}@127.0.0.1:{port}?{shown}"
    try:
        wait_for(lambda: _answers(url))
        yield url
    finally:
        process.kill()
        process.wait()


def _answers(url: str) -> bool:
    try:
        return bool(Redis.from_url(url).ping())
    except RedisConnectionError:
        return False


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
    stranger, _ = _certify(tmp_path, "stranger")
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
