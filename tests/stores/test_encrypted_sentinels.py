"""Sentinels as operating.md hardens them: TLS to them and to the servers, a user of their own."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from redis import Redis

from broker.core.errors import StoreUnavailable
from broker.stores.redis import RedisStores, connect
from tests.outer import need
from tests.running import ROOT
from tests.stores.encrypted import Certified, certificate, certify, encrypted
from tests.stores.redis_servers import ask, sentinel, wait_for

pytestmark = pytest.mark.redis_server
GUIDE = ROOT / "deploy" / "operating.md"
THEIRS = "&sentinel_user=broker&sentinel_password=s%25c%2Bret"
OPERATOR = "user default on >operator ~* &* +@all\n"


def rules() -> str:
    """The guide's user of a Sentinel, beside one that may do all."""
    found = re.search(r"^user broker on >SENTINELS .*$", GUIDE.read_text("utf-8"), re.MULTILINE)
    assert found
    return f"{OPERATOR}{found[0]}\n".replace("SENTINELS", "s%c+ret")


class Group:
    """A server and a Sentinel that watches it; both speak TLS alone.

    Args:
        folder: where their files go.
        stack: ends them.
    """

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self.certified = certify(self._new("certified"))
        started = encrypted(self._new("server"), self.certified, OPERATOR)
        self.server = stack.enter_context(started)
        self.watcher = self.watching("watcher", self.certified)

    def _new(self, name: str) -> Path:
        (self._folder / name).mkdir()
        return self._folder / name

    def watching(self, name: str, certified: Certified) -> int:
        """Start a Sentinel that shows that certificate; return its port."""
        watched = (
            f"sentinel monitor main 127.0.0.1 {self.server} 1",
            "sentinel auth-pass main operator",
        )
        started = encrypted(self._new(name), certified, rules(), *watched, sentinel=True)
        return self._stack.enter_context(started)

    def speak(self, port: int) -> Redis:
        """Return an operator's client of one of them."""
        url = f"rediss://:operator@127.0.0.1:{port}?{self.certified.words}"
        return Redis.from_url(url, decode_responses=True)

    def stores(self, watcher: int, more: str = THEIRS) -> RedisStores:
        """Return stores as a broker has them."""
        words = f"{self.certified.words}{more}"
        return RedisStores(connect(f"rediss+sentinel://:operator@127.0.0.1:{watcher}/main?{words}"))


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Group]:
    """They run."""
    with ExitStack() as stack:
        yield Group(tmp_path_factory.mktemp("group"), stack)


async def refused(stores: RedisStores) -> str:
    """Return why a step is refused."""
    with pytest.raises(StoreUnavailable) as caught:
        await stores._steps.command("PING")
    await stores.close()
    assert caught.value.__cause__
    return str(caught.value.__cause__.__cause__ or caught.value.__cause__)


async def test_sentinels_and_servers_speak_tls(group: Group) -> None:
    """A step finds its server, and changes are listened for, all under the guide's user."""
    stores, stop = group.stores(group.watcher), asyncio.Event()
    assert await stores._steps.command("SET", "key", "written") == "OK"
    with group.speak(group.server) as server:
        assert server.get("key") == "written"
    following = asyncio.create_task(stores.beside()["primary"](stop))
    with group.speak(group.watcher) as watcher:
        listens = lambda: " sub=2 " in watcher.execute_command("CLIENT", "LIST", "TYPE", "pubsub")  # noqa: E731
        await asyncio.to_thread(wait_for, listens)
        assert watcher.info("errorstats").keys() <= {"errorstat_NOAUTH"}, "of waiting for its start"
    stop.set()
    await following
    await stores.close()


async def test_a_sentinel_of_another_authority_is_refused(group: Group) -> None:
    """Whoever it would name is not asked for: it may be anybody."""
    stranger, _ = certificate(group._new("elsewhere"), "stranger")
    watcher = group.watching("stranger", replace(group.certified, server=stranger))
    assert "certificate verify failed" in await refused(group.stores(watcher))


@pytest.mark.parametrize("more", ["", "&sentinel_password=operat0r", "&sentinel_user=broker"])
async def test_sentinels_ask_for_their_own_password(group: Group, more: str) -> None:
    """They are not shown that of the servers, which here would do."""
    told = await refused(group.stores(group.watcher, more))
    assert re.search("HELLO must be called|invalid username-password", told)


async def test_a_sentinel_without_tls_is_spoken_to_only_on_demand(
    group: Group, tmp_path: Path
) -> None:
    """Nothing is told in clear because something goes wrong; servers speak TLS all the same."""
    (tmp_path / "settings").write_text(f"sentinel monitor main 127.0.0.1 {group.server} 1")
    with sentinel(need("redis-server", "redis_server"), tmp_path / "settings") as watcher:
        assert "no primary" in await refused(group.stores(watcher, ""))
        stores = group.stores(watcher, "&sentinel_ssl=no")
        assert await stores._steps.command("SET", "key", "again") == "OK"
        await stores.close()
        assert ask(group.server, "PING") in {None, ""}
