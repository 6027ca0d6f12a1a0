"""Bounds: round trips, sizes, the index's cap, and scripts that the server forgot."""

from dataclasses import replace
from pathlib import Path

import pytest
from redis.client import NEVER_DECODE

from broker.core.ports import CodeIssued, GrantAlive
from broker.stores.redis import RedisStores, connect
from broker.stores.redis.scripts import FOLDER
from tests.stores.redis_world import ACCOUNT, CLIENT, World


async def calls(world: World) -> int:
    """How many scripts were called over the wire so far."""
    stats = await world.stores.client.info("commandstats")
    return sum(stats.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("evalsha", "eval"))


async def test_every_step_is_one_round_trip(world: World) -> None:
    """Code, redemption, refresh, look and endings each cost one EVALSHA and nothing else."""
    await world.sign_in()
    gid = await world.grant()
    await world.refresh(gid)
    await world.look(gid)
    await world.stores.grants.end(ACCOUNT, gid, CLIENT)
    gid = await world.grant()
    code = world.new_id()
    steps = [
        lambda: world.try_code(code),
        lambda: world.redeem(code),
        lambda: world.refresh(gid),
        lambda: world.look(gid),
        lambda: world.stores.grants.end(ACCOUNT, gid, CLIENT),
    ]
    for step in steps:
        before = await calls(world)
        await step()
        assert await calls(world) - before == 1


async def test_a_refresh_is_one_command_on_the_wire(bundled_redis_url: str) -> None:
    """A refresh sends exactly one command (seen by MONITOR, which sees everything)."""
    world = World(RedisStores(connect(bundled_redis_url), prefix="wire:"))
    await world.sign_in()
    gid = await world.grant()
    await world.refresh(gid)
    seen: list[str] = []
    async with world.stores.client.monitor() as monitor:
        await world.refresh(gid, 2)
        await world.stores.client.ping()
        async for command in monitor.listen():
            name = command["command"].split()[0]
            if command["client_type"] != "lua" and name not in ("HELLO", "CLIENT"):
                seen.append(name)
            if name == "PING":
                break
    assert seen == ["EVALSHA", "PING"]
    await world.stores.close()


async def test_a_forgotten_script_is_sent_again(world: World) -> None:
    """After SCRIPT FLUSH, or a restart, the very next step works."""
    await world.sign_in()
    gid = await world.grant()
    await world.stores.client.script_flush()
    answer = await world.refresh(gid)
    assert isinstance(answer, GrantAlive)
    assert answer.grant.generation == 2


async def test_a_grant_is_small_and_stays_so(world: World) -> None:
    """A grant with its index entry weighs at most 1 kB, however often it is refreshed."""
    client = world.stores.client
    await world.sign_in()
    for _ in range(20):
        await world.grant(scope="openid profile email offline_access")
    index = await client.memory_usage(world.key("index"), samples=0)
    gid = await world.grant(scope="openid profile email offline_access")
    entry = await client.memory_usage(world.key("index"), samples=0) - index
    for generation in range(1, 41):
        world.now += 0.01
        await world.refresh(gid, generation)
    burst = await client.memory_usage(world.key(f"grant:{gid}"))
    assert burst + entry <= 1024
    for generation in range(41, 1041):
        world.now += 0.01
        await world.refresh(gid, generation)
    size = await client.memory_usage(world.key(f"grant:{gid}"))
    assert abs(size - burst) <= 64
    assert size + entry <= 1024


async def test_the_first_grant_is_small_too(world: World) -> None:
    """One person, one app: what the grant adds to the account's index is a short entry."""
    client = world.stores.client
    await world.sign_in()
    before = await client.memory_usage(world.key("index"), samples=0)
    world.request = replace(world.request, client_id="c" * 24)  # as they are made
    gid = await world.grant(client_id="c" * 24)
    after = await client.memory_usage(world.key("index"), samples=0)
    record = await client.memory_usage(world.key(f"grant:{gid}"), samples=0)
    assert after - before <= 160
    assert record + after - before <= 1024 / 2


@pytest.mark.parametrize("how", ["session", "account", "grant"])
async def test_what_an_earlier_release_entered_ends_as_well(world: World, how: str) -> None:
    """Its entries in the index are longer; whatever ends finds them all the same."""
    await world.sign_in()
    gid, code = await world.grant(), await world.code()
    index, client, end = world.key("index"), world.stores.client, world.now + 1000
    now_there = await client.execute_command("ZRANGE", index, 0, -1, **{NEVER_DECODE: []})
    await client.zrem(index, *(one for one in now_there if one[:2] != b"s:"))
    sid = world.session.sid
    await client.zadd(index, {f"g:{gid}:{sid}:0:{CLIENT}": end, f"c:{code}:{sid}": end})
    if how == "session":
        ended = await world.stores.sessions.end(ACCOUNT, sid, now=world.now)
        assert ended.grants == ((gid, CLIENT),)
        assert index not in await world.everything()
    elif how == "account":
        await world.stores.accounts.end_all(
            ACCOUNT, replace(world.facts, version=2, not_before=world.now)
        )
        assert index not in await world.everything()
    else:
        await world.stores.grants.end(ACCOUNT, gid, CLIENT)
        left = [member for member, _ in (await world.everything())[index]]
        assert not any(gid in member for member in left)
    assert not await world.alive(gid)


