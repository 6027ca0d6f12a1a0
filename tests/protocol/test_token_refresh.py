"""Token endpoint: refresh tokens. One grant, at most one live token, whatever happens."""

import asyncio

import pytest

from broker.core.handles import Handle, Handles, Kind
from tests.protocol.harness import (
    API,
    BACK,
    BARE,
    FRONT,
    OPERATOR_SECRET,
    OTHER_API,
    POST,
    App,
    Browser,
    World,
    is_challenge,
    is_token_error,
)
from tests.protocol.watching import round_trips, statements
from tests.protocol.tokens import claims_of

HANDLES = Handles([OPERATOR_SECRET.encode()])


async def fresh(app: App, token: str) -> str:
    """Refresh; returns the next refresh token."""
    answer = await app.refresh(token)
    assert answer.status_code == 200, answer.text
    found: str = answer.json()["refresh_token"]
    return found


async def test_a_refresh_s_answer(browser: Browser, app: App) -> None:
    """OpenID Connect Core §12.2: same person, client, session and sign-in; no nonce."""
    first = await browser.tokens(app)
    answer = await app.refresh(first["refresh_token"])
    assert answer.headers["cache-control"] == "no-store"
    second = answer.json()
    assert second.keys() == first.keys()
    assert second["refresh_token"] != first["refresh_token"]
    old, new = claims_of(first["id_token"]), claims_of(second["id_token"])
    for claim in ("iss", "sub", "aud", "auth_time", "sid"):
        assert new[claim] == old[claim]
    assert old["nonce"] == app.nonce
    assert "nonce" not in new


async def test_id_token_at_refresh_is_the_client_s_choice(world: World, browser: Browser) -> None:
    """A client may do without, and may have its own token lifetime."""
    app = world.app(BARE)
    tokens = await browser.tokens(app)
    assert tokens["expires_in"] == 60
    claims = claims_of(tokens["access_token"])
    assert claims["exp"] - claims["iat"] == 60
    assert "id_token" not in (await app.refresh(tokens["refresh_token"])).json()


async def test_spent_token_outside_the_grace_time(
    world: World, browser: Browser, app: App
) -> None:
    """RFC 9700 §4.14: refused, the whole grant dead, and remembered."""
    first = await browser.tokens(app)
    second = (await app.refresh(first["refresh_token"])).json()
    await world.advance(10.1)
    is_token_error(await app.refresh(first["refresh_token"]), "invalid_grant")
    is_token_error(await app.refresh(second["refresh_token"]), "invalid_grant")
    is_challenge(await world.userinfo(second["access_token"]))
    (entry,) = await world.audit("grant.reused")
    assert entry.event.client_id == "front"
    assert entry.event.detail["generation"] == 1


async def test_spent_token_within_the_grace_time(world: World, browser: Browser, app: App) -> None:
    """A lost answer or two tabs: the current token again, however many generations back."""
    first = (await browser.tokens(app))["refresh_token"]
    second = await fresh(app, first)
    third = await fresh(app, second)
    await world.advance(10)
    for spent in (first, second):
        assert await fresh(app, spent) == third
    fourth = await fresh(app, third)
    assert fourth not in {first, second, third}
    assert not await world.audit("grant.reused")


async def test_grace_counts_from_the_first_spending(
    world: World, browser: Browser, app: App
) -> None:
    """Presenting a spent token again does not prolong its grace."""
    first = (await browser.tokens(app))["refresh_token"]
    await fresh(app, first)
    await world.advance(6)
    await fresh(app, first)
    await world.advance(6)
    is_token_error(await app.refresh(first), "invalid_grant")


