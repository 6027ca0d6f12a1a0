"""Signing out: only who is meant, only when it is meant, and everything that must end ends."""

from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.protocol.actors import App, Browser
from tests.protocol.checks import (
    answered,
    hidden,
    is_challenge,
    is_page,
    is_token_error,
    query_of,
)
from tests.protocol.harness import World
from tests.protocol.known import ADA, BACK, BEN, FRONT, THIRD
from tests.protocol.tokens import b64, claims_of, header_of

BYE = "https://front.example/bye"


async def alive(browser: Browser, app: App) -> bool:
    """Whether somebody is signed in, as a silent request sees it."""
    answer = await browser.authorize(app, prompt="none")
    return "code" in query_of(answer.headers["location"])


# ── logout ─────────────────────────────────────────────────────────────────────────────────


async def test_logout_with_a_hint(world: World, browser: Browser, app: App) -> None:
    """The app proves whom it means: signed out at once, and back, with the state."""
    tokens = await browser.tokens(app)
    code = await browser.code(app)
    params = {
        "id_token_hint": tokens["id_token"], "post_logout_redirect_uri": BYE, "state": "s 1",
    }  # fmt: skip
    answer = await browser.http.get("/logout", params=params)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{BYE}?state=s+1")
    assert browser.session is None
    is_token_error(await app.refresh(tokens["refresh_token"]), "invalid_grant")
    is_token_error(await app.redeem(code), "invalid_grant")
    is_challenge(await world.userinfo(tokens["access_token"]))
    (entry,) = await world.audit("sign_out")
    assert entry.event.detail == {"grants_ended": 1}


async def test_offline_access_outlives_logout(world: World, browser: Browser, app: App) -> None:
    """OpenID Connect Core §11: what was granted for offline use stays; the rest ends."""
    offline = await browser.tokens(app, scope="openid offline_access")
    online = await browser.tokens(world.app(BACK))
    await browser.http.get("/logout", params={"id_token_hint": offline["id_token"]})
    assert not await alive(browser, app)
    is_token_error(await world.app(BACK).refresh(online["refresh_token"]), "invalid_grant")
    refreshed = (await app.refresh(offline["refresh_token"])).json()
    assert (await world.userinfo(refreshed["access_token"])).status_code == 200


async def test_logout_with_an_expired_hint(world: World, browser: Browser, app: App) -> None:
    """RP-Initiated Logout §2: an ID token says who is meant long after it expired."""
    hint = (await browser.tokens(app))["id_token"]
    await world.advance(6 * 86400)
    answer = await browser.http.get(
        "/logout", params={"id_token_hint": hint, "post_logout_redirect_uri": BYE}
    )
    assert answer.headers["location"] == BYE
    assert not await alive(browser, app)


@pytest.mark.parametrize("kind", ["public", "pairwise"])
async def test_a_hint_of_the_persons_other_session(world: World, browser: Browser, kind) -> None:
    """Who is meant is whom it names at its client; the session does not have to be the same."""
    app = await world.new_app(FRONT, subject_type=kind)
    hint = (await world.browser().tokens(app))["id_token"]
    await browser.tokens(app)
    answer = await browser.http.get("/logout", params={"id_token_hint": hint})
    assert "Ada Lindqvist" not in is_page(answer, 200)
    assert not await alive(browser, app)


async def test_a_hint_of_this_session_by_another_name(world: World, browser: Browser) -> None:
    """The client has pairwise subjects since; the session is the one that was meant."""
    app = await world.new_app(FRONT)
    hint = (await browser.tokens(app))["id_token"]
    await world.edit(app, subject_type="pairwise")
    await browser.http.get("/logout", params={"id_token_hint": hint})
    assert not await alive(browser, app)


async def test_a_hint_beside_another_client(world: World, browser: Browser, app: App) -> None:
    """RP-Initiated Logout §2: they have to agree; else it is asked, and there is no way back."""
    hint = (await browser.tokens(app))["id_token"]
    params = {"id_token_hint": hint, "client_id": "back", "post_logout_redirect_uri": BYE}
    page = await browser.http.get("/logout", params=params)
    assert "Ada Lindqvist" in is_page(page, 200)
    assert await alive(browser, app)
    answer = await browser.http.post("/logout", data={**hidden(page), "confirm": "yes"})
    assert "location" not in answer.headers


