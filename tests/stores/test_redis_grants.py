"""Refresh tokens: one live generation under any concurrency."""

import asyncio
import re
from dataclasses import replace

import pytest

from broker.core.model import Facts
from broker.core.ports import GrantAlive, GrantRefused, Refusal, Rotation
from tests.stores.redis_world import ACCOUNT, CLIENT, OTHER, SID, World


async def test_the_current_token_rotates(world: World) -> None:
    """Spending the current generation makes the next one the live one."""
    await world.sign_in()
    gid = await world.grant()
    for generation in range(1, 5):
        world.now += 100
        answer = await world.refresh(gid, generation)
        assert isinstance(answer, GrantAlive)
        assert (answer.rotation, answer.grant.generation) == (Rotation.ROTATED, generation + 1)
        assert answer.grant.nonce is None
        assert answer.facts == replace(world.facts, consents={})


async def test_a_lost_answer_costs_nothing(world: World) -> None:
    """Within the grace time any spent generation answers with the current one; nothing changes."""
    await world.sign_in()
    gid = await world.grant()
    for generation in (1, 2, 3):
        await world.refresh(gid, generation)
    world.now += 10
    before = await world.everything()
    for generation in (1, 2, 3):
        answer = await world.refresh(gid, generation)
        assert isinstance(answer, GrantAlive)
        assert (answer.rotation, answer.grant.generation) == (Rotation.REPEATED, 4)
    assert await world.everything() == before


async def test_reuse_after_the_grace_time_ends_the_grant(world: World) -> None:
    """A token spent longer than the grace time ago ends the grant (RFC 9700 §4.14)."""
    await world.sign_in()
    gid = await world.grant()
    await world.refresh(gid, 1)
    world.now += 10.01
    assert await world.refresh(gid, 1) == GrantRefused(Refusal.REUSED, ended=gid)
    assert await world.refresh(gid, 2) == GrantRefused(Refusal.UNKNOWN)
    assert not any(gid in m for m, _ in (await world.everything())[world.key("index")])


async def test_the_grace_time_counts_from_the_first_spending(world: World) -> None:
    """Presenting a spent token again does not prolong its grace time."""
    await world.sign_in()
    gid = await world.grant()
    await world.refresh(gid, 1)
    world.now += 8
    assert isinstance(await world.refresh(gid, 1), GrantAlive)
    world.now += 8
    assert await world.refresh(gid, 1) == GrantRefused(Refusal.REUSED, ended=gid)


async def test_many_spent_at_once_are_known_as_long(world: World) -> None:
    """Dozens in a moment: each is good for its grace time, as are those before; none beyond it."""
    await world.sign_in()
    gid = await world.grant()
    for generation in range(1, 31):
        world.now += 2 if generation < 4 else 0.05
        await world.refresh(gid, generation)
    kept = str(await world.everything())
    assert len(re.findall(r"\b\d+-\d+:\d+\b", kept)) <= 16, "a grant is small however it is used"
    world.now += 5
    for generation in (2, 3, 4, 5, 15, 29, 30):
        answer = await world.refresh(gid, generation)
        assert isinstance(answer, GrantAlive)
        assert (answer.rotation, answer.grant.generation) == (Rotation.REPEATED, 31)
    assert await world.refresh(gid, 1) == GrantRefused(Refusal.REUSED, ended=gid)


async def test_without_grace_any_reuse_ends_the_grant(world: World) -> None:
    """A grace time of 0 is no window at all."""
    await world.sign_in()
    gid = await world.grant()
    await world.refresh(gid, 1, grace=0)
    assert await world.refresh(gid, 1, grace=0) == GrantRefused(Refusal.REUSED, ended=gid)


async def test_a_generation_from_the_future_is_adopted(world: World) -> None:
    """A token above the stored generation means that Redis lost writes: it is believed."""
    await world.sign_in()
    gid = await world.grant()
    answer = await world.refresh(gid, 7)
    assert isinstance(answer, GrantAlive)
    assert (answer.rotation, answer.grant.generation) == (Rotation.ADOPTED, 8)
    again = await world.refresh(gid, 7)
    assert isinstance(again, GrantAlive)
    assert (again.rotation, again.grant.generation) == (Rotation.REPEATED, 8)
    assert isinstance(await world.refresh(gid, 8), GrantAlive)


REFUSED = [
    ("another client", {"client_id": OTHER}, Refusal.FOREIGN),
    ("wider scope", {"scope": ("openid", "email")}, Refusal.SCOPE),
    ("wider resource", {"resources": ("https://api.example/c",)}, Refusal.RESOURCE),
    ("unknown grant", {"grant_id": "f" * 32}, Refusal.UNKNOWN),
    ("another account", {"account_id": "ff" * 16}, Refusal.UNKNOWN),
    ("a spent token with a wider scope", {"generation": 0, "scope": ("email",)}, Refusal.SCOPE),
    ("a spent token of another client", {"generation": 0, "client_id": OTHER}, Refusal.FOREIGN),
]


