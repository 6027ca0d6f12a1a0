"""Sessions, logout, login CSRF."""

import httpx2
import pytest

from broker.core.handles import Handle, Handles, Kind
from tests.protocol.actors import App, Browser
from tests.protocol.checks import (
    answered,
    is_challenge,
    is_page,
    is_refusal,
    is_token_error,
    query_of,
)
from tests.protocol.harness import World
from tests.protocol.known import ADA, BEN, ISSUER
from tests.protocol.tokens import claims_of

SESSION = "__Host-broker_session"
HANDLES = Handles([b"x" * 40])


async def alive(browser: Browser, app: App) -> bool:
    """Whether somebody is signed in, as a silent request sees it."""
    answer = await browser.authorize(app, prompt="none")
    return "code" in query_of(answer.headers["location"])


def plant(browser: Browser, value: str) -> None:
    browser.http.cookies.set(SESSION, value, domain="127.0.0.1", path="/")


# ── the session cookie ─────────────────────────────────────────────────────────────────────


async def test_cookies_cannot_be_planted_read_or_sent_across_sites(
    browser: Browser, app: App
) -> None:
    """RFC 6265bis: ``__Host-``, Secure, HttpOnly, SameSite=Lax, for the whole host and no other."""
    answer = await browser.authorize(app)
    callback = await browser.at_discord(answer)
    opened = await browser.http.get(callback)
    cookies = [*answer.headers.get_list("set-cookie"), *opened.headers.get_list("set-cookie")]
    assert [cookie.partition("=")[0] for cookie in cookies] == [
        "__Host-broker_browser", "__Host-broker_session",
    ]  # fmt: skip
    for cookie in cookies:
        parts = set(cookie.split("; "))
        assert {"Path=/", "HttpOnly", "SameSite=Lax", "Secure"} <= parts
        assert not any(part.startswith("Domain") for part in parts)


async def test_session_planted_before_login(world: World, browser: Browser, app: App) -> None:
    """A session id that somebody knew before login is never the one after it."""
    attacker = world.browser()
    await attacker.tokens(app, BEN)
    assert attacker.session
    plant(browser, attacker.session)
    first = claims_of((await attacker.tokens(app, BEN))["id_token"])
    tokens = await browser.tokens(app, ADA, prompt="login")
    assert browser.session != attacker.session
    assert claims_of(tokens["id_token"])["sid"] != first["sid"]
    hint = claims_of((await browser.tokens(app))["id_token"])
    assert hint["sub"] == claims_of(tokens["id_token"])["sub"] != first["sub"]


async def test_planted_garbage_is_replaced_at_login(browser: Browser, app: App) -> None:
    """Whatever was in the cookie before, login makes its own."""
    for value in ("garbage", "A" * 82, HANDLES.make(Kind.SESSION, Handle("ab" * 16, "cd" * 16))):
        plant(browser, value)
        await browser.tokens(app, prompt="login")
        assert browser.session != value


async def test_signing_in_again_kills_the_cookie_before(browser: Browser, app: App) -> None:
    """A stolen cookie ends when its owner signs in again; the session, and its grants, go on."""
    tokens = await browser.tokens(app)
    stolen = browser.session
    assert stolen
    again = await browser.tokens(app, prompt="login")
    assert claims_of(again["id_token"])["sid"] == claims_of(tokens["id_token"])["sid"]
    assert (await app.refresh(tokens["refresh_token"])).status_code == 200
    thief = browser.world.browser()
    plant(thief, stolen)
    assert not await alive(thief, app)
    assert await alive(browser, app)


async def test_another_account_in_the_same_browser(browser: Browser, app: App) -> None:
    """Nobody could end the former session from here any more, so it ends, with its grants."""
    former = await browser.tokens(app, ADA)
    cookie = browser.session
    assert cookie
    page = await browser.arrive(app, prompt="select_account")
    await browser.go_on(await browser.decide(page, "other"), BEN)
    is_token_error(await app.refresh(former["refresh_token"]), "invalid_grant")
    is_challenge(await browser.world.userinfo(former["access_token"]))
    old = browser.world.browser()
    plant(old, cookie)
    assert not await alive(old, app)
    assert await alive(browser, app)


@pytest.mark.parametrize("how", ["altered", "cut", "garbage", "other kind", "unknown", "twice"])
async def test_cookie_that_is_not_good(world: World, browser: Browser, app: App, how: str) -> None:
    """Altered, of a dropped secret, of a deleted session: signed out, never an error."""
    tokens = await browser.tokens(app)
    good = browser.session
    assert good
    value = {
        "altered": ("A" if good[40] != "A" else "B").join((good[:40], good[41:])),
        "cut": good[:-1],
        "garbage": "~" * 500,
        "other kind": tokens["refresh_token"],
        "unknown": HANDLES.make(Kind.SESSION, Handle("ab" * 16, "cd" * 16)),
        "twice": f"{good}; {SESSION}={good}",
    }[how]
    key = browser.http.cookies["__Host-broker_browser"]
    cookies = {"cookie": f"__Host-broker_browser={key}; {SESSION}={value}"}
    stranger = world.browser().http
    answer = await stranger.get("/authorize", params=app.asks(prompt="none"), headers=cookies)
    is_refusal(answer, app, "login_required")
    answer = await stranger.get("/authorize", params=app.asks(), headers=cookies)
    assert answer.headers["location"].startswith(world.discord_origin)
    is_page(await stranger.get("/logout", headers=cookies), 200)


