"""An app's own colour, on every page that a person sees on its behalf and on no other."""

import re
from typing import Final

import httpx2
import pytest

from broker.app.branding import accent_fault
from broker.core.errors import StoreUnavailable
from tests.protocol.actors import Browser
from tests.protocol.checks import hidden
from tests.protocol.communities import HALL, KEEPER, kept_out
from tests.protocol.devices import again, allow, begin, consent_page
from tests.protocol.harness import World
from tests.protocol.known import ADA, BEN, FRONT, THIRD

ACCENT: Final = "#7a1fa2"
_SHEET: Final = re.compile(r'<link rel="stylesheet" href="(/static/broker\.[0-9a-f-]+\.css)">')


async def accent(browser: Browser, page: httpx2.Response) -> str:
    """The colour that counts on a page: the one that its one stylesheet names last for light."""
    policy = page.headers["content-security-policy"]
    assert "style-src 'self';" in policy
    assert "<style" not in page.text
    assert " style=" not in page.text
    (address,) = _SHEET.findall(page.text)
    sheet = await browser.http.get(address)
    assert sheet.status_code == 200
    assert sheet.headers["content-type"] == "text/css; charset=utf-8"
    assert sheet.headers["cache-control"] == "public, max-age=31536000, immutable"
    light = re.sub(r"@media[^{]*\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}", "", sheet.text)
    named: list[str] = re.findall(r"--accent: (#[0-9a-f]{6});", light)
    return named[-1]


async def test_pages_of_a_sign_in(world: World, browser: Browser) -> None:
    """Consent, the choice of an account, the page that posts, and the refusal of a person."""
    app = await world.new_app(THIRD, brand_accent=ACCENT.upper())
    assert await accent(browser, await browser.arrive(app)) == ACCENT
    own = await world.new_app(FRONT, brand_accent=ACCENT)
    assert await accent(browser, await browser.arrive(own, prompt="select_account")) == ACCENT
    assert await accent(browser, await browser.arrive(own, response_mode="form_post")) == ACCENT
    refused: dict[str, str | None] = {"prompt": "none", "response_mode": "form_post"}
    assert await accent(browser, await world.browser().arrive(app, **refused)) == ACCENT
    bad: dict[str, str | None] = {"scope": "nobodys", "response_mode": "form_post"}
    assert await accent(browser, await browser.arrive(app, **bad)) == ACCENT
    policy = {"guilds": [{"id": HALL, "any_role": [KEEPER]}]}
    closed = await kept_out(world, policy, brand_accent=ACCENT)
    assert await accent(browser, await world.browser().arrive(closed, BEN)) == ACCENT


async def test_other_apps_and_pages_of_ours_have_ours(world: World, browser: Browser) -> None:
    """Nothing of an app is on the next one's page, nor on those that speak of no app."""
    await browser.arrive(await world.new_app(THIRD, brand_accent=ACCENT))
    plain = await accent(browser, await browser.http.get("/"))
    assert plain not in {ACCENT, ""}
    assert await accent(browser, await browser.arrive(world.app(THIRD))) == plain
    assert await accent(browser, await browser.http.get("/device")) == plain
    assert await accent(browser, await browser.http.get("/account")) == plain


async def test_pages_of_a_device_and_of_a_sign_out(world: World, browser: Browser) -> None:
    """They name the app, so they wear its colour."""
    app = await world.new_app(FRONT, brand_accent=ACCENT)
    device = await begin(world, app.client)
    assert await accent(browser, await consent_page(browser, device)) == ACCENT
    assert await accent(browser, await allow(browser, await again(device.app))) == ACCENT
    out = await browser.http.get("/logout", params={"client_id": app.client.client_id})
    assert await accent(browser, out) == ACCENT
    done = await browser.http.post("/logout", data={**hidden(out), "confirm": "yes"})
    assert await accent(browser, done) == ACCENT


async def test_an_account_that_may_stay(world: World, browser: Browser) -> None:
    """Where its person comes back at an app, the question is asked for that app."""
    app = await world.new_app(FRONT, brand_accent=ACCENT)
    await browser.tokens(app)
    account_id = await world.account_of(ADA)
    await world.sql.own.leave(account_id, now=world.clock.at, grace=86400, actor="person")
    page = await world.browser().arrive(app)
    assert "Keep your account?" in page.text
    assert await accent(browser, page) == ACCENT


