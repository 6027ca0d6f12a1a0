"""Discord as it is, and as it is on a bad day; seen through the whole broker."""

import asyncio
import re

import httpx2
import pytest

from broker.demo.discord import Fault
from tests.protocol.actors import App, Browser
from tests.protocol.checks import answered, is_page, is_refusal, query_of
from tests.protocol.harness import World
from tests.protocol.known import ADA, BEN, FRONT
from tests.protocol.tokens import claims_of


async def identity(
    world: World, browser: Browser, app: App, person: str = ADA
) -> dict[str, object]:
    tokens = await browser.tokens(app, person, scope="openid profile email")
    found: dict[str, object] = (await world.userinfo(tokens["access_token"])).json()
    return found


@pytest.mark.parametrize("kind", ["unverified", "no_email"])
async def test_verified_false_or_absent(
    world: World, browser: Browser, app: App, kind: str
) -> None:
    """``email_verified`` is false unless Discord says that it is true."""
    world.discord.misbehave("/users/@me", Fault(kind))
    tokens = await browser.tokens(app, scope="openid email")
    claims = claims_of(tokens["id_token"])
    if kind == "unverified":
        assert claims["email"] == "ada@example.com"
    else:
        assert "email" not in claims
    assert claims.get("email_verified", False) is False


async def test_accounts_are_never_joined_by_email(world: World, app: App) -> None:
    """Two people with one verified address are two accounts; so are two with one username."""
    ada = await identity(world, world.browser(), app)
    world.discord.add_person("mallory", email="ada@example.com", verified=True)
    mallory = await identity(world, world.browser(), app, "mallory")
    assert mallory["email"] == ada["email"]
    assert mallory["sub"] != ada["sub"]


async def test_username_and_address_changed(world: World, browser: Browser, app: App) -> None:
    """The snowflake is the identity: same account, with the new name; its name may be reused."""
    before = await identity(world, browser, app)
    person = world.discord.find_person(ADA)
    world.discord.change_person(
        person.id, username="countess", global_name="Countess", email="new@example.com"
    )
    after = await identity(world, world.browser(), app, "countess")
    assert after["sub"] == before["sub"]
    assert (after["preferred_username"], after["email"]) == ("countess", "new@example.com")
    world.discord.add_person(ADA, email="ada@example.com")
    reuse = await identity(world, world.browser(), app, ADA)
    assert reuse["sub"] != before["sub"]


async def test_429_is_waited_out_and_shared(world: World, browser: Browser, app: App) -> None:
    """A page that says when to try again; until then Discord is not asked, by anybody."""
    world.discord.misbehave("/users/@me", Fault("rate_limited", seconds=30, scope="global"))
    callback = await browser.at_discord(await browser.authorize(app))
    answer = await browser.http.get(callback)
    text = is_page(answer, 503)
    wait = int(answer.headers["retry-after"])
    assert 20 < wait <= 30  # it is kept in Redis' own time, which goes on meanwhile
    assert f"{wait} seconds" in text
    world.discord.behave()
    asked = world.discord.calls.copy()
    other = world.browser()
    answer = await other.http.get(await other.at_discord(await other.authorize(app), BEN))
    is_page(answer, 503)
    assert world.discord.calls["/oauth2/token"] == asked["/oauth2/token"]
    kept = [key async for key in world.redis.scan_iter("tb:{upstream:discord}:*")]
    assert "tb:{upstream:discord}:all" in kept
    await world.advance(31)
    await world.redis.delete(*kept)  # Redis' own clock has not been turned
    answered(await world.browser().arrive(app), app)


FAULTS = {
    "500": Fault("status", status=500),
    "503": Fault("status", status=503),
    "time-out": Fault("delay", seconds=4),
    "HTML": Fault("html", status=200),
    "HTML 502": Fault("html", status=502),
    "truncated": Fault("truncated"),
    "huge": Fault("huge", size=3_000_000),
    "dropped": Fault("drop"),
    "no JSON": Fault("not_json"),
}


@pytest.mark.parametrize("route", ["/oauth2/token", "/users/@me"])
@pytest.mark.parametrize("kind", FAULTS)
async def test_discord_in_trouble(
    world: World, browser: Browser, app: App, route: str, kind: str
) -> None:
    """A clear page from which the sign-in goes on; nothing half-written; asked once, no storm."""
    world.discord.misbehave(route, FAULTS[kind])
    callback = await browser.at_discord(await browser.authorize(app))
    answer = await browser.http.get(callback)
    assert answer.status_code in {502, 503}
    text = is_page(answer, answer.status_code)
    assert "Discord" in text
    assert browser.session is None
    assert (await world.sql.accounts.find(ADA)) == ()
    assert world.discord.calls[route] == 1
    world.discord.behave()
    (again,) = re.findall(r'href="(/interaction\?request=[^"]*)"', text)
    answered(await browser.go_on(await browser.http.get(again)), app)


