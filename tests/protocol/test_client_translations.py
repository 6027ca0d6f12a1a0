"""An app's name and addresses in the language that a page speaks (RFC 7591 §2.2)."""

from dataclasses import replace

import httpx2

from tests.protocol.actors import Browser
from tests.protocol.checks import hidden
from tests.protocol.communities import HALL, KEEPER, kept_out
from tests.protocol.devices import allow, begin, consent_page
from tests.protocol.harness import World
from tests.protocol.known import BEN, FRONT, THIRD

NAME = "등대지기"
SAID = {
    "client_name#ko-KR": NAME,
    "client_uri#KO": "https://third.example/ko/",
    "tos_uri#ko": "https://third.example/ko/tos",
    "logo_uri#ko": "https://third.example/ko/logo.svg",
    "client_name#ja": "灯台守",
}
PLAIN = replace(
    THIRD,
    name="Lightkeeper",
    policy_uri="https://third.example/privacy",
    tos_uri="https://third.example/tos",
    translations=SAID,
)


def named(page: httpx2.Response) -> str:
    """The name that a page calls the app by, and no other."""
    found = {name for name in (NAME, "灯台守", "Lightkeeper") if name in page.text}
    assert len(found) == 1, found
    return found.pop()


async def test_pages_speak_of_an_app_in_their_own_language(world: World, browser: Browser) -> None:
    """The app's wish or the browser's; each address falls back by itself."""
    app = await world.new_app(PLAIN)
    page = await browser.arrive(app, ui_locales="ko")
    assert named(page) == NAME
    assert f'aria-hidden="true">{NAME[0]}<img src="https://third.example/ko/logo.svg"' in page.text
    for address in ("https://third.example/ko/", "https://third.example/privacy"):
        assert f'href="{address}"' in page.text
    assert 'href="https://third.example/ko/tos"' in page.text
    assert 'href="https://third.example/tos"' not in page.text
    page = await browser.arrive(app)
    assert named(page) == "Lightkeeper"
    assert 'href="https://third.example/tos"' in page.text
    assert "third.example/ko/" not in page.text
    browser.http.headers["accept-language"] = "ja,ko;q=0.5"  # of what pages speak, Korean
    assert named(await browser.arrive(app)) == NAME


async def test_every_page_that_names_it(world: World, browser: Browser) -> None:
    """Choice of an account, device, refusal, sign-out, and the account's own page."""
    browser.http.headers["accept-language"] = "ko"
    app = await world.new_app(PLAIN, first_party=True)
    await browser.tokens(app)
    assert named(await browser.arrive(app, prompt="select_account")) == NAME
    assert named(await browser.http.get("/account")) == NAME
    device = await begin(world, PLAIN)
    assert named(await consent_page(browser, device)) == NAME
    assert named(await allow(browser, device)) == NAME
    out = await browser.http.get("/logout", params={"client_id": app.client.client_id})
    assert named(out) == NAME
    done = await browser.http.post("/logout", data={**hidden(out), "confirm": "yes"})
    assert named(done) == NAME
    policy = {"guilds": [{"id": HALL, "any_role": [KEEPER]}]}
    closed = await kept_out(world, policy, name="Lightkeeper", translations=SAID)
    stranger = world.browser()
    stranger.http.headers["accept-language"] = "ko"
    assert named(await stranger.arrive(closed, BEN)) == NAME


async def test_a_session_that_bears_an_app_s_name(world: World, browser: Browser) -> None:
    """As one has that began by an exchange, in no browser: it is the app's name, so it is said."""
    app = await world.new_app(PLAIN, first_party=True)
    browser.http.headers |= {"accept-language": "ko", "user-agent": PLAIN.name}
    await browser.tokens(app)
    assert named(await browser.http.get("/account")) == NAME


async def test_hostile_translations_stay_text(world: World, browser: Browser) -> None:
    """Whatever stands in the table: escaped, and no address but one that can do no harm."""
    evil = '</title><script>alert(1)</script>"'
    said = {
        "client_name#ko": evil,
        "client_uri#ko": "javascript:alert(1)",
        "logo_uri#ko": "http://third.example/logo.png",
        "tos_uri#ko": f"https://third.example/{evil}",
    }
    app = await world.new_app(FRONT, translations=said, client_uri="https://front.example/")
    page = await browser.arrive(app, ui_locales="ko", prompt="consent")
    assert "&lt;script&gt;" in page.text
    for harm in ("<script", "javascript:", "http://third.example"):
        assert harm not in page.text