async def test_generation_above_the_stored_one(world: World, browser: Browser, app: App) -> None:
    """Redis lost writes: only we can have made that token, so it is adopted, and audited."""
    first = (await browser.tokens(app))["refresh_token"]
    handle = HANDLES.open(Kind.REFRESH, first)
    assert handle is not None
    ahead = HANDLES.make(Kind.REFRESH, Handle(handle.account_id, handle.item_id, 7))
    following = await fresh(app, ahead)
    found = HANDLES.open(Kind.REFRESH, following)
    assert found is not None
    assert found.generation == 8
    (entry,) = await world.audit("grant.adopted")
    assert entry.event.detail["generation"] == 7
    await world.advance(11)
    is_token_error(await app.refresh(first), "invalid_grant")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"scope": "openid email"}, "invalid_scope"),
        ({"scope": "openid profile offline_access"}, "invalid_scope"),
        ({"scope": "unheard_of"}, "invalid_scope"),
        ({"scope": " "}, "invalid_scope"),
        ({"scope": "openid  profile"}, "invalid_scope"),
        ({"resource": OTHER_API}, "invalid_target"),
        ({"resource": "https://evil.example"}, "invalid_target"),
    ],
)
async def test_bad_scope_or_resource_beside_a_good_token(
    world: World, browser: Browser, changes: dict[str, str], error: str
) -> None:
    """Its error; nothing is spent and nothing revoked."""
    app = world.app(BACK)
    token = (await browser.tokens(app, resource=API))["refresh_token"]
    is_token_error(await app.refresh(token, **changes), error)
    await world.advance(11)
    await fresh(app, token)


async def test_bad_client_beside_a_good_token(world: World, browser: Browser) -> None:
    """A wrong secret spends nothing."""
    app = world.app(BACK)
    token = (await browser.tokens(app))["refresh_token"]
    thief = world.app(BACK)
    thief.secret = "wrong"
    is_token_error(await thief.refresh(token), "invalid_client", 401)
    await world.advance(11)
    await fresh(app, token)


async def test_narrower_scope_and_resource(world: World, browser: Browser) -> None:
    """RFC 6749 §6: for this answer alone; the grant keeps what it has."""
    app = world.app(BACK)
    pairs = [*app.asks().items(), ("resource", API), ("resource", OTHER_API)]
    answer = await browser.go_on(await browser.http.get("/authorize", params=pairs))
    from tests.protocol.harness import answered

    tokens = (await app.redeem(answered(answer, app)["code"])).json()
    assert claims_of(tokens["access_token"])["aud"] == [API, OTHER_API]
    less = (await app.refresh(tokens["refresh_token"], scope="profile", resource=API)).json()
    assert less["scope"] == "profile"
    assert claims_of(less["access_token"])["scope"] == "profile"
    assert claims_of(less["access_token"])["aud"] == API
    assert "id_token" not in less
    all_again = (await app.refresh(less["refresh_token"])).json()
    assert all_again["scope"] == "openid profile"
    assert claims_of(all_again["access_token"])["aud"] == [API, OTHER_API]


async def test_parallel_refreshes(browser: Browser, app: App) -> None:
    """CVE-2026-1035: all are answered, with one and the same successor."""
    token = (await browser.tokens(app))["refresh_token"]
    answers = await asyncio.gather(*(app.refresh(token) for _ in range(12)))
    assert {answer.status_code for answer in answers} == {200}
    successors = {answer.json()["refresh_token"] for answer in answers}
    assert len(successors) == 1
    await fresh(app, successors.pop())


async def test_refresh_by_another_client(world: World, browser: Browser, app: App) -> None:
    """Refused; the owner's grant is untouched, also outside the grace time."""
    token = (await browser.tokens(app))["refresh_token"]
    successor = await fresh(app, token)
    await world.advance(11)
    for thief in (world.app(BACK), world.app(POST)):
        is_token_error(await thief.refresh(token), "invalid_grant")
        is_token_error(await thief.refresh(successor), "invalid_grant")
    await fresh(app, successor)
    assert not await world.audit("grant.reused")


@pytest.mark.parametrize("token", ["", "garbage", "A" * 82, "x" * 5000])
async def test_refresh_token_that_never_was(app: App, token: str) -> None:
    """Garbage, or none."""
    error = "invalid_request" if len(token) in {0, 5000} else "invalid_grant"
    is_token_error(await app.refresh(token), error)


async def test_refresh_token_of_an_unknown_grant(app: App) -> None:
    """One that we could have made, of a grant that is not there."""
    token = HANDLES.make(Kind.REFRESH, Handle("ab" * 16, "cd" * 16, 1))
    is_token_error(await app.refresh(token), "invalid_grant")


# ── ends ───────────────────────────────────────────────────────────────────────────────────


