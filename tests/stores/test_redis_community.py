"""Community facts beside grants: merged by their own times, judged in the step that needs them."""

import asyncio
import json
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.core.community.model import Community, GuildList, ListedGuild, Standing
from broker.core.model import Facts
from broker.core.ports import (
    CommunityWanted,
    GrantAlive,
    GrantRefused,
    Proof,
    Refusal,
    Rotation,
)
from broker.stores.redis import RedisStores, connect
from tests.stores.redis_world import ACCOUNT, SID, START, World

GUILD, OTHER_GUILD, THIRD = "613425648685547541", "613425648685547542", "613425648685547543"
IDENTITIES = {"discord": "80351110224678912"}
_numbers = count()


def standing(at: float, guild_id: str = GUILD, *roles: str) -> Standing:
    return Standing(guild_id, START + at, member=True, roles=roles or ("1", "2"))


def everything_of_one(at: float) -> Standing:
    return Standing(
        GUILD,
        START + at,
        member=True,
        nick="Zoë “\u202ex”",
        roles=("3", "1"),
        joined_at=START - 5.25,
        pending=True,
        timed_out_until=START + 60.5,
    )


def listed(at: float, *names: str) -> GuildList:
    guilds = (ListedGuild(str(n), name, owner=n == 0) for n, name in enumerate(names))
    return GuildList(START + at, tuple(guilds))


def known(*standings: Standing, listed: GuildList | None = None) -> Community:
    return Community({one.guild_id: one for one in standings}, listed)


@pytest.fixture
def world(world: World) -> World:
    """An account with an identity."""
    world.facts = replace(world.facts, identities=IDENTITIES)
    return world


async def facts_now(world: World) -> Facts:
    found = await world.stores.sessions.look(ACCOUNT, SID, 1, now=world.now)
    assert found
    return found[1]


async def test_community_facts_come_back_whole(world: World) -> None:
    """Every field of every part, by whatever step it is asked for."""
    whole = known(
        everything_of_one(1),
        Standing(OTHER_GUILD, START + 2, member=False),
        listed=listed(3, "Zoë", "b"),
    )
    world.facts = replace(world.facts, community=whole)
    await world.sign_in()
    assert await facts_now(world) == world.facts
    asked = CommunityWanted((GUILD, OTHER_GUILD), listing=True)
    answer = await world.redeem(await world.code(), community=asked)
    assert isinstance(answer, GrantAlive)
    gid = answer.grant.grant_id
    look = world.stores.grants.look
    for alive in (
        answer,
        await world.refresh(gid, community=asked),
        await look(ACCOUNT, gid, now=world.now, community=asked),
    ):
        assert isinstance(alive, GrantAlive)
        assert alive.facts == replace(world.facts, consents={})


async def test_steps_answer_with_what_is_wanted_alone(world: World) -> None:
    """Nothing for nothing; identities alone; some guilds, those never read left out."""
    world.facts = replace(
        world.facts, community=known(standing(1), standing(2, OTHER_GUILD), listed=listed(3, "a"))
    )
    await world.sign_in()
    gid = await world.grant()

    async def told(wanted: CommunityWanted | None) -> Facts:
        answer = await world.stores.grants.look(ACCOUNT, gid, now=world.now, community=wanted)
        assert isinstance(answer, GrantAlive)
        return answer.facts

    assert (await told(None)).identities == {}
    assert (await told(None)).community == Community()
    assert (await told(CommunityWanted())).identities == IDENTITIES
    assert (await told(CommunityWanted())).community == Community()
    assert (await told(CommunityWanted((OTHER_GUILD, THIRD)))).community == known(
        standing(2, OTHER_GUILD)
    )
    assert (await told(CommunityWanted(listing=True))).community == known(listed=listed(3, "a"))


async def test_a_part_is_replaced_by_a_later_one_alone(world: World) -> None:
    """Each by itself, whatever order they arrive in; nothing else of the facts moves."""
    await world.sign_in()
    put = world.stores.accounts.put_community
    await put(ACCOUNT, known(standing(10), listed=listed(5, "a")))
    await put(ACCOUNT, known(standing(9, GUILD, "7"), standing(9, OTHER_GUILD)))
    await put(ACCOUNT, known(standing(10, GUILD, "8"), listed=listed(6, "b")))
    await put(ACCOUNT, Community())
    expected = known(standing(10), standing(9, OTHER_GUILD), listed=listed(6, "b"))
    assert await facts_now(world) == replace(world.facts, community=expected)
    await put(ACCOUNT, known(standing(10.001, GUILD, "9")))
    assert (await facts_now(world)).community.standings[GUILD].roles == ("9",)