async def test_cookie_of_a_dropped_secret(browser: Browser, app: App) -> None:
    """Made with a secret that is not accepted any more: signed out."""
    opened = HANDLES.open(Kind.SESSION, (await browser.tokens(app), browser.session)[1] or "")
    assert opened
    plant(browser, Handles([b"y" * 40]).make(Kind.SESSION, opened))
    assert not await alive(browser, app)


async def test_session_idle_and_absolute_end(world: World, browser: Browser, app: App) -> None:
    """Seven days without use, thirty in any case; a clock that steps back revives nothing."""
    day = 86400
    await browser.tokens(app)
    for _ in range(4):
        await world.advance(7 * day - 1)
        assert await alive(browser, app)
    await world.advance(2 * day + 5)
    assert not await alive(browser, app)
    world.clock.at -= 3 * day
    assert not await alive(browser, app)


# ── login CSRF ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("state", [None, "", "garbage", "A" * 82])
async def test_callback_with_a_missing_or_made_up_state(
    browser: Browser, app: App, state: str | None
) -> None:
    """RFC 9700 §4.7: a page, and no session."""
    callback = httpx2.URL(await browser.at_discord(await browser.authorize(app)))
    params = {"code": callback.params["code"]} | ({} if state is None else {"state": state})
    is_page(await browser.http.get("/login/discord/callback", params=params))
    assert browser.session is None


async def test_callback_with_a_foreign_state(world: World, browser: Browser, app: App) -> None:
    """An attacker's own callback, followed by a victim's browser: the victim is not signed in."""
    attacker = world.browser()
    callback = await attacker.at_discord(await attacker.authorize(app), BEN)
    is_page(await browser.http.get(callback))
    await browser.authorize(app)  # a sign-in of the victim's own is under way
    is_page(await browser.http.get(callback))
    assert browser.session is None
    answered(await attacker.go_on(await attacker.http.get(callback)), app)


async def test_callback_with_a_used_state(browser: Browser, app: App) -> None:
    """A callback counts once, and leaves the session that it made as it is."""
    callback = await browser.at_discord(await browser.authorize(app))
    first = await browser.http.get(callback)
    cookie = browser.session
    again = await browser.http.get(callback)
    is_page(again)
    assert "set-cookie" not in again.headers
    assert browser.session == cookie
    answered(await browser.go_on(first), app)


async def test_callback_of_an_earlier_trip(browser: Browser, app: App) -> None:
    """Each trip has a state of its own; that of one given up for another does not count."""
    answer = await browser.authorize(app)
    callback = await browser.at_discord(answer)
    handle = HANDLES.open(Kind.ATTEMPT, query_of(answer.headers["location"])["state"])
    assert handle
    request = HANDLES.make(Kind.REQUEST, Handle("00" * 16, handle.item_id))
    second = await browser.http.get("/interaction", params={"request": request})
    assert second.headers["location"].startswith(browser.world.discord_origin)
    is_page(await browser.http.get(callback))
    answered(await browser.go_on(second), app)


async def test_callback_with_the_request_s_own_handle(browser: Browser, app: App) -> None:
    """What stands in our addresses is no ``state``."""
    state = query_of((await browser.authorize(app)).headers["location"])["state"]
    handle = HANDLES.open(Kind.ATTEMPT, state)
    assert handle
    request = HANDLES.make(Kind.REQUEST, Handle("00" * 16, handle.item_id))
    params = {"code": "x", "state": request}
    is_page(await browser.http.get("/login/discord/callback", params=params))


async def test_callback_of_another_upstream(browser: Browser, app: App) -> None:
    """Mix-up (RFC 9700 §4.4): an answer counts where its question went."""
    callback = await browser.at_discord(await browser.authorize(app))
    is_page(await browser.http.get(callback.replace("/login/discord/", "/login/other/")))
    assert browser.session is None


# ── the account meanwhile ──────────────────────────────────────────────────────────────────


async def test_disabled_account_cannot_sign_in(world: World, browser: Browser, app: App) -> None:
    """403 page with a way back; no session, and an audit event."""
    await world.browser().tokens(app)
    await world.disable(await world.account_of(ADA))
    text = is_page(await browser.arrive(app), 403)
    assert f"{app.redirect_uri}?error=access_denied" in text
    assert browser.session is None
    (entry,) = await world.audit("sign_in.refused")
    assert entry.event.account_id == await world.account_of(ADA)
    await world.enable(await world.account_of(ADA))
    await world.advance(1)
    assert await browser.tokens(app)


async def test_account_disabled_while_signed_in(world: World, browser: Browser, app: App) -> None:
    """The session is over at once, silently and on pages."""
    await browser.tokens(app)
    page = await browser.arrive(app, prompt="consent")
    await world.disable(await world.account_of(ADA))
    is_refusal(await browser.authorize(app, prompt="none"), app, "login_required")
    is_page(await browser.go_on(await browser.decide(page, "allow")), 403)
    is_page(await browser.arrive(app), 403)


async def test_forwarded_headers_do_not_reach_cookies_or_addresses(
    browser: Browser, app: App
) -> None:
    """CVE-2025-64101: addresses of ours are relative or the configured issuer's."""
    forged = {"host": "evil.example", "x-forwarded-host": "evil.example"}
    answer = await browser.http.get("/authorize", params=app.asks(), headers=forged)
    redirect_uri = query_of(answer.headers["location"])["redirect_uri"]
    assert redirect_uri == f"{ISSUER}/login/discord/callback"
    assert "evil" not in str(answer.headers)