async def test_disabled_account(world: World, browser: Browser, app: App) -> None:
    """CVE-2023-22492: no refresh and no userinfo; what was begun before stays dead."""
    tokens = await browser.tokens(app, scope="openid offline_access")
    account = await world.account_of("ada.lindqvist")
    await world.disable(account)
    is_token_error(await app.refresh(tokens["refresh_token"]), "invalid_grant")
    is_challenge(await world.userinfo(tokens["access_token"]))
    await world.enable(account)
    is_token_error(await app.refresh(tokens["refresh_token"]), "invalid_grant")


async def test_crash_between_disabling_in_sql_and_in_redis(
    world: World, browser: Browser, app: App
) -> None:
    """Meanwhile there is no new session; the outbox finishes it."""
    tokens = await browser.tokens(app)
    account = await world.account_of("ada.lindqvist")
    await world.sql.accounts.disable(account, "test", world.clock.at)
    answer = await world.browser().arrive(app)
    assert answer.status_code == 403
    await world.drain()
    is_token_error(await app.refresh(tokens["refresh_token"]), "invalid_grant")


async def test_sign_out_everywhere(world: World, browser: Browser, app: App) -> None:
    """Sessions, codes and grants of every browser and app, offline ones too; a new login works."""
    other = world.browser()
    tokens = await browser.tokens(app, scope="openid offline_access")
    elsewhere = await other.tokens(world.app(FRONT))
    code = await other.code(app)
    await world.sign_out(await world.account_of("ada.lindqvist"))
    is_token_error(await app.refresh(tokens["refresh_token"]), "invalid_grant")
    is_token_error(await app.refresh(elsewhere["refresh_token"]), "invalid_grant")
    is_token_error(await app.redeem(code), "invalid_grant")
    is_challenge(await world.userinfo(tokens["access_token"]))
    assert (await browser.authorize(app)).headers["location"].startswith(world.discord_origin)
    await world.advance(1)
    assert await browser.tokens(app)


@pytest.mark.parametrize("generation", [0, 1, 2])
async def test_revoking_a_refresh_token(
    world: World, browser: Browser, app: App, generation: int
) -> None:
    """RFC 7009 §2.1: nothing of the grant works after the 200, whichever generation was named."""
    first = await browser.tokens(app)
    second = (await app.refresh(first["refresh_token"])).json()
    third = (await app.refresh(second["refresh_token"])).json()
    answer = await app.revoke((first, second, third)[generation]["refresh_token"])
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["cache-control"] == "no-store"
    for each in (first, second, third):
        is_token_error(await app.refresh(each["refresh_token"]), "invalid_grant")
        is_challenge(await world.userinfo(each["access_token"]))


async def test_refresh_racing_a_revocation(world: World, browser: Browser, app: App) -> None:
    """Whoever is first: after the 200 nothing of the grant is left."""
    for _ in range(4):
        token = (await browser.tokens(app))["refresh_token"]
        refreshed, revoked, again = await asyncio.gather(
            app.refresh(token), app.revoke(token), app.refresh(token)
        )
        assert revoked.status_code == 200
        for answer in (refreshed, again):
            if answer.status_code == 200:
                is_token_error(await app.refresh(answer.json()["refresh_token"]), "invalid_grant")
                is_challenge(await world.userinfo(answer.json()["access_token"]))


@pytest.mark.parametrize("hint", [None, "access_token", "refresh_token", "unknown"])
async def test_revoking_an_access_token(
    world: World, browser: Browser, app: App, hint: str | None
) -> None:
    """RFC 7009 §2.1: userinfo refuses it; the hint is only a hint."""
    tokens = await browser.tokens(app)
    answer = await app.revoke(tokens["access_token"], token_type_hint=hint)
    assert answer.status_code == 200
    is_challenge(await world.userinfo(tokens["access_token"]))


@pytest.mark.parametrize("token", ["garbage", "A" * 82, "a.b.c"])
async def test_revoking_an_unknown_token(app: App, token: str) -> None:
    """RFC 7009 §2.2: a success; and a missing one is a malformed request."""
    assert (await app.revoke(token)).status_code == 200
    is_token_error(await app.post("/revoke"), "invalid_request")


