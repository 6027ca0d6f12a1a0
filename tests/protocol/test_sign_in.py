"""Signing in: what is asked of a person, when, and what a stranger can do about it."""

import re
from typing import Any

import pytest

from tests.protocol.actors import App, Browser
from tests.protocol.checks import answered, hidden, is_page, is_refusal, query_of
from tests.protocol.harness import World
from tests.protocol.known import ADA, BEN, CUSTOM, FRONT, NATIVE, THIRD
from tests.protocol.tokens import claims_of


async def test_a_signed_in_person_gets_a_code_at_once(browser: Browser, app: App) -> None:
    """A first-party app on the web, a living session: one redirect, no page, no Discord."""
    await browser.tokens(app)
    answered(await browser.authorize(app), app)


# ── prompt=none ────────────────────────────────────────────────────────────────────────────


async def test_prompt_none_without_a_session(browser: Browser, app: App) -> None:
    """OpenID Connect Core §3.1.2.6: no page is shown, the app learns that one is needed."""
    is_refusal(await browser.authorize(app, prompt="none"), app, "login_required")


async def test_prompt_none_with_a_session(browser: Browser, app: App) -> None:
    """The answer is a code, silently."""
    await browser.tokens(app)
    answered(await browser.authorize(app, prompt="none"), app)


async def test_prompt_none_without_consent(world: World, browser: Browser, app: App) -> None:
    """A third-party app that the person never agreed to, or to less than it asks now."""
    await browser.tokens(app)
    third = world.app(THIRD)
    is_refusal(await browser.authorize(third, prompt="none"), third, "consent_required")
    await browser.tokens(third)
    answered(await browser.authorize(third, prompt="none"), third)
    more = await browser.authorize(third, prompt="none", scope="openid profile email")
    is_refusal(more, third, "consent_required")


async def test_prompt_none_without_a_fresh_enough_login(
    world: World, browser: Browser, app: App
) -> None:
    """``max_age`` passed: the app learns that the person has to sign in."""
    await browser.tokens(app, prompt="login")
    await world.advance(61)
    is_refusal(await browser.authorize(app, prompt="none", max_age="60"), app, "login_required")
    answered(await browser.authorize(app, prompt="none", max_age="61"), app)


@pytest.mark.parametrize("client", [NATIVE, CUSTOM], ids=["loopback", "custom scheme"])
async def test_prompt_none_of_an_app_that_any_other_could_pretend_to_be(
    world: World, browser: Browser, client
) -> None:
    """RFC 8252 §8.6: consent_required, signed in or not, agreed before or not."""
    app = world.app(client)
    is_refusal(await browser.authorize(app, prompt="none"), app, "consent_required")
    await browser.tokens(app)
    is_refusal(await browser.authorize(app, prompt="none"), app, "consent_required")


@pytest.mark.parametrize("client", [NATIVE, CUSTOM], ids=["loopback", "custom scheme"])
async def test_such_an_app_always_sees_a_page_that_names_it(
    world: World, browser: Browser, client
) -> None:
    """RFC 8252 §8.6: first-party or not, agreed before or not."""
    app = world.app(client)
    for _ in range(2):
        page = await browser.arrive(app)
        assert client.name in is_page(page, 200)
        answered(await browser.decide(page, "allow"), app)


# ── prompt=login, max_age ──────────────────────────────────────────────────────────────────


async def test_prompt_login(world: World, browser: Browser, app: App) -> None:
    """A new round trip to Discord, whose own page is asked for, and a later ``auth_time``."""
    before = claims_of((await browser.tokens(app, prompt="login"))["id_token"])
    await world.advance(100)
    answer = await browser.authorize(app, prompt="login")
    assert query_of(answer.headers["location"])["prompt"] == "consent"
    code = answered(await browser.go_on(answer), app)["code"]
    after = claims_of((await app.redeem(code)).json()["id_token"])
    assert after["auth_time"] == before["auth_time"] + 100
    assert after["sid"] == before["sid"]


async def test_max_age_older_than_the_session(world: World, browser: Browser, app: App) -> None:
    """A new round trip when it is older, none when it is not."""
    before = claims_of((await browser.tokens(app, max_age="0"))["id_token"])
    await world.advance(100)
    answered(await browser.authorize(app, max_age="100"), app)
    answer = await browser.authorize(app, max_age="99")
    assert query_of(answer.headers["location"])["prompt"] == "consent"
    code = answered(await browser.go_on(answer), app)["code"]
    after = claims_of((await app.redeem(code)).json()["id_token"])
    assert after["auth_time"] == before["auth_time"] + 100