async def test_newer_facts_keep_what_was_read_later(world: World) -> None:
    """SQL was read before the guild was: its newer version must not bring back a lost role."""
    await world.sign_in()
    await world.stores.accounts.put_community(ACCOUNT, known(standing(10), standing(1, THIRD)))
    older = known(standing(4, GUILD, "5"), standing(4, OTHER_GUILD), standing(4, THIRD, "6"))
    newer = replace(world.facts, version=2, consents={}, community=older)
    await world.stores.accounts.put_facts(ACCOUNT, newer)
    expected = known(standing(10), standing(4, OTHER_GUILD), standing(4, THIRD, "6"))
    assert await facts_now(world) == replace(newer, community=expected)


async def test_older_facts_may_know_more_of_a_guild(world: World) -> None:
    """Parts have times of their own: those of an older version are put where they are newer."""
    world.facts = replace(world.facts, version=5)
    await world.sign_in()
    late = replace(world.facts, version=4, sub="other", community=known(standing(3)))
    await world.stores.accounts.put_facts(ACCOUNT, late)
    assert await facts_now(world) == replace(world.facts, community=known(standing(3)))


async def test_a_consent_s_newer_facts_keep_the_parts(world: World) -> None:
    """The step that writes a code puts facts too."""
    await world.sign_in()
    await world.stores.accounts.put_community(ACCOUNT, known(standing(1)))
    newer = replace(world.facts, version=2, consents={"app": "openid"})
    await world.try_code(facts=newer)
    assert await facts_now(world) == replace(newer, community=known(standing(1)))


async def test_what_was_read_of_one_person_is_not_another_s(world: World) -> None:
    """Another identity drops the parts, and those that come late with the former are not put."""
    world.facts = replace(world.facts, community=known(standing(9), listed=listed(9, "a")))
    await world.sign_in()
    other = replace(
        world.facts,
        version=2,
        identities={"discord": "2"},
        community=known(standing(1, OTHER_GUILD)),
    )
    await world.stores.accounts.put_facts(ACCOUNT, other)
    assert await facts_now(world) == other
    await world.stores.accounts.put_facts(ACCOUNT, world.facts)
    assert await facts_now(world) == other


async def test_a_withdrawal_forgets_what_was_read_before(world: World) -> None:
    """Up to its moment, at a repeated delivery too; any other ending leaves it to be judged."""
    read = known(standing(1), standing(6, OTHER_GUILD), listed=listed(5, "a"))
    world.facts = replace(world.facts, community=read)
    await world.sign_in()
    end_all, left = world.stores.accounts.end_all, known(standing(6, OTHER_GUILD))

    async def parts() -> set[str]:
        fields = await world.stores.client.hkeys(world.key("facts"))
        return {name for name in fields if name[:2] in {"gl", "g:"}}

    out = replace(world.facts, version=2, not_before=START + 5, community=left)
    await end_all(ACCOUNT, out)
    assert len(await parts()) == 3
    for _ in range(2):
        await end_all(ACCOUNT, out, since_stays=True)
        assert await parts() == {f"g:{OTHER_GUILD}"}


async def test_parts_may_come_before_their_facts(world: World) -> None:
    """They do not stand for facts, are kept for them, and go some day if none come."""
    await world.sign_in()
    gid = await world.grant(scope="openid offline_access")
    await world.stores.client.delete(world.key("facts"))
    await world.stores.accounts.put_community(ACCOUNT, known(standing(1)))
    assert 0 < await world.stores.client.ttl(world.key("facts")) <= 7 * 86400
    wanted = CommunityWanted((GUILD,), read_after=START)
    assert await world.refresh(gid, community=wanted) == GrantRefused(Refusal.NO_FACTS)
    await world.stores.accounts.put_facts(ACCOUNT, world.facts)
    answer = await world.refresh(gid, community=wanted)
    assert isinstance(answer, GrantAlive)
    assert answer.facts.community == known(standing(1))


async def test_putting_parts_shortens_no_life(world: World) -> None:
    """Facts live as long as the grants that need them, however often parts are put."""
    await world.sign_in()
    await world.grant()
    await world.stores.accounts.put_community(ACCOUNT, known(standing(1)))
    assert await world.stores.client.ttl(world.key("facts")) >= 90 * 86400


