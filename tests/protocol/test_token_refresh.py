"""Token endpoint: refresh tokens. One grant, at most one live token, whatever happens."""

import asyncio

import pytest

from broker.core.handles import Handle, Handles, Kind
from tests.protocol.actors import App, Browser
from tests.protocol.checks import answered, is_challenge, is_token_error
from tests.protocol.harness import World
from tests.protocol.known import API, BACK, BARE, OPERATOR_SECRET, OTHER_API, POST
from tests.protocol.services import introspected
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
    first = await browser.tokens(app, prompt="login")
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


async def test_spent_token_outside_the_grace_time(world: World, browser: Browser, app: App) -> None:
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


async def test_what_was_taken_from_a_client_is_in_no_new_token(
    world: World, browser: Browser
) -> None:
    """A scope or resource that an operator withdraws leaves the very next token."""
    app = await world.new_app(BACK, scopes=("openid", "profile", "email"))
    wanted = app.client.resources[0]
    tokens = await browser.tokens(app, scope="openid email", resource=wanted)
    assert claims_of(tokens["access_token"])["aud"] == wanted
    await world.edit(app, scopes=("openid", "profile"))
    second = (await app.refresh(tokens["refresh_token"])).json()
    assert second["scope"] == "openid"
    assert "email" not in claims_of(second["id_token"])
    await world.edit(app, resources=())
    is_token_error(await app.refresh(second["refresh_token"]), "invalid_target")


async def test_offline_access_taken_from_a_client(world: World, browser: Browser) -> None:
    """Its grants go with their sessions, from the next refresh on; until then they refresh."""
    app = await world.new_app(BACK, scopes=("openid", "offline_access"))
    tokens = await browser.tokens(app, scope="openid offline_access")
    await world.edit(app, scopes=("openid",))
    second = (await app.refresh(tokens["refresh_token"])).json()
    assert second["scope"] == "openid"
    await browser.http.get("/logout", params={"id_token_hint": tokens["id_token"]})
    assert await introspected(app, second["refresh_token"]) == {"active": False}
    is_token_error(await app.refresh(second["refresh_token"]), "invalid_grant")
    await world.edit(app, scopes=("openid", "offline_access"))  # nothing of it was spent or ended
    assert (await introspected(app, second["refresh_token"]))["active"] is True
    assert (await app.refresh(second["refresh_token"])).status_code == 200


async def test_refresh_tokens_taken_from_a_client(world: World, browser: Browser) -> None:
    """RFC 6749 §5.2: unauthorized_client; the token is worth nothing, and was not spent."""
    app = await world.new_app(BACK)
    token = (await browser.tokens(app))["refresh_token"]
    await world.edit(app, grant_types=("authorization_code",))
    is_token_error(await app.refresh(token), "unauthorized_client")
    assert await introspected(app, token) == {"active": False}
    await world.edit(app, grant_types=BACK.grant_types)
    assert (await app.refresh(token)).status_code == 200


async def test_an_audience_and_a_scope_changed_meanwhile(world: World, browser: Browser) -> None:
    """The next token is for the new audience; asking for what is gone spends nothing."""
    app = await world.new_app(BACK, scopes=("openid", "email"))
    token = (await browser.tokens(app, scope="openid email"))["refresh_token"]
    await world.edit(app, scopes=("openid",), audience="https://new.example/api")
    is_token_error(await app.refresh(token, scope="email"), "invalid_scope")
    assert (await introspected(app, token))["scope"] == "openid"
    second = (await app.refresh(token)).json()
    assert claims_of(second["access_token"])["aud"] == "https://new.example/api"
    await world.advance(11)  # past the grace: the first was spent by one refresh alone
    assert (await app.refresh(second["refresh_token"])).status_code == 200