async def test_max_age_zero_is_a_login_each_time(browser: Browser, app: App) -> None:
    """And it comes to an end: the login made during the request counts, however long it took."""
    for _ in range(2):
        answered(await browser.arrive(app, max_age="0"), app)
    assert query_of((await browser.authorize(app, max_age="0")).headers["location"])["state"]


async def test_prompt_login_is_not_satisfied_by_another_tab_s_login(
    world: World, browser: Browser, app: App
) -> None:
    """Only a login made during this very request counts."""
    await browser.tokens(app)
    waiting = await browser.authorize(app, prompt="login")
    await browser.tokens(world.app(FRONT))
    again = await browser.authorize(app, prompt="login")
    assert again.headers["location"].startswith(world.discord_origin)
    assert waiting.headers["location"] != again.headers["location"]


# ── id_token_hint, login_hint, select_account, consent ─────────────────────────────────────


async def test_id_token_hint_of_the_person_signed_in(browser: Browser, app: App) -> None:
    """The person whom the app means is there: a code, also with ``prompt=none``."""
    hint = (await browser.tokens(app))["id_token"]
    answered(await browser.authorize(app, prompt="none", id_token_hint=hint), app)


async def test_id_token_hint_of_somebody_else(world: World, browser: Browser, app: App) -> None:
    """OpenID Connect Core §3.1.2.1: login_required, silently or when the wrong person signs in."""
    hint = (await world.browser().tokens(app, BEN))["id_token"]
    await browser.tokens(app)
    silent = await browser.authorize(app, prompt="none", id_token_hint=hint)
    is_refusal(silent, app, "login_required")
    is_refusal(await browser.arrive(app, ADA, id_token_hint=hint), app, "login_required")
    answered(await browser.arrive(app, BEN, id_token_hint=hint), app)


async def test_id_token_hint_that_is_not_ours(world: World, browser: Browser, app: App) -> None:
    """Garbage, an access token, or another client's ID token: an error, no sign-in."""
    tokens = await browser.tokens(app)
    foreign = (await browser.tokens(world.app(THIRD)))["id_token"]
    for hint in ("garbage", "a.b.c", tokens["access_token"], foreign):
        is_refusal(await browser.authorize(app, id_token_hint=hint), app, "invalid_request")


async def test_id_token_hint_expired(world: World, browser: Browser, app: App) -> None:
    """A hint says who is meant; that it is expired does not matter."""
    hint = (await browser.tokens(app))["id_token"]
    await world.advance(86400)
    answered(await browser.authorize(app, prompt="none", id_token_hint=hint), app)


async def test_login_hint_is_only_a_hint(browser: Browser, app: App) -> None:
    """Whatever it says: Discord knows none, and whoever signs in is signed in."""
    answered(await browser.arrive(app, ADA, login_hint=BEN), app)


async def test_select_account(world: World, browser: Browser, app: App) -> None:
    """A page that asks: go on as this account, or another, which goes to Discord's own page."""
    first = claims_of((await browser.tokens(app))["id_token"])
    page = await browser.arrive(app, prompt="select_account")
    assert "Ada Lindqvist" in is_page(page, 200)
    answer = await browser.go_on(await browser.decide(page, "continue"))
    code = answered(answer, app)["code"]
    assert claims_of((await app.redeem(code)).json()["id_token"])["sub"] == first["sub"]

    page = await browser.arrive(app, prompt="select_account")
    answer = await browser.decide(page, "other")
    assert query_of(answer.headers["location"])["prompt"] == "consent"
    code = answered(await browser.go_on(answer, BEN), app)["code"]
    assert claims_of((await app.redeem(code)).json()["id_token"])["sub"] != first["sub"]


async def test_prompt_consent_asks_again(world: World, browser: Browser, app: App) -> None:
    """Also a first-party app, and one that was agreed to before."""
    await browser.tokens(app)
    for asking in (app, world.app(THIRD)):
        for _ in range(2):
            page = await browser.arrive(asking, prompt="consent")
            assert asking.client.name in is_page(page, 200)
            answered(await browser.decide(page, "allow"), asking)


