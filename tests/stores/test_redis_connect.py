"""Addresses of Redis."""

from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
import redis
from redis.asyncio import Redis, RedisCluster
from redis.asyncio.connection import Connection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.sentinel import SentinelConnectionPool

from broker.demo.serving import listen
from broker.stores.redis import RedisStores, connect
from tests.certificates import certified
from tests.outer import need
from tests.pace import Spent
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


def to_sentinel(url: str) -> dict[str, Any]:
    """Return what a connection to a Sentinel is made of."""
    manager = connect(url).connection_pool.sentinel_manager
    found: dict[str, Any] = manager.sentinels[0].connection_pool.connection_kwargs
    return found


def test_sentinels_have_a_user_of_their_own() -> None:
    """It is told to them alone, and the servers' to servers alone."""
    url = "redis+sentinel://me:secret@127.0.0.1/main?sentinel_user=they&sentinel_password=p%26q"
    told = to_sentinel(url)
    assert (told["username"], told["password"]) == ("they", "p&q")
    kwargs = connect(url).connection_pool.connection_kwargs
    assert (kwargs["username"], kwargs["password"]) == ("me", "secret")
    alone = to_sentinel("redis+sentinel://me:secret@127.0.0.1/main")
    assert (alone["username"], alone["password"]) == (None, None)


def test_tls_is_spoken_to_sentinels_in_the_same_way() -> None:
    """Every word of the address counts for both, and means what it does to a single server."""
    words = "ssl_ca_certs=/ca.pem&ssl_certfile=/me.pem&ssl_check_hostname=no"
    told = to_sentinel(f"rediss+sentinel://127.0.0.1/main?{words}")
    assert (told["ssl_ca_certs"], told["ssl_certfile"]) == ("/ca.pem", "/me.pem")
    assert (told["ssl_check_hostname"], told["ssl_cert_reqs"]) == (False, "required")
    assert not any("ssl" in name for name in to_sentinel("redis+sentinel://127.0.0.1/main"))


@pytest.mark.parametrize(
    "url",
    [
        "rediss+sentinel://127.0.0.1/main?ssl_ca_cert=/ca.pem",
        "rediss+sentinel://127.0.0.1/main?ssl_min_version=new",
        "rediss+sentinel://127.0.0.1/main?sentinel_pasword=secret",
        "rediss+sentinel://127.0.0.1/main?sentinel_ssl=perhaps",
        "redis+sentinel://127.0.0.1/main?sentinel_ssl=yes",
        "rediss+cluster://127.0.0.1?ssl_password=secret",
    ],
)
def test_words_that_mean_nothing_are_refused(url: str) -> None:
    """Whoever misspells one would else believe that it counts; no value is repeated."""
    with pytest.raises(ValueError, match="Redis address") as caught:
        connect(url)
    assert "secret" not in str(caught.value)


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


async def test_a_server_that_hangs_is_left(tmp_path: Path) -> None:
    """Over TLS a connection is closed when both have said so; whoever goes does not wait."""
    tls, _, file = certified(tmp_path, "127.0.0.1")
    gone = Event()

    def serve() -> None:
        with listener.accept()[0] as raw, tls.wrap_socket(raw, server_side=True) as spoken:
            for answer in (b"%1\r\n+proto\r\n:3\r\n", b"+PONG\r\n"):
                spoken.recv(4096)
                spoken.sendall(answer)
            gone.wait(30)

    with listen() as listener:
        server = Thread(target=serve, daemon=True)
        server.start()
        port = listener.getsockname()[1]
        stores = RedisStores(connect(f"rediss://127.0.0.1:{port}?ssl_ca_certs={file}"))
        assert await stores.client.execute_command("PING")
        async with Spent() as spent:
            await stores.close()
        gone.set()
        server.join()
    assert spent.seconds < 2
