"""What was read of communities, kept with the identity: by its own times, seldom written."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from sqlalchemy import event

from broker.core.community.model import Community, GuildList, ListedGuild, Standing
from broker.core.model import Profile
from broker.stores.sql.facade import SqlStores
from tests.stores.sql_fixtures import (
    ADA,
    BOB,
    NOW,
    another,
    clock,
    migrated_url,
    stores,
)

__all__ = ["another", "clock", "migrated_url", "stores"]

GUILD, OTHER = "613425648685547541", "613425648685547542"
UNSEEN = replace(ADA, email=None, email_verified=False, email_read=False)


def standing(at: float, *roles: str, guild_id: str = GUILD) -> Standing:
    return Standing(guild_id, NOW + at, member=True, roles=roles, joined_at=NOW - 7.5)


def known(*standings: Standing, listed: GuildList | None = None) -> Community:
    return Community({one.guild_id: one for one in standings}, listed)


def guilds(at: float, *names: str) -> GuildList:
    return GuildList(NOW + at, tuple(ListedGuild(str(n), name) for n, name in enumerate(names)))


async def kept(stores: SqlStores, account_id: str) -> Community:
    facts = await stores.accounts.facts(account_id)
    assert facts is not None
    return facts.community


async def test_facts_name_identities_and_what_was_read(stores: SqlStores) -> None:
    """As it was read, every field of it; nothing where nothing was."""
    read = known(
        replace(standing(1, "2", "1"), nick="Z\u202e“ß”", pending=True, timed_out_until=NOW + 9.5),
        Standing(OTHER, NOW + 2, member=False),
        listed=GuildList(NOW + 3, (ListedGuild("1", "Zoë", owner=True), ListedGuild("2", ""))),
    )
    ada, facts = await stores.accounts.sign_in(ADA, now=NOW, community=read)
    assert facts.identities == {"discord": ADA.subject}
    assert facts.community == read
    assert await stores.accounts.facts(ada) == facts
    _, bobs = await stores.accounts.sign_in(BOB, now=NOW)
    assert bobs.community == Community()


async def test_a_sign_in_never_takes_back_what_was_read_later(stores: SqlStores) -> None:
    """Each part by its own time; the version grows only where something else is said."""
    first = known(standing(10, "1"), listed=guilds(5, "a"))
    ada, before = await stores.accounts.sign_in(ADA, now=NOW, community=first)
    late = known(standing(9, "7"), standing(9, guild_id=OTHER), listed=guilds(6, "a"))
    _, after = await stores.accounts.sign_in(ADA, now=NOW, community=late)
    expected = known(standing(10, "1"), standing(9, guild_id=OTHER), listed=guilds(6, "a"))
    assert after.community == expected
    assert after.version == before.version + 1
    _, again = await stores.accounts.sign_in(ADA, now=NOW, community=known(standing(11, "1")))
    assert again.version == after.version
    assert (await kept(stores, ada)).standings[GUILD] == standing(11, "1")
    _, silent = await stores.accounts.sign_in(ADA, now=NOW)
    assert silent == again


@asynccontextmanager
async def statements(stores: SqlStores) -> AsyncIterator[list[str]]:
    """Every statement that is sent meanwhile."""
    seen: list[str] = []

    def note(_c: object, _u: object, statement: str, *_: object) -> None:
        seen.append(statement.split(maxsplit=1)[0].upper())

    event.listen(stores.engine.sync_engine, "before_cursor_execute", note)
    yield seen
    event.remove(stores.engine.sync_engine, "before_cursor_execute", note)


@pytest.mark.parametrize(
    ("read", "writes", "version"),
    [
        (known(standing(3600, "1")), False, 0),
        (known(standing(3600.5, "1")), True, 0),
        (known(standing(1, "2")), True, 1),
        (known(standing(-1, "2")), False, 0),
        (known(standing(1, guild_id=OTHER)), True, 1),
        (known(listed=guilds(1, "a")), True, 1),
        (Community(), False, 0),
    ],
    ids=["same", "same, old", "other roles", "earlier", "other guild", "list", "nothing"],
)
async def test_a_recheck_is_seldom_a_write(
    stores: SqlStores, read: Community, writes: bool, version: int
) -> None:
    """Only what says something new, or what is kept and more than an hour older."""
    first = known(standing(0, "1"))
    ada, before = await stores.accounts.sign_in(ADA, now=NOW, community=first)
    async with statements(stores) as seen:
        await stores.accounts.keep_community(ada, "discord", read)
    assert ("UPDATE" in seen) == writes
    facts = await stores.accounts.facts(ada)
    assert facts is not None
    assert facts.community == (first.merged(read) if writes else first)
    assert facts.version == before.version + version
    assert facts.claims == before.claims  # updated_at speaks of the profile


async def test_keeping_needs_the_identity(stores: SqlStores) -> None:
    """Nothing happens for an account that is not known, or not at that upstream."""
    ada, before = await stores.accounts.sign_in(ADA, now=NOW)
    await stores.accounts.keep_community(ada, "github", known(standing(1)))
    await stores.accounts.keep_community("0" * 32, "discord", known(standing(1)))
    assert await stores.accounts.facts(ada) == before


async def test_readings_from_several_processes_at_once(
    another: Callable[[], SqlStores],
) -> None:
    """None is lost, and of each guild the latest stays, whoever commits last."""
    processes = [another(), another(), another()]
    ada, _ = await processes[0].accounts.sign_in(ADA, now=NOW)
    places = ("11", "12", "13")
    readings = [
        known(standing(float(at), str(at), guild_id=place)) for at in (3, 1, 2) for place in places
    ]
    await asyncio.gather(
        *(
            processes[n % 3].accounts.keep_community(ada, "discord", reading)
            if n % 2
            else processes[n % 3].accounts.sign_in(ADA, now=NOW, community=reading)
            for n, reading in enumerate(readings)
        )
    )
    expected = known(*(standing(3.0, "3", guild_id=place) for place in places))
    assert await kept(processes[0], ada) == expected


async def test_a_withdrawal_forgets_what_was_read_before(
    another: Callable[[], SqlStores],
) -> None:
    """With the authorization that it was read by; what was read since stays, and comes back."""
    one, two = another(), another()
    read = known(standing(1, "1"), standing(6, guild_id=OTHER), listed=guilds(5, "a"))
    ada, _ = await one.accounts.sign_in(ADA, now=NOW, community=read)
    ended, _ = await asyncio.gather(
        one.accounts.deauthorized("discord", ADA.subject, at=NOW + 5, now=NOW + 9),
        two.accounts.keep_community(ada, "discord", known(standing(8, guild_id="13"))),
    )
    assert ended is not None
    left = known(standing(6, guild_id=OTHER), standing(8, guild_id="13"))
    assert await kept(one, ada) == left
    assert await one.accounts.deauthorized("discord", ADA.subject, at=NOW + 3, now=NOW + 9) is None
    assert await kept(one, ada) == left
    await one.accounts.sign_out(ada, NOW + 20)
    assert await kept(one, ada) == left, "an operator's sign-out forgets nothing"
    assert await one.accounts.deauthorized("discord", ADA.subject, at=NOW + 9, now=NOW + 20) is None
    assert await kept(one, ada) == Community()


async def test_an_address_that_could_not_be_read_stays(stores: SqlStores) -> None:
    """A scope that was not granted this time erases no address; an upstream that has none does."""
    _, before = await stores.accounts.sign_in(ADA, now=NOW)
    _, unseen = await stores.accounts.sign_in(UNSEEN, now=NOW + 1)
    assert unseen == before
    renamed = replace(UNSEEN, username="countess")
    _, after = await stores.accounts.sign_in(renamed, now=NOW + 2)
    assert after.claims["preferred_username"] == "countess"
    assert (after.claims["email"], after.claims["email_verified"]) == (ADA.email, True)
    _, gone = await stores.accounts.sign_in(replace(UNSEEN, email_read=True), now=NOW + 3)
    assert not {"email", "email_verified"} & gone.claims.keys()


@pytest.mark.parametrize("profile", [UNSEEN, replace(UNSEEN, email="x@example.org")])
async def test_an_account_may_begin_without_an_address(stores: SqlStores, profile: Profile) -> None:
    """It has none, whatever a profile that could not be asked says."""
    _, facts = await stores.accounts.sign_in(profile, now=NOW)
    assert not {"email", "email_verified"} & facts.claims.keys()