async def test_errors_of_an_app_that_is_known(world: World, browser: Browser) -> None:
    """A form of elsewhere, another browser, a request too old: the app is known by then."""
    app = await world.new_app(THIRD, brand_accent=ACCENT)
    page = await browser.arrive(app)
    failed = await browser.decide(page, "allow", csrf="forged")
    assert (failed.status_code, await accent(browser, failed)) == (403, ACCENT)
    other = await world.browser().http.get(page.url)
    assert (other.status_code, await accent(browser, other)) == (403, ACCENT)
    await world.advance(601)
    late = await browser.http.get(page.url)
    assert (late.status_code, await accent(browser, late)) == (400, ACCENT)


async def test_where_an_app_helps_its_people(world: World, browser: Browser) -> None:
    """By mail or on the web; on the pages where somebody may be at a loss because of the app."""
    mail, site = "mailto:help@third.example", "https://third.example/help"
    said = {"support_uri#ko": site}
    app = await world.new_app(THIRD, support_uri=mail, translations=said)
    page = await browser.arrive(app)
    assert f'<a href="{mail}"' in page.text
    failed = await browser.decide(page, "allow", csrf="forged")
    assert f'<a href="{mail}" rel="noreferrer">Help with Third</a>' in failed.text
    assert f'<a href="{site}"' in (await browser.arrive(app, ui_locales="ko")).text
    policy = {"guilds": [{"id": HALL, "any_role": [KEEPER]}]}
    closed = await kept_out(world, policy, support_uri=site)
    page = await world.browser().arrive(closed, BEN)
    assert f'<a href="{site}" rel="noreferrer">Help with Back</a>' in page.text
    evil = await world.new_app(THIRD, support_uri="javascript:alert(1)")
    assert "javascript:" not in (await browser.arrive(evil)).text


async def test_errors_of_a_link_that_is_not_trusted(world: World, browser: Browser) -> None:
    """Whoever made it up gets nothing of the app that it names."""
    app = await world.new_app(THIRD, brand_accent=ACCENT)
    page = await browser.authorize(app, redirect_uri="https://evil.example")
    assert (page.status_code, await accent(browser, page)) == (400, "#14604f")


async def test_a_store_away_costs_the_colour_alone(
    world: World, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page that says what failed does not fail for want of it."""
    app = await world.new_app(THIRD, brand_accent=ACCENT)
    page = await browser.arrive(app)
    followed = world.sql.followed_clients

    async def away(_client_id: str) -> None:
        raise StoreUnavailable

    monkeypatch.setattr(type(followed), "find", lambda _self, client_id: away(client_id))
    failed = await browser.decide(page, "allow", csrf="forged")
    assert failed.status_code == 403
    assert await accent(browser, failed) == "#14604f"


async def test_addresses_of_colours(world: World, browser: Browser) -> None:
    """Only what the broker itself would name is there: no digest but the right one, no pale one."""
    app = await world.new_app(THIRD, brand_accent=ACCENT)
    (address,) = _SHEET.findall((await browser.arrive(app)).text)
    assert address.endswith(f"-{ACCENT[1:]}.css")
    for other in (
        address.replace(ACCENT[1:], ACCENT[1:].upper()),
        address.replace(ACCENT[1:], "7a1fa3"),
        address.replace(ACCENT[1:], "ffcc00"),
        address.replace(ACCENT[1:], "red"),
        re.sub(r"\.[0-9a-f]{12}-", ".000000000000-", address),
    ):
        assert (await browser.http.get(other)).status_code == 404, other
    tag = (await browser.http.get(address)).headers["etag"]
    known = await browser.http.get(address, headers={"if-none-match": tag})
    assert known.status_code == 304


async def test_a_colour_that_can_no_longer_be_read(world: World, browser: Browser) -> None:
    """Whatever stands in the table, pages can be read, and no text of it becomes style."""
    for odd in ("#ffcc00", "red", "#14604f;} * { display: none", ""):
        assert accent_fault(odd)
        app = await world.new_app(THIRD, brand_accent=odd)
        page = await browser.arrive(app, ADA)
        assert await accent(browser, page) == "#14604f"
        assert "display" not in page.text