@pytest.mark.parametrize(
    "wanted",
    [
        CommunityWanted((GUILD,), read_after=START + 5.001),
        CommunityWanted((GUILD, OTHER_GUILD), read_after=START),
        CommunityWanted(listing=True, read_after=START),
        CommunityWanted((GUILD,), listing=True, read_after=START),
    ],
    ids=["older", "one missing", "list missing", "list missing beside one"],
)
async def test_a_refusal_for_stale_facts_changes_nothing(
    world: World, wanted: CommunityWanted
) -> None:
    """No generation is spent, no proof used up, no time moved: the same request works after."""
    world.facts = replace(world.facts, community=known(standing(5)))
    await world.sign_in()
    gid = await world.grant()
    world.now += 60
    before = await world.everything()
    proof = Proof("jkt", "a-proof", 60)
    refused = await world.refresh(gid, community=wanted, proof=proof)
    assert refused == GrantRefused(Refusal.STALE_FACTS)
    assert await world.everything() == before
    fresh = known(standing(60), standing(60, OTHER_GUILD), listed=listed(60, "a"))
    await world.stores.accounts.put_community(ACCOUNT, fresh)
    answer = await world.refresh(gid, community=wanted, proof=proof)
    assert isinstance(answer, GrantAlive)
    assert (answer.rotation, answer.grant.generation) == (Rotation.ROTATED, 2)
    used = await world.refresh(gid, 2, community=wanted, proof=proof)
    assert used == GrantRefused(Refusal.PROOF)


async def test_a_moment_is_the_last_that_is_too_old(world: World) -> None:
    """Read at that very moment is fresh; without one, any age is, and absence too."""
    world.facts = replace(world.facts, community=known(standing(5)))
    await world.sign_in()
    gid = await world.grant()
    for generation, wanted in enumerate(
        (
            CommunityWanted((GUILD,), read_after=START + 5),
            CommunityWanted((GUILD, THIRD), listing=True),
            CommunityWanted(read_after=START + 99),
        ),
        start=1,
    ):
        assert isinstance(await world.refresh(gid, generation, community=wanted), GrantAlive)


async def test_stale_facts_are_judged_after_the_scope(world: World) -> None:
    """What is wrong with the request itself costs no call upstream."""
    await world.sign_in()
    gid = await world.grant()
    stale = CommunityWanted((GUILD,), read_after=START)
    for changes, reason in (
        ({"client_id": "another"}, Refusal.FOREIGN),
        ({"scope": ("email",)}, Refusal.SCOPE),
        ({"resources": ("https://api.example/z",)}, Refusal.RESOURCE),
        ({}, Refusal.STALE_FACTS),
    ):
        refused = await world.refresh(gid, community=stale, **changes)
        assert refused == GrantRefused(reason)
    off = replace(world.facts, version=2, disabled=True)
    await world.stores.accounts.put_facts(ACCOUNT, off)
    assert await world.refresh(gid, community=stale) == GrantRefused(Refusal.DISABLED)


async def test_a_spent_token_ends_its_grant_once_facts_are_fresh(world: World) -> None:
    """Stale facts put reuse off, they do not hide it."""
    await world.sign_in()
    gid = await world.grant()
    await world.refresh(gid, 1)
    world.now += 11
    wanted = CommunityWanted((GUILD,), read_after=world.now)
    assert await world.refresh(gid, 1, community=wanted) == GrantRefused(Refusal.STALE_FACTS)
    await world.stores.accounts.put_community(ACCOUNT, known(standing(11)))
    reused = await world.refresh(gid, 1, community=wanted)
    assert reused == GrantRefused(Refusal.REUSED, ended=gid)


async def test_many_refreshes_around_a_reading(world: World) -> None:
    """Whoever comes before the reading is refused, the others share one successor."""
    await world.sign_in()
    gid = await world.grant()
    wanted = CommunityWanted((GUILD,), read_after=START)
    put = world.stores.accounts.put_community
    readings = [known(standing(at, GUILD, str(at))) for at in range(1, 6)]
    answers = await asyncio.gather(
        *(world.refresh(gid, community=wanted) for _ in range(4)),
        *(put(ACCOUNT, reading) for reading in reversed(readings)),
        *(world.refresh(gid, community=wanted) for _ in range(4)),
    )
    alive = [answer for answer in answers if isinstance(answer, GrantAlive)]
    refused = {answer.reason for answer in answers if isinstance(answer, GrantRefused)}
    assert refused <= {Refusal.STALE_FACTS}
    assert {answer.grant.generation for answer in alive} <= {2}
    assert (await facts_now(world)).community == readings[-1]


