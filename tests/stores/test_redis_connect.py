"""Addresses of Redis."""

import pytest
import redis
from redis.asyncio import Redis, RedisCluster
from redis.asyncio.connection import Connection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.sentinel import SentinelConnectionPool

from broker.stores.redis import connect
from tests.outer import need
from tests.stores.redis_servers import cluster, plain


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("redis://127.0.0.1:6379/0", Connection),
        ("rediss://user:secret@127.0.0.1:6379/0", SSLConnection),
        ("unix:///run/redis.sock", UnixDomainSocketConnection),
    ],
)
def test_single_servers(url, kind) -> None:
    """A single server is spoken to over TCP, TLS or a socket; nothing is retried."""
    client = connect(url, pool_size=3)
    assert isinstance(client, Redis)
    pool = client.connection_pool
    assert (pool.connection_class, pool.max_connections) == (kind, 3)
    assert pool.connection_kwargs["retry"].get_retries() == 0


def test_sentinel_addresses() -> None:
    """Every Sentinel is named, with the service, the database and the credentials."""
    client = connect("redis+sentinel://me:p%40ss@127.0.0.1:1,127.0.0.2/main/2")
    assert isinstance(client, Redis)
    pool = client.connection_pool
    assert isinstance(pool, SentinelConnectionPool)
    hosts = [s.connection_pool.connection_kwargs for s in pool.sentinel_manager.sentinels]
    assert [(h["host"], h["port"]) for h in hosts] == [("127.0.0.1", 1), ("127.0.0.2", 26379)]
    kwargs = pool.connection_kwargs
    assert (pool.service_name, kwargs["db"]) == ("main", 2)
    assert (kwargs["username"], kwargs["password"]) == ("me", "p@ss")
    assert kwargs["retry"].get_retries() == 0


async def test_cluster_addresses() -> None:
    """Every node named is a way into the cluster; nothing is retried."""
    client = connect("redis+cluster://:secret@127.0.0.1:7001,127.0.0.1:7002")
    assert isinstance(client, RedisCluster)
    assert {(n.host, n.port) for n in client.startup_nodes} == {
        ("127.0.0.1", 7001),
        ("127.0.0.1", 7002),
    }
    assert client.retry.get_retries() == 0
    await client.aclose()


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1", "127.0.0.1:6379", "redis+sentinel://127.0.0.1", "redis+cluster://"],
)
def test_other_addresses_are_refused(url) -> None:
    """What is no address of Redis, or lacks a part, is refused at once."""
    with pytest.raises(ValueError, match="address"):
        connect(url)


@pytest.mark.redis_server
@pytest.mark.parametrize(
    ("start", "scheme"), [(plain, "redis"), (cluster, "redis+cluster")], ids=["single", "cluster"]
)
async def test_a_connection_opens_with_one_command(start, scheme) -> None:
    """It is greeted, and told nothing else: a burst opens several while everybody waits."""
    with start(need("redis-server", "redis_server")) as port:
        plainly = redis.Redis(port=port, protocol=2, driver_info=None)
        before = plainly.info("stats")["total_error_replies"]
        client = connect(f"{scheme}://127.0.0.1:{port}")
        await client.execute_command("GET", "any")
        asked = {name.removeprefix("cmdstat_") for name in plainly.info("commandstats")}
        # The others are asked by this test, and once a client by that of a cluster.
        ours = asked - {"info", "ping", "set", "cluster|addslotsrange", "cluster|slots", "command"}
        assert ours == {"hello", "get"}
        assert plainly.info("stats")["total_error_replies"] == before
        await client.aclose()
        plainly.close()
