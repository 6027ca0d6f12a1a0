"""Sessions: opened, seen, ended."""

from dataclasses import replace

import pytest

from broker.core.model import Facts, Session
from broker.core.ports import CodeIssued, GrantRefused, Refusal
from tests.stores.redis_world import ACCOUNT, CLIENT, SID, START, World


async def look(world: World, generation: int = 1) -> tuple[Session, Facts] | None:
    return await world.stores.sessions.look(ACCOUNT, SID, generation, now=world.now)


async def test_an_open_session_is_seen_whole(world: World) -> None:
    """What was written comes back, with the account's facts and every consent."""
    assert await world.sign_in(device="Mozilla “5.0”")
    assert await look(world) == (world.session, world.facts)


async def test_a_new_sign_in_kills_the_older_cookie(world: World) -> None:
    """A later generation replaces the former; an earlier one never comes back."""
    await world.sign_in()
    assert await world.sign_in(generation=2, auth_time=START + 9)
    assert await look(world, 1) is None
    assert await look(world, 2) == (world.session, world.facts)
    assert not await world.sign_in(generation=1)
    assert await look(world, 1) is None


async def test_unknown_and_foreign_sessions(world: World) -> None:
    """A session is found under its own account only."""
    await world.sign_in()
    assert await world.stores.sessions.look("ff" * 16, SID, 1, now=world.now) is None
    assert await world.stores.sessions.look(ACCOUNT, "f" * 32, 1, now=world.now) is None


async def test_a_disabled_account_opens_no_session(world: World) -> None:
    """Newer facts already there count, not those that the sign-in read before."""
    await world.stores.accounts.put_facts(ACCOUNT, Facts(5, "sub-1", disabled=True))
    assert not await world.sign_in()
    assert await look(world) is None
    world.facts = replace(world.facts, version=6, disabled=True)
    assert not await world.sign_in()
    world.facts = replace(world.facts, version=7, disabled=False)
    assert await world.sign_in()


async def test_signed_out_everywhere_opens_no_older_session(world: World) -> None:
    """A sign-in that began before the sign-out everywhere is refused; a later one is not."""
    world.facts = replace(world.facts, not_before=world.now)
    assert not await world.sign_in()
    world.now += 1
    assert not await world.sign_in()
    assert await world.sign_in(created_at=world.now)


async def test_sessions_end_when_idle_and_at_their_end(world: World) -> None:
    """Asking for codes prolongs a session, up to its absolute end; ended, it stays so."""
    await world.sign_in(expires_at=START + 12 * 86400)
    world.now = START + 6 * 86400
    assert isinstance(await world.try_code(), CodeIssued)
    world.now = START + 11 * 86400
    assert isinstance(await world.try_code(), CodeIssued)
    world.now = START + 12 * 86400
    assert await look(world) is None
    world.now -= 3600
    assert await look(world) is None


async def test_an_unused_session_ends_after_its_idle_time(world: World) -> None:
    """A week unseen ends a session, and a clock that steps back does not revive it."""
    await world.sign_in()
    world.now += 7 * 86400
    assert await look(world) is None
    world.now -= 86400
    assert await look(world) is None
    assert (await world.try_code()).reason is Refusal.NO_SESSION  # type: ignore[union-attr]


async def test_facts_that_bar_the_account_hide_its_session(world: World) -> None:
    """Disabled, or signed out everywhere since: as if there were no session."""
    await world.sign_in()
    await world.stores.accounts.put_facts(ACCOUNT, Facts(2, "s", disabled=True))
    assert await look(world) is None
    await world.stores.accounts.put_facts(ACCOUNT, Facts(3, "s", not_before=world.now))
    assert await look(world) is None


@pytest.mark.parametrize("gone", [False, True], ids=["session there", "session record gone"])
async def test_ending_a_session_ends_what_hangs_on_it(world: World, gone) -> None:
    """After a logout: nothing of that session; offline grants and other sessions stay."""
    await world.sign_in(sid="0e" * 16)
    elsewhere = await world.grant()
    await world.sign_in(sid=SID)
    bound, offline = await world.grant(), await world.grant(scope="openid offline_access")
    code = await world.code()
    if gone:
        await world.stores.client.delete(world.key(f"session:{SID}"))
    ended = await world.stores.sessions.end(ACCOUNT, SID, now=world.now)
    assert ended.grants == ((bound, CLIENT),)
    members = [member for member, _ in (await world.everything())[world.key("index")]]
    assert f"s:{SID}" not in members
    assert await look(world) is None
    assert await world.look(bound) == GrantRefused(Refusal.UNKNOWN)
    assert await world.redeem(code) == GrantRefused(Refusal.UNKNOWN)
    assert await world.alive(elsewhere)
    assert await world.alive(offline)
    assert (await world.stores.sessions.end(ACCOUNT, SID, now=world.now)).grants == ()


async def test_an_ended_session_cannot_be_used(world: World) -> None:
    """No code is written in a session that was ended."""
    await world.sign_in()
    await world.stores.sessions.end(ACCOUNT, SID, now=world.now)
    assert (await world.try_code()).reason is Refusal.NO_SESSION  # type: ignore[union-attr]


async def test_ending_what_an_upstream_vouched_for(world: World) -> None:
    """Its sessions end as each would by itself; those of other upstreams, and later ones, stay."""
    await world.sign_in(sid="0e" * 16, upstream="github")
    elsewhere = await world.grant()
    await world.sign_in(sid="0f" * 16, upstream="discord", created_at=START + 10)
    later = await world.grant()
    await world.sign_in(sid=SID, created_at=START)
    bound, offline = await world.grant(), await world.grant(scope="openid offline_access")
    code = await world.code()
    sessions = world.stores.sessions
    ended = await sessions.end_vouched(ACCOUNT, "discord", until=START + 5)
    assert ended.grants == ((bound, CLIENT),)
    assert await look(world) is None
    assert await world.redeem(code) == GrantRefused(Refusal.UNKNOWN)
    assert [await world.alive(one) for one in (elsewhere, later, offline)] == [True] * 3
    assert (await sessions.end_vouched(ACCOUNT, "discord", until=START + 5)).grants == ()
    assert (await sessions.end_vouched(ACCOUNT, "nobody", until=START + 99)).grants == ()


async def test_the_upstream_that_counts_is_the_last_one(world: World) -> None:
    """A session that goes on with a sign-in through another upstream is that one's now."""
    await world.sign_in()
    await world.sign_in(generation=2, upstream="github", auth_time=START + 1)
    await world.stores.sessions.end_vouched(ACCOUNT, "discord", until=START + 9)
    assert await look(world, 2) is not None
    await world.stores.sessions.end_vouched(ACCOUNT, "github", until=START + 9)
    assert await look(world, 2) is None
