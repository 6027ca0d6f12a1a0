"""Pages in the language of the person: of the app's wish first, then of the browser."""

import re
from html import unescape
from typing import Final

import httpx2

from tests.protocol.actors import Browser
from tests.protocol.checks import hidden
from tests.protocol.communities import HALL, KEEPER, kept_out
from tests.protocol.devices import allow, begin, enter
from tests.protocol.harness import World
from tests.protocol.known import BEN, CUSTOM, FRONT, THIRD

KOREAN: Final = {"accept-language": "ko-KR,ko;q=0.9,en;q=0.5"}
# Names, and what Korean writes as English does; the rest of a Korean page is Korean.
_NAMES: Final = (
    "Token Broker Discord OpenID Connect Ada Lindqvist Ben Okafor Third Front Custom Back",
    "Keeper The Lighthouse ada lindqvist com example app ID UTC sv SE XXXX BCDF GHJK",
)
_WORD: Final = re.compile(r"[A-Za-z]{2,}")


def in_korean(page: httpx2.Response, status: int = 200) -> str:
    """Check that a page is in Korean and all of it; returns its text."""
    assert page.status_code == status, page.text
    assert page.headers["content-language"] == "ko"
    assert "accept-language" in page.headers["vary"].lower()
    assert '<html lang="ko">' in page.text
    text = re.sub(r'<(\w+) lang="en">.*?</\1>', "", page.text)
    text = re.sub(r'<dl class="reference">.*?</dl>', "", text, flags=re.DOTALL)
    labels = " ".join(re.findall(r'(?:aria-label|title|alt)="([^"]*)"', text))
    said = unescape(labels + re.sub(r"<(?:[^<>\"]|\"[^\"]*\")*>", " ", text))
    said = re.sub(r"\S+@\S+|https?://\S+|[\w.]+:\d+|\S+\.example\S*|[A-Z]{4}-[A-Z]{4}", "", said)
    assert set(_WORD.findall(said)).difference(" ".join(_NAMES).split()) == set()
    return said


async def test_the_app_s_wish_counts_before_the_browser_s(world: World, browser: Browser) -> None:
    """It is kept with the request (Core §3.1.2.1): the page after Discord knows it too."""
    browser.http.headers["accept-language"] = "en"
    page = await browser.arrive(world.app(THIRD), ui_locales="xx ko-KR en")
    assert "제공되는 정보" in in_korean(page)
    again = await browser.http.get(page.url)
    in_korean(again)
    other = await world.browser().http.get(page.url)
    assert "다른 브라우저에서 시작한" in in_korean(other, 403)
    forged = await browser.decide(page, "allow", csrf="forged")
    in_korean(forged, 403)
    await world.advance(601)
    late = await browser.http.get(page.url)
    assert "시간이 초과되었어요" in in_korean(late, 400)


async def test_the_browser_s_counts_where_the_app_has_none(world: World, browser: Browser) -> None:
    """And English where neither is known; a header is no path to anything."""
    browser.http.headers |= KOREAN
    in_korean(await browser.arrive(world.app(THIRD)))
    for wish in ("../ko", "de", "", "ko" * 3000, "en-US"):
        page = await world.browser().http.get("/", headers={"accept-language": wish})
        assert page.headers["content-language"] == "en"
        assert '<html lang="en">' in page.text


async def test_a_wish_counts_in_a_pushed_request(world: World, browser: Browser) -> None:
    """And in what is posted across sites: it is kept, not repeated."""
    app = world.app(THIRD)
    pushed = await app.post("/par", **app.asks(ui_locales="ko"))
    uri = {"client_id": app.client.client_id, "request_uri": pushed.json()["request_uri"]}
    in_korean(await browser.go_on(await browser.http.get("/authorize", params=uri)))
    posted = await browser.http.post("/authorize", data=app.asks(ui_locales="ko"))
    in_korean(await browser.go_on(posted))


async def test_other_pages_of_a_sign_in(world: World, browser: Browser) -> None:
    """The choice of an account, the page that posts, an answer that belongs to nobody."""
    app = world.app(FRONT)
    await browser.tokens(app)
    in_korean(await browser.arrive(app, prompt="select_account", ui_locales="ko"))
    in_korean(await browser.arrive(app, response_mode="form_post", ui_locales="ko"))
    refused: dict[str, str | None] = {"prompt": "none", "response_mode": "form_post"}
    stranger = world.browser()
    in_korean(await stranger.arrive(world.app(THIRD), ui_locales="ko", **refused))
    page = await stranger.http.get("/login/discord/callback?state=x", headers=KOREAN)
    in_korean(page, 400)
    page = await stranger.authorize(app, redirect_uri="https://evil.example", ui_locales="ko")
    in_korean(page, 400)
    in_korean(await browser.arrive(world.app(CUSTOM), ui_locales="ko"))


async def test_a_refusal_in_words(world: World, browser: Browser) -> None:
    """What stands in the way is said in the same language, with the operator's names."""
    app = await kept_out(
        world, {"guilds": [{"id": HALL, "any_role": [KEEPER]}], "account_age": "30d"}
    )
    text = in_korean(await browser.arrive(app, BEN, ui_locales="ko"), 403)
    assert "서버에서" in text
    assert "역할이 필요해요" in text


async def test_what_an_app_learns(world: World, browser: Browser) -> None:
    """Every scope in plain words."""
    app = await world.new_app(THIRD, scopes=("openid", "profile", "email", "offline_access"))
    page = await browser.arrive(
        app, scope=" ".join(app.client.scopes), ui_locales="ko", prompt="consent"
    )
    text = in_korean(page)
    assert "이름, 사용자명" in text
    assert "자리를 비운 동안의 접근" in text


async def test_pages_without_an_app(world: World, browser: Browser) -> None:
    """Landing, account, device and sign-out go by the browser, or by a parameter."""
    browser.http.headers |= KOREAN | {"user-agent": ""}
    in_korean(await browser.http.get("/"))
    in_korean(await browser.go_on(await browser.http.get("/account")))
    in_korean(await browser.http.get("/nowhere", headers={"accept": "text/html"}), 404)
    in_korean(await browser.http.get("/device"))
    device = await begin(world)
    in_korean(await enter(browser, "BCDF-GHJK"), 400)
    in_korean(await allow(browser, device))
    browser.http.headers["accept-language"] = "en"
    page = await browser.http.get("/logout?ui_locales=ko")
    in_korean(page)
    out = await browser.http.post("/logout", data={**hidden(page), "confirm": "yes"})
    in_korean(out)


async def test_what_programs_read_stays_english(world: World) -> None:
    """An error for a program is for its developer's eyes and logs."""
    answers = [
        await world.api.post("/token", headers=KOREAN),
        await world.api.get("/userinfo?x=1", headers=KOREAN | {"authorization": "Bearer x"}),
        await world.api.get("/nowhere", headers=KOREAN | {"accept": "application/json"}),
    ]
    for answer in answers:
        assert answer.text.isascii()
        assert "content-language" not in answer.headers