async def test_consent_is_remembered_until_more_is_asked(world: World, browser: Browser) -> None:
    """A third-party app asks once for what it gets; each new scope is asked for."""
    third = world.app(THIRD)
    await browser.tokens(third, scope="openid")
    answered(await browser.authorize(third, scope="openid"), third)
    page = await browser.arrive(third, scope="openid email")
    assert "ada@example.com" in is_page(page, 200)
    answered(await browser.decide(page, "allow"), third)
    answered(await browser.authorize(third, scope="openid email"), third)
    (event, _) = await world.audit("consent.given")
    assert event.event.detail == {"scope": "openid email"}


# ── saying no ──────────────────────────────────────────────────────────────────────────────


async def test_no_at_discord(browser: Browser, app: App) -> None:
    """Saying no at Discord goes back to the app as access_denied, and no session is made."""
    answer = await browser.go_on(await browser.authorize(app), deny=True)
    is_refusal(answer, app, "access_denied")
    assert browser.session is None


async def test_no_at_our_consent_page(world: World, browser: Browser) -> None:
    """Saying no on our page goes back to the app as access_denied, and nothing is remembered."""
    third = world.app(THIRD)
    page = await browser.arrive(third)
    is_refusal(await browser.decide(page, "deny"), third, "access_denied")
    is_page(await browser.decide(page, "allow"))
    is_refusal(await browser.authorize(third, prompt="none"), third, "consent_required")


# ── posting to /authorize ──────────────────────────────────────────────────────────────────


async def test_cross_site_post(world: World, browser: Browser, app: App) -> None:
    """A POST comes without our Lax cookies: 303 to a GET by handle, which sees them."""
    await browser.tokens(app)
    answer = await world.api.post("/authorize", data=app.asks())
    assert answer.status_code == 303
    assert "set-cookie" not in answer.headers
    location = answer.headers["location"]
    assert location.startswith("/interaction?request=")
    assert app.state not in location
    answered(await browser.http.get(location), app)


async def test_cross_site_post_with_prompt_none(world: World, browser: Browser, app: App) -> None:
    """The GET answers as a GET request would have."""
    answer = await world.api.post("/authorize", data=app.asks(prompt="none"))
    is_refusal(await browser.http.get(answer.headers["location"]), app, "login_required")


async def test_posting_something_else_than_a_form(world: World, app: App) -> None:
    """OpenID Connect Core §3.1.2.1: a form, nothing else."""
    is_page(await world.api.post("/authorize", json=app.asks()))


# ── handles in other browsers ──────────────────────────────────────────────────────────────


async def test_login_handle_in_another_browser(world: World, browser: Browser, app: App) -> None:
    """CVE-2022-39222: the page of a sign-in that began elsewhere is refused with 403."""
    callback = await browser.at_discord(await browser.authorize(app))
    on = (await browser.http.get(callback)).headers["location"]
    stranger = world.browser()
    is_page(await stranger.http.get(on), 403)
    await stranger.tokens(world.app(FRONT), BEN)
    is_page(await stranger.http.get(on), 403)
    answered(await browser.http.get(on), app)


async def test_consent_handle_in_another_browser(world: World, browser: Browser) -> None:
    """CVE-2026-7507: nobody agrees for somebody else; nothing is granted or remembered."""
    third = world.app(THIRD)
    page = await browser.arrive(third)
    stranger = world.browser()
    await stranger.tokens(world.app(FRONT), BEN)
    is_page(await stranger.decide(page, "allow"), 403)
    is_page(await stranger.http.get("/interaction", params=hidden(page)), 403)
    assert not await world.audit("consent.given")
    answered(await browser.decide(page, "allow"), third)


async def test_consent_by_another_account_in_the_same_browser(
    world: World, browser: Browser, app: App
) -> None:
    """A page made for one account is not answered by the next one to sign in."""
    third = world.app(THIRD)
    page = await browser.arrive(third, ADA)
    await browser.arrive(app, BEN, prompt="login")
    is_page(await browser.decide(page, "allow"), 403)
    assert not await world.audit("consent.given")


