"""Several places to sign in: which one it is, who says so, and whose word an app takes."""

from html import unescape
from pathlib import Path

import httpx2
import pytest

from broker.core.model import Client
from tests.protocol.actors import Browser
from tests.protocol.checks import answered, is_page, is_refusal, query_of
from tests.protocol.devices import begin as begin_device
from tests.protocol.doors import Doors, doors, links, opened, opened_doors, world
from tests.protocol.harness import Shelf, World, begin
from tests.protocol.known import BACK, FRONT, NATIVE, THIRD
from tests.protocol.tokens import claims_of

__all__ = ["doors", "opened_doors", "world"]


async def only(world: World, *names: str, like: Client = FRONT) -> "object":
    """An app that takes the word of these upstreams alone."""
    return await world.new_app(like, upstreams=names)


async def test_a_page_asks_where(doors: Doors, browser: Browser) -> None:
    """It names the app and every upstream in the order of the settings; nothing on it runs."""
    app = doors.world.app(FRONT)
    page = await browser.authorize(app)
    assert list(links(page)) == ["discord", "github", "corp"]
    assert all(word in page.text for word in ("Front", "Discord", "GitHub", "Corp"))
    assert "<script" not in page.text
    assert "form-action 'self'" in page.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("name", "called"), [("discord", "Ada Lindqvist"), ("github", "Ada Lindqvist"), ("corp", "Ben")]
)
async def test_each_of_them_leads_to_the_app(doors: Doors, browser: Browser, name, called) -> None:
    """An account of its own for each: nobody is joined by a name or an address."""
    doors.corp.people["ada"]["name"] = "Ben"
    app = doors.world.app(FRONT)
    answer = await doors.through(browser, app, name, scope="openid profile email")
    token = (await app.redeem(answered(answer, app)["code"])).json()["id_token"]
    assert claims_of(token)["name"] == called
    assert claims_of(token)["email"] == "ada@example.com"
    scopes = [asked["scope"] for asked in doors.corp.asked + doors.github.asked]
    assert scopes in ([], ["openid profile email"], ["user:email"])
    (account,) = await doors.world.sql.accounts.page()
    assert [one.upstream for one in account.identities] == [name]


async def test_three_accounts(doors: Doors) -> None:
    """One verified address at three upstreams is three accounts."""
    for name in ("discord", "github", "corp"):
        app = doors.world.app(FRONT)
        await doors.through(doors.world.browser(), app, name, scope="openid email")
    accounts = await doors.world.sql.accounts.page()
    assert {account.email for account in accounts} == {"ada@example.com"}
    assert len({account.sub for account in accounts}) == 3


async def test_a_hint_goes_straight_there(doors: Doors, browser: Browser) -> None:
    """``idp_hint`` names one of them: no page, and its own page is not asked for either."""
    app = doors.world.app(FRONT)
    answer = await browser.authorize(app, idp_hint="github")
    assert answer.headers["location"].startswith(doors.github.origin)
    answered(await browser.go_on(answer), app)
    other = doors.world.browser()
    pushed = (await doors.world.app(BACK).post("/par", **app_asks(doors, "corp"))).json()
    asked = {"client_id": BACK.client_id, "request_uri": pushed["request_uri"]}
    answer = await other.http.get("/authorize", params=asked)
    assert answer.headers["location"].startswith(doors.corp.origin)


def app_asks(doors: Doors, hint: str) -> dict[str, str]:
    return doors.world.app(BACK).asks(idp_hint=hint)


@pytest.mark.parametrize("hint", ["nowhere", "", "GitHub", "../corp", "é" * 300])
async def test_an_unknown_hint_is_a_choice(doors: Doors, browser: Browser, hint: str) -> None:
    """A hint that means nothing is worth nothing: the person is asked."""
    page = await browser.authorize(doors.world.app(FRONT), idp_hint=hint)
    assert list(links(page)) == ["discord", "github", "corp"]


async def test_a_hint_given_twice(doors: Doors, browser: Browser) -> None:
    """R(invalid_request), as for every parameter (RFC 6749 §3.1)."""
    app = doors.world.app(FRONT)
    asked = [*app.asks(idp_hint="corp").items(), ("idp_hint", "github")]
    is_refusal(await browser.http.get("/authorize", params=asked), app, "invalid_request")