async def test_no_way_back_to_an_app_that_was_switched_off(
    world: World, browser: Browser, app: App
) -> None:
    """Nobody is led there, with a hint or after it was asked."""
    off = await world.new_app(FRONT)
    hint = (await browser.tokens(off))["id_token"]
    await world.edit(off, disabled=True)
    params = {"id_token_hint": hint, "post_logout_redirect_uri": BYE}
    page = await browser.http.get("/logout", params=params)
    is_page(page, 200)
    assert await alive(browser, app)
    answer = await browser.http.post("/logout", data={**hidden(page), "confirm": "yes"})
    assert "location" not in answer.headers


async def test_logout_without_a_hint_asks(world: World, browser: Browser, app: App) -> None:
    """Cross-site or not: a page that asks, who stays signed in until the answer; then back."""
    await browser.tokens(app)
    params = {"client_id": "front", "post_logout_redirect_uri": BYE, "state": "s1"}
    page = await browser.http.get("/logout", params=params)
    assert "Ada Lindqvist" in is_page(page, 200)
    assert await alive(browser, app)
    answer = await browser.http.post("/logout", data={**hidden(page), "confirm": "yes"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"{BYE}?state=s1")
    assert browser.session is None
    assert not await alive(browser, app)


async def test_pressing_the_button_twice(browser: Browser, app: App) -> None:
    """The second press finds what the first one did: signed out, and back."""
    await browser.tokens(app)
    params = {"client_id": "front", "post_logout_redirect_uri": BYE}
    page = await browser.http.get("/logout", params=params)
    for _ in range(2):
        answer = await browser.http.post("/logout", data={**hidden(page), "confirm": "yes"})
        assert (answer.status_code, answer.headers["location"]) == (303, BYE)
        assert browser.session is None


async def test_discord_asks_who_it_is_after_a_sign_out(browser: Browser, app: App) -> None:
    """Whoever signed out may want another account; before, Discord passes through."""
    first = await browser.authorize(app)
    assert query_of(first.headers["location"])["prompt"] == "none"
    hint = (await browser.tokens(app))["id_token"]
    await browser.http.get("/logout", params={"id_token_hint": hint})
    answer = await browser.authorize(app)
    assert query_of(answer.headers["location"])["prompt"] == "consent"
    answered(await browser.go_on(answer, BEN), app)


async def test_cross_site_post_without_a_hint(world: World, browser: Browser, app: App) -> None:
    """It comes without cookies: sent round to a GET, which asks; nobody is signed out."""
    await browser.tokens(app)
    posted = await world.api.post("/logout", data={"client_id": "front"})
    assert posted.status_code == 303
    assert "set-cookie" not in posted.headers
    is_page(await browser.http.get(posted.headers["location"]), 200)
    assert await alive(browser, app)


@pytest.mark.parametrize("uri", [None, BYE])
async def test_cross_site_post_that_pretends_to_be_our_form(world: World, uri: str | None) -> None:
    """CSRF on logout: a made-up form token takes nobody's cookie away."""
    data = {"csrf": "x" * 43, "confirm": "yes", "client_id": "front"}
    if uri:
        data["post_logout_redirect_uri"] = uri
    answer = await world.api.post("/logout", data=data)
    assert "set-cookie" not in answer.headers
    assert not answer.headers.get("location", "").startswith(BYE)


@pytest.mark.parametrize("token", ["x" * 43, "é", "of another session"])
async def test_confirming_without_our_form_token(
    world: World, browser: Browser, app: App, token: str
) -> None:
    """CSRF on logout: 403, and still signed in."""
    await browser.tokens(app)
    if token == "of another session":
        other = world.browser()
        await other.tokens(app, BEN)
        token = hidden(await other.http.get("/logout"))["csrf"]
    answer = await browser.http.post("/logout", data={"csrf": token, "confirm": "yes"})
    is_page(answer, 403)
    assert await alive(browser, app)


async def unconfirmed(browser: Browser, app: App, params: dict[str, Any]) -> None:
    """Signed out after confirmation, no redirect."""
    page = await browser.http.get("/logout", params=params)
    is_page(page, 200)
    assert await alive(browser, app)
    answer = await browser.http.post("/logout", data={**hidden(page), "confirm": "yes"})
    assert "signed out" in is_page(answer, 200).lower()
    assert browser.session is None
    assert not await alive(browser, app)


@pytest.mark.parametrize(
    "uri",
    ["https://evil.example/", BYE + "/", BYE + "?x=1", "https://front.example/callback",
     "https://back.example/bye", "javascript:alert(1)"],
)  # fmt: skip
@pytest.mark.parametrize("with_hint", [True, False])
async def test_post_logout_uri_not_registered_or_changed(
    browser: Browser, app: App, uri: str, with_hint: bool
) -> None:
    """With a good hint or without: signed out after confirmation, no redirect."""
    tokens = await browser.tokens(app)
    params = {"client_id": "front", "post_logout_redirect_uri": uri}
    if with_hint:
        params["id_token_hint"] = tokens["id_token"]
    await unconfirmed(browser, app, params)


FOREIGN = RSAKey.generate_key(2048)


@pytest.mark.parametrize(
    "kind", ["garbage", "foreign key", "alg none", "another client's", "access token"]
)
async def test_bad_hint(world: World, browser: Browser, app: App, kind: str) -> None:
    """Bad, foreign or ``alg`` none: signed out after confirmation, no redirect."""
    tokens = await browser.tokens(app)
    good = tokens["id_token"]
    header, claims = header_of(good), claims_of(good)
    hint = {
        "garbage": "garbage",
        "foreign key": jwt.encode(header, claims, FOREIGN, algorithms=["RS256"]),
        "alg none": f"{b64(header | {'alg': 'none'})}.{b64(claims)}.",
        "another client's": (await browser.tokens(world.app(BACK)))["id_token"],
        "access token": tokens["access_token"],
    }[kind]
    params = {
        "id_token_hint": hint, "client_id": "front", "post_logout_redirect_uri": BYE,
    }  # fmt: skip
    await unconfirmed(browser, app, params)


async def test_hint_of_another_person(world: World, browser: Browser, app: App) -> None:
    """The app means somebody else: asked first."""
    hint = (await world.browser().tokens(app, BEN))["id_token"]
    await browser.tokens(app)
    page = await browser.http.get("/logout", params={"id_token_hint": hint})
    assert "Ada Lindqvist" in is_page(page, 200)
    assert await alive(browser, app)


async def test_logout_when_nobody_is_signed_in(world: World, browser: Browser, app: App) -> None:
    """A page that says so; with a good hint the way back."""
    is_page(await browser.http.get("/logout"), 200)
    hint = (await world.browser().tokens(app))["id_token"]
    params = {"id_token_hint": hint, "post_logout_redirect_uri": BYE}
    assert (await browser.http.get("/logout", params=params)).headers["location"] == BYE


async def test_logout_parameter_twice(browser: Browser) -> None:
    """RFC 6749 §3.1."""
    pairs = [("state", "1"), ("state", "2")]
    is_page(await browser.http.get("/logout", params=pairs))


async def test_logout_while_redis_has_lost_the_facts(
    world: World, browser: Browser, app: App
) -> None:
    """Nobody is told that they are signed out while their session goes on."""
    tokens = await browser.tokens(app)
    account = await world.account_of(ADA)
    await world.redis.delete(f"tb:{{{account}}}:facts")
    await browser.http.get("/logout", params={"id_token_hint": tokens["id_token"]})
    is_token_error(await app.refresh(tokens["refresh_token"]), "invalid_grant")


async def test_consent_page_while_redis_has_lost_the_facts(world: World, browser: Browser) -> None:
    """Facts that Redis has lost are read again: the person is still signed in."""
    await browser.tokens(world.app(FRONT))
    third = world.app(THIRD)
    account = await world.account_of(ADA)
    await world.redis.delete(f"tb:{{{account}}}:facts")
    answer = await browser.authorize(third, prompt="consent")
    is_page(answer, 200)