@pytest.mark.parametrize("token", [None, "", "x" * 43, "é"])
async def test_consent_without_its_form_token(
    world: World, browser: Browser, token: str | None
) -> None:
    """CSRF on consent: 403, and nothing granted."""
    third = world.app(THIRD)
    page = await browser.arrive(third)
    is_page(await browser.decide(page, "allow", csrf=token), 403)
    assert not await world.audit("consent.given")


async def test_form_token_of_another_request(world: World, browser: Browser) -> None:
    """A token belongs to its request: one app's page does not agree for another's."""
    third = world.app(THIRD)
    first, second = await browser.arrive(third), await browser.arrive(third)
    is_page(await browser.decide(first, "allow", csrf=hidden(second)["csrf"]), 403)


async def test_unknown_decision(world: World, browser: Browser) -> None:
    """A form without a decision decides nothing."""
    third = world.app(THIRD)
    page = await browser.arrive(third)
    is_page(await browser.decide(page, "perhaps"))
    answered(await browser.decide(page, "allow"), third)


CHANGES: list[dict[str, Any]] = [
    {"disabled": True},
    {"redirect_uris": ("https://third.example/new",)},
    {"grant_types": ("refresh_token",)},
]


@pytest.mark.parametrize("change", CHANGES, ids=("switched off", "moved", "no codes"))
async def test_app_changed_under_way(
    world: World, browser: Browser, change: dict[str, Any]
) -> None:
    """Nobody is sent to where the app is no more: not with a code, and not with a refusal."""
    app, away = await world.new_app(THIRD), await world.new_app(FRONT)
    page, other = await browser.arrive(app), world.browser()
    no = await other.at_discord(await other.authorize(away), deny=True)
    await world.edit(app, **change)
    await world.edit(away, **change)
    for decision in ("allow", "deny"):
        is_page(await browser.decide(page, decision))
    assert not await world.audit("consent.given")
    is_page(await other.http.get(no))


@pytest.mark.parametrize("handle", [None, "", "garbage", "A" * 82])
async def test_unknown_request_handle(browser: Browser, handle: str | None) -> None:
    """A page for a request that never was."""
    params = {} if handle is None else {"request": handle}
    is_page(await browser.http.get("/interaction", params=params))
    is_page(await browser.http.post("/interaction", data={**params, "decision": "allow"}))


async def test_request_that_waited_too_long(world: World, browser: Browser) -> None:
    """A page that says so, with a way back to the app that tells it no."""
    third = world.app(THIRD)
    page = await browser.arrive(third)
    await world.advance(600)
    for late in (
        await browser.decide(page, "allow"),
        await browser.http.get("/interaction", params={"request": hidden(page)["request"]}),
    ):
        text = is_page(late)
        assert "too long" in text
        assert f"{third.redirect_uri}?error=access_denied&state={third.state}&iss=" in text
    assert not await world.audit("consent.given")


async def test_callback_that_came_too_late(world: World, browser: Browser, app: App) -> None:
    """A trip to Discord that took longer than the request lives."""
    callback = await browser.at_discord(await browser.authorize(app))
    await world.advance(600)
    assert "too long" in is_page(await browser.http.get(callback))
    assert browser.session is None


async def test_pages_cannot_be_framed_and_forms_go_where_they_should(
    world: World, browser: Browser
) -> None:
    """RFC 9700 §4.16: and ``form-action`` names us and the validated redirect origin alone."""
    page = await browser.arrive(world.app(THIRD))
    is_page(page, 200)
    assert page.headers["x-frame-options"] == "DENY"
    policy = page.headers["content-security-policy"]
    (form_action,) = [part for part in policy.split("; ") if part.startswith("form-action")]
    assert "https://third.example" in form_action.split()
    assert "unsafe-inline" not in policy
    is_page(await browser.http.get("/"), 200)
    is_page(await browser.http.get("/no-such-page", headers={"accept": "text/html"}), 404)


async def test_a_decision_that_is_none_can_be_taken_again(world: World, browser: Browser) -> None:
    """The page leads to the question, which still waits, or back to the app."""
    app = world.app(THIRD)
    page = await browser.arrive(app)
    text = is_page(await browser.decide(page, "perhaps"))
    assert "The form holds no decision" in text
    again, back = re.findall(r'<a class="button[^"]*" href="([^"]+)"', text)
    assert back.startswith(f"{app.redirect_uri}?error=access_denied")
    asked = await browser.http.get(again)
    answered(await browser.go_on(await browser.decide(asked, "allow")), app)