@pytest.mark.parametrize(("case", "changes", "reason"), REFUSED)
async def test_a_failed_refresh_changes_nothing(world: World, case, changes, reason) -> None:
    """A wrong request spends nothing and revokes nothing; the right one still works."""
    await world.sign_in()
    gid = await world.grant()
    before = await world.everything()
    assert await world.refresh(**{"grant_id": gid, **changes}) == GrantRefused(reason)
    assert await world.everything() == before
    assert isinstance(await world.refresh(gid), GrantAlive)


async def test_narrower_scope_and_resource(world: World) -> None:
    """Less than was granted may be asked for; the grant itself stays as it was."""
    await world.sign_in()
    gid = await world.grant()
    answer = await world.refresh(gid, scope=("openid",), resources=("https://api.example/a",))
    assert isinstance(answer, GrantAlive)
    assert answer.grant.scope == ("openid", "profile")
    assert len(answer.grant.resources) == 2


async def test_parallel_refreshes_have_one_successor(world: World) -> None:
    """All of many refreshes of one token at once answer with one and the same successor."""
    await world.sign_in()
    gid = await world.grant()
    answers = await asyncio.gather(*(world.refresh(gid) for _ in range(40)))
    assert {a.grant.generation for a in answers if isinstance(a, GrantAlive)} == {2}
    rotations = [a.rotation for a in answers if isinstance(a, GrantAlive)]
    assert rotations.count(Rotation.ROTATED) == 1
    assert rotations.count(Rotation.REPEATED) == 39


async def test_refresh_racing_revocation(world: World) -> None:
    """Once a revocation is acknowledged nothing of the grant refreshes, whoever raced it."""
    await world.sign_in()
    for _ in range(10):
        gid = await world.grant()
        racing = [asyncio.ensure_future(world.refresh(gid)) for _ in range(4)]
        assert await world.stores.grants.end(ACCOUNT, gid, CLIENT)
        await asyncio.gather(*racing)
        for generation in (1, 2, 3):
            assert await world.refresh(gid, generation) == GrantRefused(Refusal.UNKNOWN)


async def test_revocation_is_the_clients_own(world: World) -> None:
    """Another client cannot end a grant; its client can, again and again (RFC 7009 §2.2)."""
    await world.sign_in()
    gid = await world.grant()
    before = await world.everything()
    assert not await world.stores.grants.end(ACCOUNT, gid, OTHER)
    assert await world.everything() == before
    assert await world.stores.grants.end(ACCOUNT, gid, CLIENT)
    assert await world.stores.grants.end(ACCOUNT, gid, CLIENT)
    assert await world.look(gid) == GrantRefused(Refusal.UNKNOWN)


@pytest.mark.parametrize("scope", ["openid profile", "openid offline_access"])
@pytest.mark.parametrize("way", ["revoked", "stolen", "withdrawn"])
async def test_a_session_of_one_grant_ends_with_it(world: World, way: str, scope: str) -> None:
    """One that bears the grant's name was opened for it alone; another's session stays."""
    await world.sign_in(sid=SID)
    other = await world.grant()
    own = "0f" * 16
    world.now += 1
    since = world.now
    await world.sign_in(sid=own, created_at=since)
    gid = await world.grant(scope=scope, grant_id=own)
    if way == "revoked":
        assert await world.stores.grants.end(ACCOUNT, gid, CLIENT)
    elif way == "stolen":
        await world.refresh(gid)
        world.now += 11
        assert isinstance(await world.refresh(gid), GrantRefused)
    else:
        accounts = world.stores.accounts
        await accounts.end_access(ACCOUNT, world.facts, CLIENT, until=since, consented=False)
    sessions, grants = await world.stores.accounts.living(ACCOUNT, now=world.now)
    assert [one.sid for one in sessions] == [SID]
    assert [one.grant_id for one in grants] == ([] if way == "withdrawn" else [other])


async def test_a_client_that_may_not_outlive_sessions_any_more(world: World) -> None:
    """Its offline grants go with theirs, where that is asked; nothing is changed by the refusal."""
    await world.sign_in()
    gid = await world.grant(scope="openid offline_access")
    refreshed = await world.refresh(gid, offline=False)
    assert isinstance(refreshed, GrantAlive)
    await world.stores.sessions.end(ACCOUNT, world.session.sid, now=world.now)
    before = await world.everything()
    assert await world.refresh(gid, 2, offline=False) == GrantRefused(Refusal.NO_SESSION)
    looked = await world.stores.grants.look(ACCOUNT, gid, now=world.now, offline=False)
    assert looked == GrantRefused(Refusal.NO_SESSION)
    assert await world.everything() == before
    assert isinstance(await world.refresh(gid, 2), GrantAlive)