async def of_an_earlier_release(world: World) -> None:
    """Make the facts what the release before wrote: no identities, no parts."""
    client, key = world.stores.client, world.key("facts")
    fields = [name for name in await client.hkeys(key) if name[:2] in {"i", "gl", "g:"}]
    await client.hdel(key, *fields)


async def test_facts_of_an_earlier_release_serve_as_they_did(world: World) -> None:
    """Where nothing of communities is wanted; else they are read from SQL once, and put."""
    await world.sign_in()
    gid = await world.grant()
    await of_an_earlier_release(world)
    answer = await world.refresh(gid)
    assert isinstance(answer, GrantAlive)
    assert answer.facts.sub == world.facts.sub
    wanted = CommunityWanted()
    assert await world.refresh(gid, 2, community=wanted) == GrantRefused(Refusal.NO_FACTS)
    assert await world.stores.sessions.look(ACCOUNT, SID, 1, now=world.now) is None
    await world.stores.accounts.put_facts(ACCOUNT, world.facts)
    assert await facts_now(world) == world.facts
    told = await world.refresh(gid, 2, community=wanted)
    assert isinstance(told, GrantAlive)
    assert told.facts.identities == IDENTITIES


async def test_an_earlier_release_s_newer_facts_stay(world: World) -> None:
    """Only the same version is put again: an older one must not undo a marker."""
    world.facts = replace(world.facts, version=7)
    await world.sign_in()
    await of_an_earlier_release(world)
    await world.stores.accounts.put_facts(ACCOUNT, replace(world.facts, version=6, sub="older"))
    assert await world.stores.client.hget(world.key("facts"), "sub") == world.facts.sub
    assert await world.stores.client.hget(world.key("facts"), "i") is None


async def test_what_a_newer_release_says_of_a_guild_is_passed_by(world: World) -> None:
    """Unknown members of a part do not stop a process that is older than the one that wrote it."""
    await world.sign_in()
    part = f"{START + 1:.3f}|" + json.dumps({"member": True, "flags": 3, "roles": ["1", "2"]})
    await world.stores.client.hset(world.key("facts"), f"g:{GUILD}", part)
    assert (await facts_now(world)).community == known(standing(1))


async def test_odd_text_is_stored_clean(world: World) -> None:
    """Half a surrogate pair in a nickname must not fail the person's refreshes."""
    await world.sign_in()
    odd = replace(standing(1), nick="a\0\ud800")
    await world.stores.accounts.put_community(ACCOUNT, known(odd))
    assert (await facts_now(world)).community.standings[GUILD].nick == "a?"


MOMENTS = st.integers(0, 6)
STANDINGS = st.builds(
    standing, MOMENTS, st.sampled_from([GUILD, OTHER_GUILD]), st.text("12", max_size=1)
)
READINGS = st.builds(
    lambda some, lists: known(*some, listed=lists),
    st.lists(STANDINGS, max_size=3),
    st.none() | st.builds(listed, MOMENTS, st.sampled_from("ab")),
)
PUTS = st.lists(st.tuples(st.none() | st.integers(1, 4), READINGS), max_size=8)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(puts=PUTS, together=st.booleans())
def test_merging_keeps_to_the_model(bundled_redis_url: str, puts: Any, together: bool) -> None:
    """Any sequence of puts, one by one or at once: newest version, latest reading of each part."""

    async def run() -> None:
        world = World(RedisStores(connect(bundled_redis_url), prefix=f"c{next(_numbers)}:"))
        world.facts = replace(world.facts, identities=IDENTITIES)
        await world.sign_in()
        states, steps = world.stores.accounts, []
        for version, reading in puts:
            if version is None:
                steps.append(states.put_community(ACCOUNT, reading))
            else:
                facts = Facts(version, f"sub-{version}", identities=IDENTITIES, community=reading)
                steps.append(states.put_facts(ACCOUNT, facts))
        if together:
            await asyncio.gather(*steps)
        else:
            for step in steps:
                await step
        found = await facts_now(world)
        assert found.version == max([1, *(version for version, _ in puts if version)])
        expected = Community()
        for _, reading in puts:
            expected = expected.merged(reading)
        if together:  # of two readings of one moment, either may have come first
            assert times(found.community) == times(expected)
        else:
            assert found.community == expected
        await world.stores.close()

    asyncio.run(run())


def times(community: Community) -> dict[str, float]:
    read = {guild_id: one.read_at for guild_id, one in community.standings.items()}
    return read | ({"": community.listed.read_at} if community.listed else {})