async def test_revoking_another_client_s_token(world: World, browser: Browser, app: App) -> None:
    """Refused; the token still lives."""
    tokens = await browser.tokens(app)
    thief = world.app(BACK)
    is_token_error(await thief.revoke(tokens["refresh_token"]), "invalid_request")
    is_token_error(await thief.revoke(tokens["access_token"]), "invalid_request")
    assert (await world.userinfo(tokens["access_token"])).status_code == 200
    await fresh(app, tokens["refresh_token"])


# ── time ───────────────────────────────────────────────────────────────────────────────────

DAY = 86400


async def test_grant_unused_and_grant_at_its_end(world: World, browser: Browser, app: App) -> None:
    """Thirty days without use, ninety in any case; a clock that steps back revives nothing."""
    unused = (await browser.tokens(app, scope="openid offline_access"))["refresh_token"]
    used = (await browser.tokens(app, scope="openid offline_access"))["refresh_token"]
    for _ in range(4):
        await world.advance(22 * DAY)
        used = await fresh(app, used)
    is_token_error(await app.refresh(unused), "invalid_grant")
    await world.advance(2 * DAY)
    is_token_error(await app.refresh(used), "invalid_grant")
    world.clock.at -= 5 * DAY
    is_token_error(await app.refresh(used), "invalid_grant")


async def test_clock_that_steps_back(world: World, browser: Browser, app: App) -> None:
    """No negative lifetime, no refused honest client, no spent token brought back to life."""
    tokens = await browser.tokens(app)
    first = tokens["refresh_token"]
    await world.advance(30)
    second = await fresh(app, first)
    await world.advance(11)
    third = await fresh(app, second)
    world.clock.at -= 41
    answer = (await app.refresh(third)).json()
    claims = claims_of(answer["access_token"])
    assert claims["exp"] > claims["iat"]
    is_token_error(await app.refresh(first), "invalid_grant")


# ── the hot path ───────────────────────────────────────────────────────────────────────────


async def test_one_redis_round_trip_and_no_sql(world: World, browser: Browser) -> None:
    """With fresh facts: for a refresh, a code and userinfo alike."""
    app = world.app(BACK)
    tokens = await browser.tokens(app)
    code = await browser.code(app)
    await world.userinfo((await app.refresh(tokens["refresh_token"])).json()["access_token"])
    for call in (
        lambda: app.refresh(tokens["refresh_token"]),
        lambda: app.redeem(code),
        lambda: world.userinfo(tokens["access_token"]),
    ):
        with statements(world.sql.engine) as seen:
            async with round_trips(world.redis) as trips:
                assert (await call()).status_code == 200
        assert [trip.split()[0] for trip in trips] == ["EVALSHA"]
        assert seen == []


async def test_facts_missing_in_redis_are_restored_once(
    world: World, browser: Browser, app: App
) -> None:
    """Facts that Redis has lost are read from SQL and put back; nobody is signed out."""
    tokens = await browser.tokens(app)
    code = await browser.code(app)
    account = await world.account_of("ada.lindqvist")
    for call in (
        lambda: app.refresh(tokens["refresh_token"]),
        lambda: app.redeem(code),
        lambda: world.userinfo(tokens["access_token"]),
        lambda: browser.authorize(app, prompt="none"),
    ):
        assert await world.redis.delete(f"tb:{{{account}}}:facts") == 1
        with statements(world.sql.engine) as seen:
            answer = await call()
        assert "error" not in answer.headers.get("location", "")
        assert answer.status_code in {200, 303}
        assert seen
        with statements(world.sql.engine) as seen:
            assert (await world.userinfo(tokens["access_token"])).status_code == 200
        assert seen == []


async def test_restored_facts_keep_a_disabled_account_out(
    world: World, browser: Browser, app: App
) -> None:
    """SQL is the truth: losing the marker in Redis does not let a disabled account back in."""
    tokens = await browser.tokens(app)
    account = await world.account_of("ada.lindqvist")
    await world.sql.accounts.disable(account, "test", world.clock.at)
    await world.redis.delete(f"tb:{{{account}}}:facts")
    is_token_error(await app.refresh(tokens["refresh_token"]), "invalid_grant")