async def test_the_hint_does_not_end_a_session(doors: Doors, browser: Browser) -> None:
    """It is about where to sign in; who is signed in goes on."""
    app = doors.world.app(FRONT)
    await doors.through(browser, app, "github")
    answered(await browser.authorize(app, idp_hint="corp"), app)


async def test_an_app_takes_the_word_of_some(doors: Doors, browser: Browser) -> None:
    """``Client.upstreams``: one leaves no choice, several are the choice."""
    app = await only(doors.world, "corp")
    answer = await browser.authorize(app)
    assert answer.headers["location"].startswith(doors.corp.origin)
    page = await browser.authorize(await only(doors.world, "corp", "discord", "gone"))
    assert list(links(page)) == ["discord", "corp"]
    hinted = await browser.authorize(app, idp_hint="github")
    assert hinted.headers["location"].startswith(doors.corp.origin)


async def test_what_is_not_offered_cannot_be_chosen(doors: Doors, browser: Browser) -> None:
    """A link that somebody wrote by hand leads back to the choice."""
    page = await browser.authorize(await only(doors.world, "corp", "discord"))
    address = links(page)["corp"].replace("upstream=corp", "upstream=github")
    assert list(links(await browser.http.get(address))) == ["discord", "corp"]


async def test_a_session_of_another_upstream_does_not_do(doors: Doors, browser: Browser) -> None:
    """Whoever came through an upstream that the app does not take signs in anew; silently never."""
    front, strict = doors.world.app(FRONT), await only(doors.world, "corp")
    await doors.through(browser, front, "github")
    silent = await browser.authorize(strict, prompt="none")
    is_refusal(silent, strict, "login_required")
    answer = await browser.authorize(strict)
    assert answer.headers["location"].startswith(doors.corp.origin)
    answered(await browser.go_on(answer), strict)
    answered(await browser.authorize(strict, prompt="none"), strict)


async def test_consent_given_in_a_session_of_another_upstream(doors: Doors) -> None:
    """The page was another tab's; the code is not written, and a sign-in is asked for."""
    browser, strict = doors.world.browser(), await only(doors.world, "corp", like=THIRD)
    page = await browser.go_on(await browser.authorize(strict, prompt="login"))
    assert 'value="allow"' in page.text
    await link(doors, browser, "github")
    page = await browser.http.get(page.url)
    stale = await browser.authorize(strict)
    assert 'value="allow"' in stale.text
    await doors.through(browser, doors.world.app(FRONT), "github", prompt="login")
    assert len(await doors.world.sql.accounts.page()) == 1
    answer = await browser.decide(stale, "allow")
    answer = await browser.http.get(answer.headers["location"])
    assert answer.headers["location"].startswith(doors.corp.origin)


async def link(doors: Doors, browser: Browser, name: str) -> None:
    """Link an upstream to who is signed in."""
    from tests.protocol.checks import hidden

    page = await browser.http.get("/account")
    fields = {"csrf": hidden(page)["csrf"], "action": "link", "upstream": name}
    answer = await browser.go_on(await browser.http.post("/account", data=fields))
    assert "Linked" in answer.text


async def test_an_app_none_of_whose_upstreams_is_set_up(doors: Doors, browser: Browser) -> None:
    """R(server_error): it is the operator's mistake, and no page could mend it."""
    app = await only(doors.world, "gone")
    is_refusal(await browser.authorize(app), app, "server_error")


async def test_prompt_login_asks_where_again(doors: Doors, browser: Browser) -> None:
    """A new sign-in, wherever the person likes; there they are asked who they are."""
    app = doors.world.app(FRONT)
    await doors.through(browser, app, "corp")
    answer = await doors.through(browser, app, "corp", prompt="login")
    answered(answer, app)
    assert "prompt" not in doors.corp.asked[0]
    assert doors.corp.asked[1]["prompt"] == "login"


