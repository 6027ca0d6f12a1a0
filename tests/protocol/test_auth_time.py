"""``auth_time``: when somebody was seen to authenticate, and not when an upstream let them pass."""

import json
from pathlib import Path

import httpx2
import pytest

from broker.upstream.oidc.discovery import FRESH
from tests.protocol.actors import App, Browser
from tests.protocol.checks import answered, hidden, is_refusal, query_of
from tests.protocol.doors import Doors, doors, opened, opened_doors, world
from tests.protocol.harness import Shelf, World
from tests.protocol.known import FRONT
from tests.protocol.tokens import claims_of

__all__ = ["doors", "opened_doors", "world"]

DISCORD = {"idp_hint": "discord"}
CORP = {"idp_hint": "corp"}


@pytest.fixture
def app(doors: Doors) -> App:
    """An app of ours: no consent, so that nothing but the sign-in is on the way."""
    return doors.world.app(FRONT)


async def told(app: App, answer: httpx2.Response) -> dict[str, object]:
    """The claims of the ID token that an answer with a code leads to."""
    body = (await app.redeem(answered(answer, app)["code"])).json()
    claims: dict[str, object] = claims_of(body["id_token"])
    assert claims.get("auth_time") == claims_of(body["access_token"]).get("auth_time")
    return claims


async def test_a_pass_tells_no_time(world: World, browser: Browser, app: App) -> None:
    """Discord may have shown nothing: the claim is left out, at introspection and refresh too."""
    body = (await app.redeem(await browser.code(app, **DISCORD))).json()
    for token in (body, (await app.refresh(body["refresh_token"])).json()):
        assert "auth_time" not in claims_of(token["id_token"]) | claims_of(token["access_token"])


@pytest.mark.parametrize("hint", [DISCORD, {"idp_hint": "github"}])
async def test_a_pass_is_never_recent(browser: Browser, app: App, hint: dict[str, str]) -> None:
    """A session begun silently satisfies no ``max_age``: upstream is asked to show its page."""
    answered(await browser.arrive(app, **hint), app)
    answer = await browser.authorize(app, prompt="none", max_age="600")
    is_refusal(answer, app, "login_required")
    asked = query_of((await browser.authorize(app, max_age="600", **hint)).headers["location"])
    assert asked["prompt"] in {"consent", "select_account"}
    assert (await told(app, await browser.arrive(app, max_age="600", **hint)))["auth_time"]


async def test_an_age_beyond_all_time(browser: Browser, app: App) -> None:
    """Core §2: whoever names a ``max_age``, however great, is told the time it counts from."""
    answered(await browser.arrive(app, **DISCORD), app)
    age = "9999999999"
    answer = await browser.authorize(app, prompt="none", max_age=age)
    is_refusal(answer, app, "login_required")
    assert "auth_time" in await told(app, await browser.arrive(app, max_age=age, **DISCORD))


async def test_a_pass_keeps_the_older_time(world: World, browser: Browser, app: App) -> None:
    """Another tab's trip into the same session, without a page, is no newer sign-in."""
    tab = await browser.authorize(app, **DISCORD)
    assert query_of(tab.headers["location"])["prompt"] == "none"
    first = await told(app, await browser.arrive(app, prompt="login", **DISCORD))
    await world.advance(100)
    again = await told(app, await browser.go_on(tab))
    assert again["sid"] == first["sid"]
    assert again["auth_time"] == first["auth_time"] == int(world.clock.at) - 100


async def test_an_essential_time(browser: Browser, app: App) -> None:
    """Core §2, §5.5.1: whoever needs to be told gets somebody who was asked."""
    answered(await browser.arrive(app, **DISCORD), app)
    claims = json.dumps({"id_token": {"auth_time": {"essential": True}}})
    is_refusal(await browser.authorize(app, prompt="none", claims=claims), app, "login_required")
    assert "auth_time" in await told(app, await browser.arrive(app, claims=claims, **DISCORD))
    assert "auth_time" in await told(app, await browser.authorize(app, claims=claims))


async def test_what_an_upstream_tells_is_taken(
    doors: Doors, world: World, browser: Browser, app: App
) -> None:
    """A provider's own time, however old, and though nobody was asked."""
    doors.corp.claims = {"auth_time": int(world.clock.at) - 4000}
    found = await told(app, await browser.arrive(app, **CORP))
    assert found["auth_time"] == int(world.clock.at) - 4000
    answered(await browser.authorize(app, prompt="none", max_age="4000"), app)
    answer = await browser.authorize(app, prompt="none", max_age="3999")
    is_refusal(answer, app, "login_required")


@pytest.mark.parametrize("wish", [{"prompt": "login"}, {"max_age": "600"}])
@pytest.mark.parametrize("says", [1_700_000_000, "now"])
async def test_a_demand_that_came_to_nothing(
    doors: Doors, browser: Browser, app: App, wish: dict[str, str], says: object
) -> None:
    """A provider that lets somebody pass all the same, as if its address had been edited.

    The app hears login_required, not that somebody has signed in again; there is no second trip.
    """
    doors.corp.claims = {"auth_time": says}
    before = len(doors.corp.asked)
    is_refusal(await browser.arrive(app, **wish, **CORP), app, "login_required")
    assert len(doors.corp.asked) == before + 1
    doors.corp.claims = {"auth_time": int(doors.world.clock.at) - 30}  # its clock may differ
    assert "auth_time" in await told(app, await browser.arrive(app, **wish, **CORP))


async def test_a_provider_that_does_not_say_what_it_says(shared: Shelf, tmp_path: Path) -> None:
    """It announces the time and was asked for it: somebody has taken the demand out."""
    async with opened(shared, tmp_path) as doors:
        app, browser = doors.world.app(FRONT), doors.world.browser()
        await doors.world.advance(FRESH)  # the document is read anew
        doors.corp.document = {"claims_supported": ["sub", "auth_time"]}
        is_refusal(await browser.arrive(app, prompt="login", **CORP), app, "login_required")
        assert doors.corp.asked[-1]["max_age"] == "0"


async def test_a_provider_that_says_nothing(world: World, browser: Browser, app: App) -> None:
    """Its page was asked for, and no more can be known: our trip counts, as with Discord."""
    found = await told(app, await browser.arrive(app, prompt="login", **CORP))
    assert found["auth_time"] == int(world.clock.at)


async def test_an_account_is_changed_by_who_was_seen(browser: Browser, app: App) -> None:
    """A session begun silently links nothing: Discord is asked to show its page first."""
    answered(await browser.arrive(app, **DISCORD), app)
    page = await browser.http.get("/account")
    fields = {"csrf": hidden(page)["csrf"], "action": "link", "upstream": "github"}
    answer = await browser.http.post("/account", data=fields)
    assert query_of(answer.headers["location"])["prompt"] == "consent"
    assert "Linked" not in (await browser.go_on(answer)).text
