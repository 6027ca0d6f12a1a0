"""Redis down, slow, full, read-only, killed: quick failures, nothing acknowledged is lost."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from broker.core.errors import StoreUnavailable
from broker.core.model import Facts
from broker.core.ports import GrantAlive, GrantRefused, Refusal
from broker.stores.embedded import EmbeddedRedis
from broker.stores.redis import RedisStores, connect, health
from broker.stores.redis.scripts import Script, Steps
from keys.errors import KeyStoreUnavailable
from tests.outer import need
from tests.pace import Spent, stood, until
from tests.ports import free_port
from tests.stores.redis_servers import ask, bundled, plain, sentinel, wait_for
from tests.stores.redis_world import ACCOUNT, CLIENT, SID, Announced, World

GONE = Facts(2, "sub-1", consents={})


class Unheard(Steps):
    """Steps of which no replica hears, and nobody waits for that."""

    async def _replicated(self, step: Script, keys: Sequence[str], *args: str) -> int:
        return 0


async def fails_quickly(world: World) -> None:
    """Every step fails as out of reach, within the deadline of 2 s."""
    steps = [
        world.sign_in(),
        world.refresh("0" * 32),
        world.look("0" * 32),
        world.redeem("0" * 32),
        world.try_code(),
        world.stores.sessions.end(ACCOUNT, SID, now=world.now),
        world.stores.accounts.end_all(ACCOUNT, world.facts),
        world.stores.requests.get("0" * 32),
    ]
    async with Spent() as spent:
        answers = await asyncio.gather(*steps, return_exceptions=True)
    assert spent.seconds < 2
    assert [type(answer) for answer in answers] == [StoreUnavailable] * len(steps)
    assert await health(world.stores.client) is not None
    with pytest.raises(KeyStoreUnavailable):
        await world.stores.revocations.revoked_kids()


@pytest.mark.parametrize("scheme", ["redis", "redis+cluster", "redis+sentinel"])
async def test_nobody_listens(scheme) -> None:
    """Where Redis is down every step fails within the deadline, of every kind of address."""
    service = "/main" if scheme == "redis+sentinel" else ""
    client = connect(f"{scheme}://127.0.0.1:{free_port()}{service}")
    world = World(RedisStores(client))
    await fails_quickly(world)
    await world.stores.close()


async def test_a_process_that_stood_still_does_not_call_redis_away(tmp_path: Path) -> None:
    """Its own time was over; whoever asks whether it is ready is not sent elsewhere for that."""
    with EmbeddedRedis(tmp_path, binary=bundled()).start() as server:
        client = connect(server.url)
        for _ in range(2):  # while it connects, and while it asks
            task = asyncio.create_task(health(client))
            await asyncio.sleep(0)
            stood(5.0)
            assert await task is None
        await client.aclose()


async def test_what_redis_answered_while_the_process_stood_still_is_taken(world: World) -> None:
    """At whatever moment of a step; a node of a cluster is not taken for one that hangs."""
    await world.sign_in()
    for moment in range(3, 18):
        task = asyncio.create_task(world.stores.requests.get("0" * 32))
        for _ in range(moment):
            await asyncio.sleep(0)
        stood(5.0)
        assert await task is None


async def test_redis_hangs_and_recovers(tmp_path: Path) -> None:
    """A Redis that is stopped in mid-air fails quickly, and works again once it goes on."""
    with EmbeddedRedis(tmp_path, binary=bundled()).start() as server:
        world = World(RedisStores(connect(server.url)))
        await world.sign_in()
        gid = await world.grant()
        assert server.pid
        os.kill(server.pid, signal.SIGSTOP)
        try:
            await fails_quickly(world)
        finally:
            os.kill(server.pid, signal.SIGCONT)
        answers = await asyncio.gather(*(world.look(gid) for _ in range(50)))
        assert {type(answer) for answer in answers} <= {GrantAlive, GrantRefused}
        await world.stores.close()


async def test_the_pool_exhausted(tmp_path: Path) -> None:
    """More requests than connections wait their turn; on a hanging server they fail quickly."""
    with EmbeddedRedis(tmp_path, binary=bundled()).start() as server:
        client = connect(server.url, pool_size=2)
        world, hasty = World(RedisStores(client)), World(RedisStores(client, deadline=0.5))
        await world.sign_in()
        gid = await world.grant()
        assert all(
            isinstance(answer, GrantAlive)
            for answer in await asyncio.gather(*(world.look(gid) for _ in range(100)))
        )
        assert server.pid
        os.kill(server.pid, signal.SIGSTOP)
        async with Spent() as spent:
            answers = await asyncio.gather(
                *(hasty.look(gid) for _ in range(20)), return_exceptions=True
            )
        os.kill(server.pid, signal.SIGCONT)
        assert spent.seconds < 1
        assert all(isinstance(answer, StoreUnavailable) for answer in answers)
        assert await world.alive(gid)
        await world.stores.close()


async def test_a_cancelled_step_leaves_no_foreign_answer(tmp_path: Path) -> None:
    """A browser that goes away in the middle never makes the next request read its answer."""
    with EmbeddedRedis(tmp_path, binary=bundled()).start() as server:
        world = World(RedisStores(connect(server.url, pool_size=2)))
        await world.sign_in()
        gid = await world.grant()
        for pause in range(40):
            task = asyncio.ensure_future(world.stores.requests.get("0" * 32))
            for _ in range(pause % 8):
                await asyncio.sleep(0)
            task.cancel()
            answer = await world.look(gid)
            assert isinstance(answer, GrantAlive)
            assert answer.grant.grant_id == gid
        await world.stores.close()


async def test_killed_under_load_loses_nothing_acknowledged(tmp_path: Path) -> None:
    """After kill -9 in mid-load every acknowledged refresh token works, and none works twice."""
    server = EmbeddedRedis(tmp_path, binary=bundled()).start()
    world = World(RedisStores(connect(server.url)))
    await world.sign_in()
    acknowledged = {await world.grant(): 1 for _ in range(8)}

    async def refresh(gid: str) -> None:
        while True:
            try:
                answer = await world.refresh(gid, acknowledged[gid])
            except StoreUnavailable:
                return
            assert isinstance(answer, GrantAlive)
            acknowledged[gid] = answer.grant.generation

    load = [asyncio.ensure_future(refresh(gid)) for gid in acknowledged]
    await until(lambda: sum(acknowledged.values()) > 100)
    first = server.pid
    assert first
    os.kill(first, signal.SIGKILL)
    await asyncio.gather(*load)
    wait_for(lambda: server.pid not in (None, first))
    for gid, generation in acknowledged.items():
        answer = await until_up(world, gid, generation)
        assert isinstance(answer, GrantAlive)
        assert answer.rotation != "adopted", "the last acknowledged write was lost"
        world.now += 11
        again = await world.refresh(gid, generation)
        assert again == GrantRefused(Refusal.REUSED, ended=gid)
        world.now -= 11
    await world.stores.close()
    server.stop()


async def until_up(world: World, gid: str, generation: int) -> GrantAlive | GrantRefused:
    for _ in range(200):
        try:
            return await world.refresh(gid, generation)
        except StoreUnavailable:
            await asyncio.sleep(0.02)
    raise AssertionError("Redis did not come back")


async def test_a_redis_that_evicts_is_refused() -> None:
    """A server that may drop keys is not ready, and says how to mend it."""
    with plain(bundled(), "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru") as port:
        client = connect(f"redis://127.0.0.1:{port}")
        assert "configured to evict" in (await health(client) or "")
        await client.config_set("maxmemory-policy", "noeviction")
        assert await health(client) is None
        await client.aclose()


async def test_a_full_redis_is_unavailable() -> None:
    """Out of memory, a step that writes fails as a whole."""
    with plain(bundled()) as port:
        world = World(RedisStores(connect(f"redis://127.0.0.1:{port}")))
        await world.sign_in()
        gid = await world.grant()
        before = await world.everything()
        await world.stores.client.config_set("maxmemory", 1)
        with pytest.raises(StoreUnavailable):
            await world.refresh(gid)
        await world.stores.client.config_set("maxmemory", 0)
        assert await world.everything() == before
        await world.stores.close()


async def test_endings_wait_for_a_replica() -> None:
    """With replicas asked for, an ending is acknowledged once one has it, and not before."""
    with plain(bundled()) as port, plain(bundled(), "--replicaof", "127.0.0.1", str(port)) as other:
        wait_for(lambda: (ask(other, "ROLE") or "").startswith("*5"))
        world = World(RedisStores(connect(f"redis://127.0.0.1:{port}"), replicas=1))
        wait_for(lambda: ask(port, "WAIT 1 100") == ":1")
        replica = connect(f"redis://127.0.0.1:{other}")
        assert "replica" in (await health(replica) or "")
        await world.sign_in()
        gid = await world.grant()
        assert await world.stores.grants.end(ACCOUNT, gid, CLIENT)
        assert await replica.execute_command("EXISTS", world.key(f"grant:{gid}")) == 0
        gid = await world.grant()
        ask(other, "REPLICAOF NO ONE")
        for _ in range(2):  # repeating it does not help either
            with pytest.raises(StoreUnavailable):
                await world.stores.grants.end(ACCOUNT, gid, CLIENT)
        with pytest.raises(StoreUnavailable):
            await world.stores.sessions.end(ACCOUNT, SID, now=world.now)
        await world.stores.close()
        await replica.aclose()


@pytest.mark.parametrize(
    "end",
    [
        lambda world, stores, gid: stores.sessions.end(ACCOUNT, SID, now=world.now),
        lambda world, stores, gid: stores.sessions.end_vouched(ACCOUNT, "discord", until=world.now),
        lambda world, stores, gid: stores.grants.end(ACCOUNT, gid, CLIENT),
        lambda world, stores, gid: stores.accounts.end_all(ACCOUNT, GONE),
        lambda world, stores, gid: stores.accounts.end_access(
            ACCOUNT, GONE, CLIENT, until=world.now, consented=True
        ),
        lambda world, stores, gid: stores.accounts.erase(ACCOUNT, now=world.now),
    ],
    ids=["session", "sessions", "grant", "account", "access", "erasure"],
)
async def test_an_ending_that_is_repeated_writes_again(
    world: World, end: Callable[[World, RedisStores, str], Awaitable[object]]
) -> None:
    """Else WAIT, which covers the writes of its own connection, would say that replicas have it."""
    await world.sign_in()
    gid = await world.grant()
    client, prefix = world.stores.client, world.stores.grants._names.prefix
    careful = RedisStores(client, prefix=prefix, replicas=1, make_steps=Unheard)
    for part in (careful.sessions, careful.accounts):
        part._notices = Announced()  # type: ignore[assignment]
    for _ in range(2):
        assert world.key("ended") not in await world.everything()
        with pytest.raises(StoreUnavailable):
            await end(world, careful, gid)
        assert world.key("ended") in await world.everything()
        await client.delete(world.key("ended"))
    await end(world, world.stores, gid)
    assert world.key("ended") not in await world.everything()


@pytest.mark.redis_server
async def test_endings_wait_on_a_cluster_too(redis_cluster_url: str) -> None:
    """A cluster without replicas cannot acknowledge an ending when one is asked for."""
    world = World(RedisStores(connect(redis_cluster_url), prefix="wait:", replicas=1))
    await world.sign_in()
    gid = await world.grant()
    with pytest.raises(StoreUnavailable) as caught:
        await world.stores.grants.end(ACCOUNT, gid, CLIENT)
    assert "0 of 1 replicas" in caught.value.private
    assert await world.look(gid) == GrantRefused(Refusal.UNKNOWN)
    await world.stores.close()


@pytest.mark.redis_server
async def test_sentinel_names_the_master(tmp_path: Path) -> None:
    """An address with a Sentinel leads to the master that it names."""
    binary = need("redis-server", "redis_server")
    with plain(binary) as port:
        settings = tmp_path / "sentinel.conf"
        settings.write_text(f"sentinel monitor main 127.0.0.1 {port} 1\n")
        with sentinel(binary, settings) as watcher:
            client = connect(f"redis+sentinel://127.0.0.1:{watcher}/main/0")
            assert await health(client) is None
            world = World(RedisStores(client))
            assert await world.sign_in()
            assert ask(port, "DBSIZE") != ":0"
            await world.stores.close()


@pytest.mark.parametrize(
    ("where", "words"), [("initialize", ("GET", "any")), ("execute_command", ("PING",))]
)
@pytest.mark.parametrize("kind", [AttributeError, KeyError, IndexError, ValueError, RuntimeError])
async def test_a_cluster_that_changes_under_a_step(
    redis_cluster_url: str,
    monkeypatch: pytest.MonkeyPatch,
    kind: type[Exception],
    where: str,
    words: tuple[str, ...],
) -> None:
    """What the client trips over in its own tables then is Redis away, not a fault of ours."""
    client = connect(redis_cluster_url)

    async def trip(*_: object) -> None:
        raise kind("nodes_cache")

    monkeypatch.setattr(client, where, trip)
    with pytest.raises(StoreUnavailable) as caught:
        await Steps(client).command(*words)
    assert "nodes_cache" in caught.value.private
    await client.aclose()