@pytest.mark.parametrize("wish", [{"prompt": "login"}, {"max_age": "0"}, {"prompt": "none"}])
async def test_a_choice_that_no_page_offered(
    doors: Doors, browser: Browser, wish: dict[str, str]
) -> None:
    """Written into an address by hand, it passes by neither a sign-in anew nor ``prompt=none``."""
    app = doors.world.app(FRONT)
    await doors.through(browser, app, "corp")
    await doors.world.advance(1)
    posted = await browser.http.post("/authorize", data=app.asks(**wish))
    answer = await browser.http.get(posted.headers["location"] + "&upstream=corp")
    assert len(doors.corp.asked) == 1
    if wish == {"prompt": "none"}:
        answered(answer, app)
        return
    answered(await browser.go_on(await doors.choose(browser, answer, "corp")), app)
    assert doors.corp.asked[1]["prompt"] == "login"


async def test_another_account_is_a_choice_too(doors: Doors, browser: Browser) -> None:
    """*Use another account* asks where; the upstream then asks who it is."""
    app = doors.world.app(FRONT)
    await doors.through(browser, app, "corp")
    page = await browser.go_on(await browser.authorize(app, prompt="select_account"))
    answer = await browser.decide(page, "other")
    page = await browser.http.get(answer.headers["location"])
    assert list(links(page)) == ["discord", "github", "corp"]
    assert links(await browser.http.get(answer.headers["location"]))  # it can be loaded again
    answer = await browser.go_on(await doors.choose(browser, page, "github"))
    answered(answer, app)
    assert doors.github.asked[0]["prompt"] == "select_account"
    assert len(await doors.world.sql.accounts.page()) == 2


async def test_the_choice_belongs_to_its_browser(doors: Doors, browser: Browser) -> None:
    """403 anywhere else (CVE-2022-39222), and the request goes on where it began."""
    app = doors.world.app(FRONT)
    page = await browser.authorize(app)
    is_page(await doors.world.browser().http.get(links(page)["corp"]), 403)
    answered(await browser.go_on(await doors.choose(browser, page, "corp")), app)


async def test_a_choice_may_be_made_again(doors: Doors, browser: Browser) -> None:
    """Back from an upstream with the browser's button: the other one works, the first not."""
    app = doors.world.app(FRONT)
    page = await browser.authorize(app)
    first = await doors.choose(browser, page, "github")
    back = (await browser.outside.get(first.headers["location"])).headers["location"]
    second = await doors.choose(browser, page, "corp")
    is_page(await browser.http.get(back), 400)
    answered(await browser.go_on(second), app)


async def test_an_answer_at_another_upstreams_address(doors: Doors, browser: Browser) -> None:
    """400, and the trip is still open: it comes from somebody else (mix-up, RFC 9700 §4.4)."""
    app = doors.world.app(FRONT)
    answer = await doors.choose(browser, await browser.authorize(app), "github")
    back = (await browser.outside.get(answer.headers["location"])).headers["location"]
    for name in ("corp", "discord", "nowhere"):
        is_page(await browser.http.get(back.replace("/github/", f"/{name}/")), 400)
    answered(await browser.go_on(await browser.http.get(back)), app)


async def test_an_answer_of_another_issuer(doors: Doors, browser: Browser) -> None:
    """400, whether it brings a code or an error; no account (RFC 9207 §2.4)."""
    app = doors.world.app(FRONT)
    for brought in ("code=x", "error=access_denied"):
        answer = await doors.choose(browser, await browser.authorize(app), "corp")
        state = query_of(answer.headers["location"])["state"]
        address = f"/login/corp/callback?{brought}&state={state}&iss=https://evil.example"
        is_page(await browser.http.get(address), 400)
    assert await doors.world.sql.accounts.page() == ()


@pytest.mark.parametrize("name", ["github", "corp"])
async def test_the_person_says_no(doors: Doors, browser: Browser, name: str) -> None:
    """R(access_denied), as at Discord; other errors are told as faults."""
    app = doors.world.app(FRONT)
    far = getattr(doors, name)
    far.deny = "access_denied"
    is_refusal(await doors.through(browser, app, name), app, "access_denied")
    far.deny = "server_error"
    is_refusal(await doors.through(browser, app, name), app, "server_error")


