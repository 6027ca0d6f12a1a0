"""Facts of accounts, ends of whole accounts, pending requests, marks of signing keys."""

import asyncio
from dataclasses import replace

import pytest

from broker.core.model import AuthorizationRequest, Facts, PendingRequest
from broker.core.ports import CodeRefused, GrantAlive, GrantRefused, Refusal
from broker.stores.redis.keys import Names
from tests.stores.redis_world import ACCOUNT, CLIENT, OTHER, SID, START, World


async def facts_now(world: World) -> Facts:
    found = await world.stores.sessions.look(ACCOUNT, SID, 1, now=world.now)
    assert found
    return found[1]


async def test_only_newer_facts_replace(world: World) -> None:
    """Facts are replaced whole by a newer version, never by the same or an older one."""
    await world.sign_in()
    for version in (1, 0):
        await world.stores.accounts.put_facts(ACCOUNT, Facts(version, "other"))
        assert await facts_now(world) == world.facts
    newer = Facts(10, "sub-1", claims={"email": "a@example.org"}, consents={OTHER: "openid"})
    await world.stores.accounts.put_facts(ACCOUNT, newer)
    assert await facts_now(world) == newer


async def test_ending_an_account_ends_everything(world: World) -> None:
    """After disabling: no session, no code, no grant, offline or not."""
    await world.sign_in()
    bound, offline = await world.grant(), await world.grant(scope="openid offline_access")
    code = await world.code()
    ended = await world.stores.accounts.end_all(ACCOUNT, Facts(2, "s", disabled=True))
    assert set(ended.grants) == {(bound, CLIENT), (offline, CLIENT)}
    assert await world.redeem(code) == GrantRefused(Refusal.UNKNOWN)
    assert await world.refresh(offline) == GrantRefused(Refusal.UNKNOWN)
    assert isinstance(await world.try_code(), CodeRefused)
    assert not await world.sign_in()
    left = set(await world.everything()) - {world.key("facts"), world.key("notices")}
    assert all(":code:" in key for key in left), "only tombstones of spent codes may be left"


async def test_what_is_alive_is_listed(world: World) -> None:
    """Sessions and grants, until they end by themselves or with the account; nothing changes."""
    states = world.stores.accounts
    assert await states.living(ACCOUNT, now=world.now) == ((), ())
    await world.sign_in()
    grant_id = await world.grant()
    (session,), (grant,) = await states.living(ACCOUNT, now=world.now)
    assert (session.account_id, grant.grant_id, grant.client_id) == (ACCOUNT, grant_id, CLIENT)
    assert await states.living(ACCOUNT, now=world.now + 400 * 86400) == ((), ())
    assert await world.alive(grant_id)
    await states.end_all(ACCOUNT, Facts(2, "s", not_before=world.now + 1))
    assert await states.living(ACCOUNT, now=world.now) == ((), ())


async def test_a_late_delivery_spares_those_who_signed_in_since(world: World) -> None:
    """The outbox delivers at least once: the second time ends only what began before."""
    await world.sign_in()
    old = await world.grant()
    out = Facts(2, "s", not_before=world.now + 1)
    assert (await world.stores.accounts.end_all(ACCOUNT, out)).grants == ((old, CLIENT),)
    world.now += 2
    assert await world.sign_in(created_at=world.now, auth_time=world.now)
    fresh = await world.grant()
    assert (await world.stores.accounts.end_all(ACCOUNT, out)).grants == ()
    assert await world.alive(fresh)


async def test_a_late_delivery_still_ends_what_began_before(world: World) -> None:
    """Facts that arrived by another way first do not keep the ending from being done."""
    await world.sign_in()
    old = await world.grant(scope="openid offline_access")
    out = Facts(2, "s", not_before=world.now + 1)
    await world.stores.accounts.put_facts(ACCOUNT, out)
    assert (await world.stores.accounts.end_all(ACCOUNT, out)).grants == ((old, CLIENT),)