async def test_every_spending_within_the_grace_time_is_remembered(world: World) -> None:
    """A spent token answers during the grace time however many came since, and never after it."""
    await world.sign_in()
    gid = await world.grant()
    for generation in range(1, 41):
        world.now += 0.1
        assert isinstance(await world.refresh(gid, generation), GrantAlive)
    for generation in range(1, 41):
        assert isinstance(await world.refresh(gid, generation), GrantAlive)
    world.now += 6.2
    assert isinstance(await world.refresh(gid, 30), GrantAlive)
    assert not isinstance(await world.refresh(gid, 1), GrantAlive)


async def test_the_index_is_capped(stores: RedisStores) -> None:
    """Beyond the cap those nearest to their end are deleted, and nothing lives unindexed."""
    names = stores.sessions._names
    world = World(RedisStores(stores.client, prefix=names.prefix, index_cap=10))
    await world.sign_in()
    grants = []
    for _ in range(20):
        world.now += 1
        grants.append(await world.grant())
    members = [member for member, _ in (await world.everything())[world.key("index")]]
    assert len(members) == 10
    assert f"s:{world.session.sid}" in members, "the session in use is not what falls out"
    alive = [gid for gid in grants if await world.alive(gid)]
    assert alive == grants[-9:]
    records = [key for key in await world.everything() if ":grant:" in key]
    assert len(records) == 9


async def test_launches_do_not_push_people_out_of_their_browsers(stores: RedisStores) -> None:
    """Of a program's grants with a session each the oldest go, whole, before anything else."""
    names = stores.sessions._names
    world = World(RedisStores(stores.client, prefix=names.prefix, index_cap=10))
    await world.sign_in()
    browser, mine = world.session, await world.grant()
    launched = [f"{n:032x}" for n in range(0xA00, 0xA14)]
    for own in launched:
        world.now += 1
        await world.sign_in(sid=own, created_at=world.now, expires_at=world.now + 90 * 86400)
        await world.grant(grant_id=own)
    sessions, grants = await world.stores.accounts.living(ACCOUNT, now=world.now)
    kept = launched[-4:]
    assert {one.sid for one in sessions} == {browser.sid, *kept}
    assert {one.grant_id for one in grants} == {mine, *kept}
    assert len((await world.everything())[world.key("index")]) == 10


async def test_a_full_index_still_issues_codes(stores: RedisStores) -> None:
    """A code is nearest to its end of all, and yet not dropped the moment it is made."""
    names = stores.sessions._names
    world = World(RedisStores(stores.client, prefix=names.prefix, index_cap=3))
    await world.sign_in()
    for _ in range(5):
        await world.grant()
    code = world.new_id()
    assert isinstance(await world.try_code(code), CodeIssued)
    assert isinstance(await world.redeem(code), GrantAlive)


async def test_the_index_sheds_what_is_over(world: World) -> None:
    """Members beyond their end are dropped, with what they name, as the index is touched."""
    await world.sign_in(expires_at=world.now + 10**7)
    await world.code()
    gid = await world.grant(grant_lifetime=100)
    world.now += 200
    await world.code()
    found = await world.everything()
    assert world.key(f"grant:{gid}") not in found
    kinds = sorted(member[0] for member, _ in found[world.key("index")])
    assert kinds == ["c", "s"]


async def test_everything_expires_in_redis_too(world: World) -> None:
    """Every key has an expiry of Redis' own, later than its record's end."""
    await world.sign_in()
    gid = await world.grant()
    code = await world.code()
    client = world.stores.client
    for key in await world.everything():
        assert await client.ttl(key) > 0
    assert 60 < await client.ttl(world.key(f"code:{code}")) <= 120
    assert 30 * 86400 < await client.ttl(world.key(f"grant:{gid}")) <= 30 * 86400 + 3600
    assert await client.ttl(world.key("facts")) >= 90 * 86400
    assert await client.ttl(world.key("index")) >= 90 * 86400


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.lua")), ids=lambda path: path.stem)
def test_every_script_states_its_contract(path: Path) -> None:
    """A script's header says what it does, its keys, arguments, answers and invariant."""
    header = []
    for line in path.read_text("utf-8").splitlines():
        if not line.startswith("--"):
            break
        header.append(line)
    text = "\n".join(header)
    for word in ("-- KEYS", "-- ARGV", "-- Answers", "-- Invariant"):
        assert word in text
