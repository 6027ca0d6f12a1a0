"""Guilds: what operators say of them, versioned, remembered and followed as APIs are."""

import asyncio
from collections.abc import Callable
from dataclasses import fields, replace

import pytest

from broker.core.community.registry import Guild
from broker.stores.sql.audit import AuditFilter
from broker.stores.sql.errors import AlreadyExists, EditConflict, NotFound
from broker.stores.sql.facade import SqlStores
from tests.stores.sql_fixtures import NOW, Hands, another, clock, migrated_url, stores

__all__ = ["another", "clock", "migrated_url", "stores"]

PLAIN = Guild("613425648685547541", "Plain")
FULL = Guild(
    "613425648685547542",
    "The “guild” of Zoë",
    "https://discord.gg/abc",
    {"613425648685547543": "Admins", "613425648685547544": "Ärzte"},
)


async def test_every_field_comes_back(stores: SqlStores) -> None:
    """A registration is read as it was written, whatever field is set."""
    same = [f.name for f in fields(Guild) if getattr(FULL, f.name) == getattr(PLAIN, f.name)]
    assert same == []
    for guild in (FULL, PLAIN):
        added = await stores.guilds.add(guild, now=NOW)
        assert (added.guild, added.version) == (guild, 1)
        assert (added.created_at, added.updated_at) == (NOW, NOW)
        assert await stores.guilds.get(guild.guild_id) == added
    assert [record.guild for record in await stores.guilds.list()] == [PLAIN, FULL]
    assert await stores.guilds.get("1") is None


async def test_a_guild_is_registered_once(stores: SqlStores) -> None:
    """The refusal names it."""
    await stores.guilds.add(PLAIN, now=NOW)
    with pytest.raises(AlreadyExists, match=f"guild {PLAIN.guild_id} is registered already"):
        await stores.guilds.add(replace(FULL, guild_id=PLAIN.guild_id), now=NOW)


async def test_edits_and_removals_are_remembered(stores: SqlStores) -> None:
    """Each edit names the version it was made from; what changed is in the log, by whom too."""
    await stores.guilds.add(FULL, now=NOW)
    wanted = replace(FULL, invite=None, roles={"613425648685547543": "Owners"})
    edited = await stores.guilds.edit(wanted, version=1, now=NOW + 1, actor="console")
    assert (edited.guild, edited.version, edited.updated_at) == (wanted, 2, NOW + 1)
    assert await stores.guilds.edit(wanted, version=2, now=NOW + 2) == edited
    with pytest.raises(EditConflict):
        await stores.guilds.edit(FULL, version=1, now=NOW + 2)
    assert await stores.guilds.remove(FULL.guild_id, now=NOW + 3) == edited
    for call in (
        stores.guilds.edit(FULL, version=2, now=NOW),
        stores.guilds.remove(FULL.guild_id, now=NOW),
    ):
        with pytest.raises(NotFound, match=f"no guild {FULL.guild_id}"):
            await call
    entries = await stores.audit.page(AuditFilter(kind="guild."))
    assert [(e.event.kind, e.event.actor, e.event.detail) for e in reversed(entries)] == [
        ("guild.added", "operator", {"guild": FULL.guild_id}),
        ("guild.edited", "console", {"guild": FULL.guild_id, "fields": ["invite", "roles"]}),
        ("guild.removed", "operator", {"guild": FULL.guild_id}),
    ]


async def test_edits_of_other_processes_are_followed(
    another: Callable[[], SqlStores], clock: Hands
) -> None:
    """Within an interval; nothing is asked of SQL in between, however long that is."""
    one, two = another(), another()
    stop = asyncio.Event()
    task = asyncio.create_task(one.followed_guilds.follow(stop))

    async def until(wanted: dict[str, Guild]) -> None:
        async with asyncio.timeout(10):
            while await one.followed_guilds.registered() != wanted:
                await asyncio.sleep(0.01)

    await two.guilds.add(FULL, now=NOW)
    await until({FULL.guild_id: FULL})
    renamed = replace(FULL, name="Renamed")
    await two.guilds.edit(renamed, version=1, now=NOW)
    await until({FULL.guild_id: renamed})
    await two.guilds.remove(FULL.guild_id, now=NOW)
    await until({})
    stop.set()
    await task