async def test_an_ending_of_a_past_moment_spares_what_was_begun_since(world: World) -> None:
    """Though its facts are newer: the later session, its code and its grants, offline or not."""
    await world.sign_in()
    old = await world.grant(scope="openid offline_access")
    moment = world.now + 1
    world.now += 2
    assert await world.sign_in(sid="7e" * 16, created_at=world.now, auth_time=world.now)
    fresh, code = await world.grant(scope="openid offline_access"), await world.code()
    out = Facts(2, "s", not_before=moment)
    ended = await world.stores.accounts.end_all(ACCOUNT, out, since_stays=True)
    assert ended.grants == ((old, CLIENT),)
    assert await world.alive(fresh)
    assert isinstance(await world.redeem(code), GrantAlive)
    assert await world.stores.sessions.look(ACCOUNT, SID, 1, now=world.now) is None


async def test_what_an_old_sign_in_led_to_since_is_not_spared(world: World) -> None:
    """A code and an offline grant made after the moment, in a session begun before it."""
    await world.sign_in()
    moment = world.now + 1
    world.now += 2
    late, code = await world.grant(scope="openid offline_access"), await world.code()
    out = Facts(2, "s", not_before=moment)
    # Facts that come by another way end neither session nor grant, but nothing goes on by them.
    await world.stores.accounts.put_facts(ACCOUNT, out)
    assert await world.refresh(late) == GrantRefused(Refusal.NO_SESSION)
    ended = await world.stores.accounts.end_all(ACCOUNT, out, since_stays=True)
    assert ended.grants == ((late, CLIENT),)
    assert await world.redeem(code) == GrantRefused(Refusal.UNKNOWN)


@pytest.mark.parametrize("auth_time", [1.0, START - 900])
async def test_what_counts_is_the_sign_in_not_when_its_person_was_seen(
    world: World, auth_time: float
) -> None:
    """Somebody let pass by upstream, after the account was signed out everywhere, stays."""
    await world.stores.accounts.put_facts(ACCOUNT, Facts(2, "s", not_before=START - 60))
    assert await world.sign_in(auth_time=auth_time)
    grant_id, code = await world.grant(scope="openid offline_access"), await world.code()
    sessions, grants = await world.stores.accounts.living(ACCOUNT, now=world.now)
    assert [one.auth_time for one in (*sessions, *grants)] == [auth_time] * 2
    refreshed = await world.refresh(grant_id)
    assert isinstance(refreshed, GrantAlive)
    assert refreshed.grant.auth_time == auth_time
    out = Facts(3, "s", not_before=START - 1)
    await world.stores.accounts.end_all(ACCOUNT, out, since_stays=True)
    assert await world.alive(grant_id)
    assert isinstance(await world.redeem(code), GrantAlive)


async def test_a_session_that_was_renewed_since_keeps_no_older_grant(world: World) -> None:
    """Signing in again goes on with the same session: what it led to before ends all the same."""
    await world.sign_in()
    old = await world.grant(scope="openid offline_access")
    moment = world.now + 1
    world.now += 2
    assert await world.sign_in(generation=2, created_at=world.now, auth_time=world.now)
    fresh = await world.grant()
    out = Facts(2, "s", not_before=moment)
    ended = await world.stores.accounts.end_all(ACCOUNT, out, since_stays=True)
    assert ended.grants == ((old, CLIENT),)
    assert await world.alive(fresh)


async def test_a_disabled_account_is_ended_whatever_was_begun_since(world: World) -> None:
    """An ending of a past moment opens nothing that an operator has closed."""
    await world.sign_in()
    old = await world.grant()
    out = Facts(2, "s", disabled=True, not_before=world.now - 100)
    ended = await world.stores.accounts.end_all(ACCOUNT, out, since_stays=True)
    assert ended.grants == ((old, CLIENT),)


