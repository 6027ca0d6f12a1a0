"""Empty stores of every kind."""

from collections.abc import AsyncIterator, Iterator
from itertools import count

import pytest

from broker.stores.redis import RedisStores
from broker.stores.sql import engine, unit
from tests.outer import need
from tests.stores.redis_servers import bundled, cluster, embedded, serving
from tests.stores.redis_world import World
from tests.stores.turned import PATIENT, patient

_numbers = count()


@pytest.fixture(scope="session")
def bundled_redis_url() -> Iterator[str]:
    """The embedded server's own binary (6.2), run as in production: synced at every write."""
    with embedded(bundled()) as server:
        yield server.url


@pytest.fixture(scope="session")
def redis_7_url() -> Iterator[str]:
    """Redis 7 or newer."""
    with embedded(need("redis-server", "redis_server")) as server:
        yield server.url


@pytest.fixture(scope="session")
def valkey_url() -> Iterator[str]:
    """Valkey, which went its own way from Redis 7.2 on."""
    with embedded(need("valkey-server", "valkey_server")) as server:
        yield server.url


@pytest.fixture(scope="session")
def redis_cluster_url() -> Iterator[str]:
    """Redis 7 or newer as a cluster, which refuses steps that leave their slot."""
    with cluster(need("redis-server", "redis_server")) as port:
        yield f"redis+cluster://127.0.0.1:{port}"


@pytest.fixture(
    params=[
        "bundled_redis_url",
        pytest.param("redis_7_url", marks=pytest.mark.redis_server),
        pytest.param("valkey_url", marks=pytest.mark.valkey_server),
        pytest.param("redis_cluster_url", marks=pytest.mark.redis_server),
    ]
)
def redis_url(request: pytest.FixtureRequest) -> str:
    """The address of each kind of server in turn."""
    return request.getfixturevalue(request.param)


@pytest.fixture
async def stores(redis_url: str) -> AsyncIterator[RedisStores]:
    """Empty stores: every test has a key prefix of its own."""
    prefix = f"t{next(_numbers)}:"
    made = RedisStores(await serving(redis_url), prefix=prefix, make_steps=patient)
    yield made
    await made.close()


@pytest.fixture
def world(stores: RedisStores) -> World:
    """An account and a client around empty stores, at a moment that a test moves by hand."""
    return World(stores)


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQL has the time that a busy machine needs; how soon it is given up, others look at."""
    monkeypatch.setattr(engine, "WAIT", PATIENT)
    monkeypatch.setattr(unit, "DEADLINE", PATIENT)