@pytest.mark.parametrize(
    ("name", "title", "path"),
    [("github", "GitHub", "/login/oauth/access_token"), ("corp", "Corp", "/token")],
)
async def test_pages_call_it_by_its_name(doors: Doors, browser: Browser, name, title, path) -> None:
    """Whoever does not answer, or refuses, is named; the request can be tried again."""
    app, far = doors.world.app(FRONT), getattr(doors, name)
    far.app.faults = {path: "status 503"}
    text = is_page(await doors.through(browser, app, name), 503)
    assert f"{title} is not answering" in text
    assert "Discord" not in text
    far.app.faults = {path: "status 403"}
    text = is_page(await doors.through(browser, app, name), 502)
    assert f"{title} did not accept this sign-in" in text
    far.app.faults = {}
    again = next(a for a in hrefs(text) if a.startswith("/interaction"))
    page = await browser.http.get(again)
    answered(await browser.go_on(await doors.choose(browser, page, name)), app)


def hrefs(text: str) -> list[str]:
    import re

    return [unescape(address) for address in re.findall(r'href="([^"]*)"', text)]


async def test_a_provider_whose_document_was_never_read(shared: Shelf, tmp_path: Path) -> None:
    """503 with its name and two ways on; the others work, and so does it as soon as it is there."""
    away = {"/.well-known/openid-configuration": "status 503"}
    async with opened(shared, tmp_path, faults=away) as doors:
        await doors.world.reset()
        browser, app = doors.world.browser(), doors.world.app(FRONT)
        page = await browser.authorize(app)
        text = is_page(await doors.choose(browser, page, "corp"), 503)
        assert "Corp is not answering" in text
        assert "Try again" in text
        doors.corp.app.faults = {}
        await doors.world.advance(10)
        answered(await browser.go_on(await doors.choose(browser, page, "corp")), app)
        other = doors.world.browser()
        answered(await doors.through(other, app, "github"), app)


async def test_a_device_has_a_choice_too(doors: Doors, browser: Browser) -> None:
    """The choice, then the page with the code to compare."""
    device = await begin_device(doors.world)
    page = await browser.http.get(device.answer["verification_uri_complete"])
    from tests.protocol.checks import hidden

    fields = {**hidden(page), "user_code": device.answer["user_code"]}
    answer = await browser.http.post("/device", data=fields)
    page = await browser.http.get(answer.headers["location"])
    page = await browser.go_on(await doors.choose(browser, page, "github"))
    assert device.answer["user_code"] in page.text


async def test_a_native_app_sees_its_name_on_every_page(doors: Doors, browser: Browser) -> None:
    """RFC 8252 §8.6 holds behind a choice as it does without one."""
    app = doors.world.app(NATIVE)
    page = await doors.through(browser, app, "corp")
    assert 'value="allow"' in page.text
    assert "Native" in page.text


async def test_forms_may_lead_to_every_upstream(doors: Doors, browser: Browser) -> None:
    """Chromium holds the redirects after a form to ``form-action``: all origins are named."""
    app = doors.world.app(THIRD)
    page = await doors.through(browser, app, "corp")
    policy = page.headers["content-security-policy"]
    for origin in (doors.world.discord_origin, doors.github.origin, doors.corp.origin):
        assert origin in policy


async def test_without_discord(shared: Shelf, tmp_path: Path) -> None:
    """It may be absent where there is another; nothing speaks of it then."""
    async with opened(shared, tmp_path, discord_client_id="", discord_client_secret="") as doors:
        await doors.reset()
        browser, app = doors.world.browser(), doors.world.app(FRONT)
        page = await browser.authorize(app)
        assert list(links(page)) == ["github", "corp"]
        answered(await browser.go_on(await doors.choose(browser, page, "corp")), app)
        landing: httpx2.Response = await browser.http.get("/")
        assert "GitHub or Corp" in landing.text
        assert "Discord" not in page.text + landing.text
        is_page(await browser.http.get("/login/discord/callback?code=x&state=y"), 400)


async def test_an_upstream_that_was_taken_away_meanwhile(shared: Shelf, tmp_path: Path) -> None:
    """400 where its answer arrives at a process that does not know it (any more)."""
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    async with (
        opened(shared, tmp_path / "one") as doors,
        begin(shared, tmp_path / "other") as other,
    ):
        await doors.world.reset()
        browser, changed = doors.world.browser(), other.browser()
        page = await browser.authorize(doors.world.app(FRONT))
        answer = await doors.choose(browser, page, "github")
        back = (await browser.outside.get(answer.headers["location"])).headers["location"]
        changed.http.cookies = browser.http.cookies
        is_page(await changed.http.get(back), 400)