async def test_a_grant_ends_when_idle(world: World) -> None:
    """Each refresh prolongs a grant by its idle time; without one it ends, for good."""
    await world.sign_in()
    gid = await world.grant(scope="openid offline_access", grant_idle=1000)
    world.now += 999
    assert isinstance(await world.refresh(gid, 1, grant_idle=1000), GrantAlive)
    world.now += 999
    assert await world.alive(gid)
    world.now += 1
    assert await world.look(gid) == GrantRefused(Refusal.EXPIRED)
    world.now -= 500
    assert await world.look(gid) == GrantRefused(Refusal.EXPIRED)
    assert await world.refresh(gid, 2) == GrantRefused(Refusal.EXPIRED)


async def test_a_grant_that_does_not_rotate_is_in_use(world: World) -> None:
    """Its idle time begins anew at each refresh, in Redis as well."""
    await world.sign_in()
    gid = await world.grant(scope="openid offline_access")
    for _ in range(3):
        world.now += 20 * 86400
        answer = await world.refresh(gid, rotate=False)
        assert isinstance(answer, GrantAlive)
        assert (answer.rotation, answer.grant.generation) == (Rotation.KEPT, 1)


async def test_a_grant_ends_at_its_absolute_end(world: World) -> None:
    """Refreshing does not carry a grant beyond its absolute end, and a step back no further."""
    await world.sign_in()
    gid = await world.grant(scope="openid offline_access", grant_lifetime=1500, grant_idle=1000)
    world.now += 900
    assert isinstance(await world.refresh(gid, 1, grant_idle=1000), GrantAlive)
    world.now += 600
    assert await world.refresh(gid, 2) == GrantRefused(Refusal.EXPIRED)
    world.now -= 100
    assert await world.refresh(gid, 2) == GrantRefused(Refusal.EXPIRED)


async def test_a_clock_that_steps_back_opens_no_window(world: World) -> None:
    """The latest time seen counts: a step back neither prolongs grace nor a grant's life."""
    await world.sign_in()
    gid = await world.grant(scope="openid offline_access")
    await world.refresh(gid, 1)
    world.now += 60
    await world.refresh(gid, 2)
    world.now -= 55
    assert await world.refresh(gid, 1) == GrantRefused(Refusal.REUSED, ended=gid)


async def test_a_grant_is_bound_to_its_session(world: World) -> None:
    """A grant without offline_access ends with its session; one with it goes on (Core §11)."""
    await world.sign_in(expires_at=world.now + 1000)
    bound, offline = await world.grant(), await world.grant(scope="openid offline_access")
    world.now += 1000
    assert await world.refresh(bound) == GrantRefused(Refusal.NO_SESSION)
    assert await world.look(bound) == GrantRefused(Refusal.NO_SESSION)
    assert isinstance(await world.refresh(offline), GrantAlive)
    world.now -= 500
    assert await world.refresh(bound) == GrantRefused(Refusal.NO_SESSION)


async def test_disabled_and_signed_out_everywhere(world: World) -> None:
    """Facts that say so stop a grant even where its record is still there."""
    await world.sign_in()
    gid = await world.grant(scope="openid offline_access")
    await world.stores.accounts.put_facts(ACCOUNT, Facts(2, "s", disabled=True))
    assert await world.refresh(gid) == GrantRefused(Refusal.DISABLED)
    assert await world.look(gid) == GrantRefused(Refusal.DISABLED)
    await world.stores.accounts.put_facts(ACCOUNT, Facts(3, "s", not_before=world.now))
    assert await world.refresh(gid) == GrantRefused(Refusal.NO_SESSION)
    await world.stores.accounts.put_facts(ACCOUNT, Facts(4, "s", not_before=world.now - 1))
    assert isinstance(await world.refresh(gid), GrantAlive)


async def test_missing_facts_are_asked_for(world: World) -> None:
    """Nothing is spent while facts are missing; once they are put, the refresh goes on."""
    await world.sign_in()
    gid = await world.grant()
    await world.stores.client.delete(world.key("facts"))
    assert await world.refresh(gid) == GrantRefused(Refusal.NO_FACTS)
    assert await world.look(gid) == GrantRefused(Refusal.NO_FACTS)
    await world.stores.accounts.put_facts(ACCOUNT, world.facts)
    answer = await world.refresh(gid)
    assert isinstance(answer, GrantAlive)
    assert answer.grant.generation == 2


async def test_looking_changes_nothing(world: World) -> None:
    """The look of userinfo reads the grant as it is."""
    await world.sign_in()
    gid = await world.grant()
    before = await world.everything()
    answer = await world.look(gid)
    assert isinstance(answer, GrantAlive)
    assert (answer.grant.generation, answer.rotation, answer.facts.sub) == (1, None, "sub-1")
    assert await world.everything() == before
