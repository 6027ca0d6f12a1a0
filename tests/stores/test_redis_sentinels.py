"""Sentinels that name the wrong server, or none: whoever is no primary is not spoken to."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from broker.core.errors import StoreUnavailable
from broker.stores.redis import RedisStores, connect
from tests.outer import need
from tests.stores.redis_servers import ask, bundled, plain, sentinel, wait_for
from tests.stores.redis_world import World

pytestmark = pytest.mark.redis_server
Binary = Callable[[], Path]


def newer() -> Path:
    return need("redis-server", "redis_server")


class Named:
    """Two servers and a Sentinel, which is told whom to name."""

    def __init__(self, one: int, other: int, watcher: int) -> None:
        self.one, self.other, self.watcher = one, other, watcher
        self.url = f"redis+sentinel://127.0.0.1:{watcher}/main"

    def name(self, port: int) -> None:
        """Have the Sentinel name a server, whatever that says of itself."""
        ask(self.watcher, "SENTINEL REMOVE main")
        assert ask(self.watcher, f"SENTINEL MONITOR main 127.0.0.1 {port} 1") == "+OK"


@contextmanager
def named(binary: Binary, folder: Path) -> Iterator[Named]:
    with ExitStack() as stack:
        ports = [stack.enter_context(plain(binary())) for _ in range(2)]
        (folder / "sentinel.conf").touch()
        watcher = stack.enter_context(sentinel(newer(), folder / "sentinel.conf"))
        yield Named(*ports, watcher)


def follow(port: int, primary: int) -> None:
    """Make a server the replica of another."""
    assert ask(port, f"REPLICAOF 127.0.0.1 {primary}") == "+OK"


@pytest.mark.parametrize("binary", [bundled, newer], ids=["6.2", "7"])
async def test_a_primary_that_becomes_a_replica_is_left(binary: Binary, tmp_path: Path) -> None:
    """Its refusal is taken for what it is; the next step asks who the primary is, and goes there.

    Redis 6.2 words it otherwise where a script meets it.
    """
    with named(binary, tmp_path) as found:
        found.name(found.one)
        world = World(RedisStores(connect(found.url)))
        await world.sign_in()
        follow(found.one, found.other)
        found.name(found.other)
        with pytest.raises(StoreUnavailable):
            await world.sign_in()
        await world.sign_in()
        assert ask(found.other, "DBSIZE") != ":0"
        await world.stores.close()


async def test_a_replica_that_is_named_is_not_believed(tmp_path: Path) -> None:
    """Of a Sentinel that was cut off: nothing is read there either, it may be old."""
    with named(newer, tmp_path) as found:
        follow(found.one, found.other)
        wait_for(lambda: ask(found.one, "ROLE") == "*5")
        found.name(found.one)
        world = World(RedisStores(connect(found.url)))
        with pytest.raises(StoreUnavailable) as caught:
            await world.look("0" * 32)
        assert caught.value.__cause__
        assert "no primary but a replica" in str(caught.value.__cause__.__cause__)
        await world.stores.close()


def test_only_under_sentinels_is_anything_listened_to() -> None:
    """One light connection a process, where it is of use."""
    assert set(RedisStores(connect("redis+sentinel://127.0.0.1/main")).beside()) == {"primary"}
    assert RedisStores(connect("redis://127.0.0.1")).beside() == {}