async def test_a_disabled_account_is_ended_whenever_it_is_told(world: World) -> None:
    """The ending is done even where the facts that say disabled were there before it."""
    await world.sign_in()
    old = await world.grant(scope="openid offline_access")
    out = Facts(2, "s", disabled=True)
    await world.stores.accounts.put_facts(ACCOUNT, out)
    assert (await world.stores.accounts.end_all(ACCOUNT, out)).grants == ((old, CLIENT),)


async def test_newer_facts_live_as_long_as_the_older_would(world: World) -> None:
    """Facts stay beside the grants that need them, however often they change."""
    await world.sign_in()
    await world.grant()
    await world.stores.accounts.put_facts(ACCOUNT, replace(world.facts, version=2))
    assert await world.stores.client.ttl(world.key("facts")) >= 90 * 86400


def pending(**changes: object) -> PendingRequest:
    request = AuthorizationRequest(
        CLIENT,
        "https://app.example/cb",
        ("openid", "email"),
        state="a|b",
        nonce="ñ",
        prompt=("login",),
        max_age=0,
        resources=("https://api.example",),
    )
    made = PendingRequest("4e" * 16, request, "digest", START, START + 600, "discord")
    return replace(made, **changes)  # type: ignore[arg-type]


async def test_a_pending_request_comes_back_whole(world: World) -> None:
    """Every field survives; an expired record is still there to explain itself."""
    store = world.stores.requests
    wanted = pending(
        attempt="a1" * 16,
        verifier="v-._~",
        trip_at=START + 1,
        session=(ACCOUNT, SID, 3),
        fresh=True,
        selected=True,
    )
    assert await store.get(wanted.request_id) is None
    await store.put(pending())
    await store.put(wanted)
    assert await store.get(wanted.request_id) == wanted
    kept = await world.stores.client.ttl(store._names.request(wanted.request_id))
    assert 3600 < kept <= 4200


async def test_a_trip_is_spent_once(world: World) -> None:
    """Of many callbacks naming one trip one gets the record; another trip's gets nothing."""
    store = world.stores.requests
    wanted = pending(attempt="a1" * 16, verifier="v")
    await store.put(wanted)
    assert await store.spend_attempt(wanted.request_id, "b2" * 16) is None
    assert await store.spend_attempt(wanted.request_id, "") is None
    got = await asyncio.gather(
        *(store.spend_attempt(wanted.request_id, wanted.attempt) for _ in range(20))
    )
    assert [one for one in got if one] == [wanted]
    assert await store.get(wanted.request_id) == pending()
    assert await store.spend_attempt(wanted.request_id, "") is None
    assert await store.spend_attempt("0" * 32, "a") is None


async def test_a_request_is_finished_once(world: World) -> None:
    """Of many that finish a request one gets the record."""
    store = world.stores.requests
    await store.put(pending())
    got = await asyncio.gather(*(store.finish("4e" * 16) for _ in range(20)))
    assert [one for one in got if one] == [pending()]
    assert await store.get("4e" * 16) is None


async def test_marks_of_keys_are_not_forgotten(world: World) -> None:
    """What was announced is seen by all; what Redis lost is put back by who has seen it."""
    store = world.stores.revocations
    assert await store.revoked_kids() == frozenset()
    await store.announce("kid-1")
    await store.announce("kid-2@1700000000.0")
    assert await store.revoked_kids() == {"kid-1", "kid-2@1700000000.0"}
    await world.stores.client.delete(store._key)
    assert await store.revoked_kids() == {"kid-1", "kid-2@1700000000.0"}
    assert await world.stores.client.scard(store._key) == 2


def test_a_prefix_must_leave_the_hash_tag_alone() -> None:
    """Braces in a prefix would put accounts into one slot, or an account into several."""
    with pytest.raises(ValueError, match="braces"):
        Names("{x}:")


