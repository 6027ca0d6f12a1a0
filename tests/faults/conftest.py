"""Fixtures: a broker with one client, in a folder of its own."""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from broker.app.clock import SystemClock, SystemEntropy
from broker.app.settings import Settings
from broker.app.stores import open_stores
from broker.stores.sql import engine as sql_engine
from broker.stores.sql import schema
from keys.upkeep import ensure
from tests.faults.elsewhere import Redis
from tests.faults.people import CLIENT, SECRET
from tests.outer import need
from tests.running import RunningBroker

NOWHERE = "unix:///nowhere"  # what the filling of a database needs of Redis


async def fill(address: str, folder: Path) -> None:
    """Make the schema, the client and the signing keys, so that servers start the faster."""
    engine = sql_engine.create(address)
    await schema.upgrade(engine)
    await engine.dispose()
    settings = Settings(
        database_url=address, secrets=SECRET, data_dir=folder, keys_poll=1, redis_url=NOWHERE
    )
    clock, entropy = SystemClock(), SystemEntropy()
    async with open_stores(settings, clock, entropy, NOWHERE) as stores:
        await stores.sql.clients.add(CLIENT, now=clock.now())
        await ensure(stores.keys, stores.vault, settings.key_policy, clock.now())


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file that brokers begin with."""
    folder = tmp_path_factory.mktemp("faults")
    asyncio.run(fill(f"sqlite:///{folder / 'broker.db'}", folder))
    return folder / "broker.db"


Make = Callable[..., RunningBroker]


class Unready(RunningBroker):
    """A broker that cannot get ready yet."""

    def wait_ready(self, seconds: float = 0.0) -> None:
        """Wait for nothing."""


def prepared(
    folder: Path,
    database: Path,
    kind: type[RunningBroker] = RunningBroker,
    **settings: str,
) -> RunningBroker:
    """A broker that is not started; ``settings`` are variables without their prefix."""
    data = folder / "data"
    data.mkdir(mode=0o700, parents=True)
    shutil.copy(database, data / "broker.db")
    named = {f"BROKER_{name.upper()}": text for name, text in settings.items()}
    return kind(folder, {"BROKER_SECRETS": SECRET} | named)


def change(broker: RunningBroker, **settings: str) -> None:
    """Give a broker other settings at its next start."""
    broker._extra.update({f"BROKER_{name.upper()}": text for name, text in settings.items()})


@pytest.fixture
def make(tmp_path: Path, database: Path) -> Iterator[Make]:
    """A function that starts a broker with these settings; all are stopped in the end."""
    made: list[RunningBroker] = []

    def one(*, wait: bool = True, **settings: str) -> RunningBroker:
        kind = RunningBroker if wait else Unready
        broker = prepared(tmp_path / str(len(made)), database, kind, **settings)
        made.append(broker)
        return broker.start()

    yield one
    for broker in made:
        broker.stop()


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory, database: Path) -> Iterator[RunningBroker]:
    """A broker with a Redis and an SQLite of its own, shared by the tests of a file."""
    with prepared(tmp_path_factory.mktemp("broker"), database) as found:
        yield found


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Redis]:
    """A Redis that is not the broker's child, and keeps what it is told."""
    with Redis(need("redis-server", "redis_server"), tmp_path / "elsewhere") as redis:
        yield redis