@pytest.mark.parametrize("field", ["id", "username"])
@pytest.mark.parametrize("kind", ["missing", "replaced"])
async def test_missing_fields(
    world: World, browser: Browser, app: App, kind: str, field: str
) -> None:
    """A profile without what a person has is no profile: a page, and no account."""
    world.discord.misbehave("/users/@me", Fault(kind, fields=(field,)))
    callback = await browser.at_discord(await browser.authorize(app))
    is_page(await browser.http.get(callback), 502)
    assert browser.session is None


async def test_bot_account(world: World, browser: Browser, app: App) -> None:
    """A bot is nobody who could sign in."""
    world.discord.misbehave("/users/@me", Fault("bot"))
    callback = await browser.at_discord(await browser.authorize(app))
    is_page(await browser.http.get(callback), 502)
    assert browser.session is None


@pytest.mark.parametrize(
    ("error", "told"),
    [("access_denied", "access_denied"), ("server_error", "server_error"),
     ("temporarily_unavailable", "temporarily_unavailable"), ("invalid_scope", "server_error"),
     ("<script>", "server_error")],
)  # fmt: skip
async def test_error_in_place_of_a_code(browser: Browser, app: App, error: str, told: str) -> None:
    """RFC 6749 §4.1.2.1: it goes on to the app, in our words."""
    callback = httpx2.URL(await browser.at_discord(await browser.authorize(app)))
    params = {"error": error, "state": callback.params["state"]}
    answer = await browser.http.get("/login/discord/callback", params=params)
    is_refusal(answer, app, told)
    assert "%3C" not in answer.headers["location"]
    assert browser.session is None


@pytest.mark.parametrize("code", [None, "", "made-up", "é", "x" * 3000])
async def test_code_that_discord_never_gave(
    world: World, browser: Browser, app: App, code: str | None
) -> None:
    """A page; no session. Discord's own code of another trip is bound by PKCE to that trip."""
    callback = httpx2.URL(await browser.at_discord(await browser.authorize(app)))
    params = {"state": callback.params["state"]} | ({} if code is None else {"code": code})
    answer = await browser.http.get("/login/discord/callback", params=params)
    assert answer.status_code in {400, 502}
    is_page(answer, answer.status_code)
    assert browser.session is None


async def test_code_injected_from_another_trip(world: World, browser: Browser, app: App) -> None:
    """RFC 9700 §4.5: an attacker's code in a victim's callback does not sign the victim in."""
    attacker = world.browser()
    stolen = httpx2.URL(await attacker.at_discord(await attacker.authorize(app), BEN))
    own = httpx2.URL(await browser.at_discord(await browser.authorize(app)))
    params = {"code": stolen.params["code"], "state": own.params["state"]}
    is_page(await browser.http.get("/login/discord/callback", params=params), 502)
    assert browser.session is None


async def test_discord_down_while_sessions_exist(world: World, browser: Browser, app: App) -> None:
    """Refreshes, silent sign-ins and userinfo go on without Discord."""
    tokens = await browser.tokens(app)
    world.discord.misbehave("*", Fault("drop"))
    refreshed = (await app.refresh(tokens["refresh_token"])).json()
    assert (await world.userinfo(refreshed["access_token"])).status_code == 200
    answered(await browser.authorize(app, prompt="none"), app)


async def test_first_sign_ins_of_one_person_at_once(world: World, app: App) -> None:
    """Two browsers of somebody new make one account."""
    apps = [world.app(FRONT) for _ in range(4)]
    found = await asyncio.gather(*(world.browser().tokens(each) for each in apps))
    assert len({claims_of(tokens["id_token"])["sub"] for tokens in found}) == 1


async def test_what_is_asked_of_discord(world: World, browser: Browser, app: App) -> None:
    """PKCE, a state of our own, two scopes, no prompt unless the app asks for one."""
    asked = query_of((await browser.authorize(app)).headers["location"])
    assert asked["code_challenge_method"] == "S256"
    assert len(asked["code_challenge"]) == 43
    assert asked["scope"] == "identify email"
    assert asked["prompt"] == "none"
    assert asked["state"] != app.state
    again = query_of((await browser.authorize(app)).headers["location"])
    assert again["state"] != asked["state"]
    assert again["code_challenge"] != asked["code_challenge"]