async def test_a_withdrawn_client_loses_everything(world: World) -> None:
    """Its codes and grants, offline ones too, and its consent, in one step; others go on."""
    await world.sign_in()
    bound, offline = await world.grant(), await world.grant(scope="openid offline_access")
    code = await world.code()
    theirs = await world.code(request=replace(world.request, client_id=OTHER))
    kept = Facts(2, "sub-1", consents={OTHER: "openid"})
    end = world.stores.accounts.end_access
    ended = await end(ACCOUNT, kept, CLIENT, until=world.now, consented=True)
    assert set(ended.grants) == {(bound, CLIENT), (offline, CLIENT)}
    assert await world.redeem(code) == GrantRefused(Refusal.UNKNOWN)
    assert await world.refresh(offline) == GrantRefused(Refusal.UNKNOWN)
    assert (await facts_now(world)).consents == {OTHER: "openid"}
    assert isinstance(await world.redeem(theirs, client_id=OTHER), GrantAlive)
    assert (await end(ACCOUNT, kept, CLIENT, until=world.now, consented=True)).grants == ()


async def test_a_late_withdrawal_spares_what_was_agreed_to_since(world: World) -> None:
    """Delivered again after a new consent, or where none is needed: newer grants and codes stay."""
    await world.sign_in()
    begun, consents = world.now, world.facts.consents
    end = world.stores.accounts.end_access
    await end(ACCOUNT, Facts(2, "sub-1", consents={}), CLIENT, until=begun, consented=True)
    world.now += 1
    again = Facts(3, "sub-1", consents=consents)
    await world.stores.accounts.put_facts(ACCOUNT, again)
    fresh, code = await world.grant(), await world.code()
    for facts, consented in ((again, True), (Facts(2, "sub-1"), True), (Facts(3, "s"), False)):
        ended = await end(ACCOUNT, facts, CLIENT, until=begun, consented=consented)
        assert ended.grants == ()
    assert await world.alive(fresh)
    assert isinstance(await world.redeem(code), GrantAlive)


async def test_a_withdrawal_ends_what_old_facts_let_in(world: World) -> None:
    """A grant made in the moment before the facts arrived has no consent to stand on."""
    await world.sign_in()
    withdrawn_at = world.now
    world.now += 1
    late = await world.grant()
    end = world.stores.accounts.end_access
    gone = Facts(2, "sub-1", consents={OTHER: "openid"})
    ended = await end(ACCOUNT, gone, CLIENT, until=withdrawn_at, consented=True)
    assert ended.grants == ((late, CLIENT),)


async def test_last_use_is_listed(world: World) -> None:
    """A session is used by a code, a grant by a refresh: that is when each was last used."""
    await world.sign_in()
    grant_id = await world.grant()
    world.now += 60
    await world.code()
    world.now += 60
    await world.refresh(grant_id)
    (session,), (grant,) = await world.stores.accounts.living(ACCOUNT, now=world.now)
    assert (session.seen_at, session.device) == (START + 60, "Firefox")
    assert (grant.seen_at, grant.created_at) == (START + 120, START)


async def test_a_deleted_account_leaves_nothing(world: World) -> None:
    """Sessions, codes, grants and facts are gone; a late reader of SQL puts nothing back."""
    await world.sign_in()
    grant_id, code = await world.grant(scope="openid offline_access"), await world.code()
    erase = world.stores.accounts.erase
    assert (await erase(ACCOUNT, now=world.now)).grants == ((grant_id, CLIENT),)
    assert (await erase(ACCOUNT, now=world.now)).grants == ()
    await world.stores.accounts.put_facts(ACCOUNT, replace(world.facts, version=10**9))
    assert await world.redeem(code) == GrantRefused(Refusal.UNKNOWN)
    assert await world.refresh(grant_id) == GrantRefused(Refusal.UNKNOWN)
    world.now += 10
    assert not await world.sign_in(created_at=world.now)
    kept = await world.everything()
    left = set(kept) - {world.key("facts"), world.key("notices")}
    assert all(":code:" in key for key in left), "only tombstones of spent codes may be left"
    assert "Zoë" not in str(kept)
    assert "sub-1" not in str(kept.get(world.key("facts")))
