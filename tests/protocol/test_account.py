"""The account's page: signing in to it without an app, linking and unlinking identities."""

import re

import pytest

from broker.core.federation import UpstreamAuthorization
from tests.protocol.actors import Browser
from tests.protocol.checks import answered, hidden, is_page
from tests.protocol.doors import Doors, doors, enter, link, links, opened_doors, press, world
from tests.protocol.harness import World
from tests.protocol.known import BEN, FRONT, ISSUER

__all__ = ["doors", "opened_doors", "world"]


async def identities(world: World) -> list[list[str]]:
    """The upstreams of every account."""
    found = await world.sql.accounts.page()
    return sorted([one.upstream for one in account.identities] for account in found)


async def test_signing_in_without_an_app(doors: Doors, browser: Browser) -> None:
    """A choice, a trip, and the page; no app, no consent, no code."""
    page = await browser.http.get("/account")
    assert "to see your account" in page.text
    page = await browser.go_on(await doors.choose(browser, page, "corp"))
    text = is_page(page, 200)
    assert page.url.path == "/account"
    assert "Ada Lindqvist" in text
    assert re.findall(r'value="(link|unlink)"', text) == ["link", "link"]
    assert (await browser.http.get("/account")).text.count("<h1") == 1
    (event,) = await doors.world.audit("sign_in")
    assert event.event.client_id is None
    assert not [key async for key in doors.world.redis.scan_iter("tb:*:code:*")]
    assert not [key async for key in doors.world.redis.scan_iter("tb:{req:*")]


async def test_a_banned_identity_links_to_nobody(doors: Doors, browser: Browser) -> None:
    """Its account was deleted while it was switched off: there is no way around that by linking."""
    world, app = doors.world, doors.world.app(FRONT)
    answered(await world.browser().arrive(app, BEN, idp_hint="discord"), app)
    ben, now = await world.account_of(BEN), world.clock.at
    await world.sql.accounts.disable(ben, "spam", now)
    await world.sql.own.leave(ben, now=now, grace=0, actor="operator")
    await enter(doors, browser, "github")
    answer = await browser.go_on(await press(browser, "link", "discord"), BEN)
    assert "This account cannot sign in" in is_page(answer, 403)
    assert await identities(world) == [["github"]]


async def test_who_came_through_an_app_is_signed_in(doors: Doors, browser: Browser) -> None:
    """One session; the page shows what apps may see."""
    await doors.through(browser, doors.world.app(FRONT), "corp", scope="openid email")
    text = is_page(await browser.http.get("/account"), 200)
    assert "ada@example.com" in text


@pytest.mark.parametrize(
    "query",
    [
        "redirect_uri=https://evil.example", "next=https://evil.example", "inward=link",
        "client_id=front&redirect_uri=https://evil.example", "notice=https://evil.example",
    ],
)  # fmt: skip
async def test_it_leads_nowhere_else(doors: Doors, browser: Browser, query: str) -> None:
    """No parameter of anybody's has a say in where a sign-in of ours ends."""
    page = await browser.http.get(f"/account?{query}")
    assert "evil" not in page.text
    answer = await doors.choose(browser, page, "corp")
    seen = []
    while answer.status_code == 303:
        seen.append(answer.headers["location"])
        if seen[-1].startswith(doors.corp.origin):
            answer = await browser.outside.get(seen[-1])
        else:
            answer = await browser.http.get(seen[-1])
    assert seen[-1] == "/account"
    assert not any("evil" in each for each in seen)


async def test_an_app_cannot_make_a_request_of_ours(doors: Doors, browser: Browser) -> None:
    """``inward`` is no parameter; without a client there is no request."""
    app = doors.world.app(FRONT)
    asked = app.asks(inward="link")
    page = await browser.http.get("/authorize", params=asked)
    answered(await browser.go_on(await doors.choose(browser, page, "corp")), app)
    for changed in ({"client_id": ""}, {"client_id": "", "redirect_uri": f"{ISSUER}/account"}):
        is_page(await browser.http.get("/authorize", params={**asked, **changed}), 400)


async def test_saying_no_is_told_here(doors: Doors, browser: Browser) -> None:
    """A page of ours with a way on; there is no app to send anybody to."""
    doors.corp.deny = "access_denied"
    page = await browser.http.get("/account")
    answer = await browser.go_on(await doors.choose(browser, page, "corp"))
    text = is_page(answer, 400)
    assert "You said no" in text
    assert 'href="/account"' in text


async def test_the_request_is_its_browsers(doors: Doors, browser: Browser) -> None:
    """403 in another browser; the answer of a trip does not count there either."""
    page = await browser.http.get("/account")
    is_page(await doors.world.browser().http.get(links(page)["corp"]), 403)
    answer = await doors.choose(browser, page, "corp")
    back = (await browser.outside.get(answer.headers["location"])).headers["location"]
    other = doors.world.browser()
    is_page(await other.http.get(back), 400)
    assert other.session is None


async def test_linking(doors: Doors, browser: Browser) -> None:
    """From then on either leads to the account; apps see the same person, and are told no more."""
    await enter(doors, browser, "discord")
    page = await link(browser, "github")
    assert is_page(page, 200).count("Linked: from now on") == 1
    assert not [key async for key in doors.world.redis.scan_iter("tb:{req:*")]
    assert doors.github.asked[-1]["prompt"] == "select_account"
    other, app = doors.world.browser(), doors.world.app(FRONT)
    answer = await doors.through(other, app, "github", scope="openid profile")
    tokens = (await app.redeem(answered(answer, app)["code"])).json()
    claims = (await doors.world.userinfo(tokens["access_token"])).json()
    assert claims["name"] == "Ada Lindqvist"
    assert claims["preferred_username"] == "ada.lindqvist"
    assert await identities(doors.world) == [["discord", "github"]]
    (event,) = await doors.world.audit("identity.linked")
    assert event.event.detail == {"upstream": "github"}
    facts = await doors.world.broker.stores.sql.accounts.facts(event.event.account_id or "")
    assert facts is not None
    assert facts.identities == {"discord": "175928847299117063", "github": "583231"}


async def test_the_newer_facts_are_where_tokens_are_made(doors: Doors, browser: Browser) -> None:
    """Without waiting for the outbox."""
    await enter(doors, browser)
    await link(browser, "corp")
    (account,) = await doors.world.sql.accounts.page()
    held = await doors.world.redis.hgetall(f"tb:{{{account.account_id}}}:facts")
    assert str(account.version) in {held.get("v"), held.get(b"v", b"").decode()}


async def test_an_identity_of_another_account_stays_there(doors: Doors, browser: Browser) -> None:
    """A page that says so; nothing is merged, and both go on as they were."""
    await enter(doors, doors.world.browser(), "github")
    await enter(doors, browser, "discord")
    text = is_page(await link(browser, "github"), 409)
    assert "This GitHub account belongs to another account here" in text
    assert 'href="/account"' in text
    assert await identities(doors.world) == [["discord"], ["github"]]
    assert len(await doors.world.audit("identity.refused")) == 1


async def test_an_address_links_nothing(doors: Doors, browser: Browser) -> None:
    """The same verified address at two upstreams is two accounts, before and after."""
    await doors.through(browser, doors.world.app(FRONT), "corp", scope="openid email")
    other = doors.world.browser()
    await doors.through(other, doors.world.app(FRONT), "github", scope="openid email")
    assert await identities(doors.world) == [["corp"], ["github"]]


async def test_one_of_each_kind(doors: Doors, browser: Browser) -> None:
    """Another GitHub account is refused until the first is unlinked; the same is no change."""
    await enter(doors, browser, "discord")
    await link(browser, "github")
    is_page(await link(browser, "github"), 200)
    doors.github.whom = "ben"
    text = is_page(await link(browser, "github"), 409)
    assert "Another GitHub account is linked already" in text


async def test_linking_needs_a_fresh_sign_in(doors: Doors, browser: Browser) -> None:
    """After five minutes the person signs in again first, where they did before, and is asked."""
    await enter(doors, browser, "corp")
    await doors.world.advance(301)
    answer = await press(browser, "link", "github")
    assert answer.headers["location"].startswith(doors.corp.origin)
    page = await browser.go_on(answer)
    assert "signed in anew" in is_page(page, 200)
    assert doors.corp.asked[-1]["prompt"] == "login"
    assert await identities(doors.world) == [["corp"]]
    is_page(await link(browser, "github"), 200)
    assert await identities(doors.world) == [["corp", "github"]]


async def test_a_link_belongs_to_its_session(doors: Doors, browser: Browser) -> None:
    """Whoever signs out, or in again, meanwhile has linked nothing; nor has another's browser."""
    await enter(doors, browser, "discord")
    answer = await press(browser, "link", "github")
    back = (await browser.outside.get(answer.headers["location"])).headers["location"]
    thief = doors.world.browser()
    await enter(doors, thief, "corp")
    is_page(await thief.http.get(back), 400)
    other = await browser.http.get(
        "/authorize", params=doors.world.app(FRONT).asks(prompt="login", idp_hint="discord")
    )
    await browser.go_on(other)
    text = is_page(await browser.http.get(back), 400)
    assert "Nothing was linked" in text
    assert await identities(doors.world) == [["corp"], ["discord"]]


async def test_a_link_after_a_sign_out(doors: Doors, browser: Browser) -> None:
    """The session that began it is over: so is the link, and nobody is signed in by it."""
    await enter(doors, browser, "discord")
    answer = await press(browser, "link", "github")
    back = (await browser.outside.get(answer.headers["location"])).headers["location"]
    await doors.world.sign_out(await doors.world.account_of("ada.lindqvist"))
    is_page(await browser.http.get(back), 400)
    assert await identities(doors.world) == [["discord"]]
    assert (await browser.http.get("/account")).text.count("upstream=") == 3


async def test_a_link_is_used_once(doors: Doors, browser: Browser) -> None:
    """Its callback loaded again is a used ``state``."""
    await enter(doors, browser, "discord")
    answer = await press(browser, "link", "github")
    back = (await browser.outside.get(answer.headers["location"])).headers["location"]
    assert (await browser.http.get(back)).status_code == 303
    is_page(await browser.http.get(back), 400)


async def test_a_link_that_comes_to_nothing(doors: Doors, browser: Browser) -> None:
    """No, or trouble: a page with the way back to the account, and nothing linked."""
    await enter(doors, browser, "discord")
    doors.github.deny = "access_denied"
    text = is_page(await link(browser, "github"), 400)
    assert 'href="/account"' in text
    doors.github.deny = ""
    doors.github.app.faults = {"/login/oauth/access_token": "status 503"}
    text = is_page(await link(browser, "github"), 503)
    assert "GitHub is not answering" in text
    assert 'href="/account"' in text
    assert "/interaction" not in text
    assert await identities(doors.world) == [["discord"]]


@pytest.mark.parametrize("action", ["link", "unlink"])
@pytest.mark.parametrize(
    "changes", [{"csrf": None}, {"csrf": ""}, {"csrf": "x" * 43}], ids=["none", "empty", "other"]
)
async def test_a_form_of_somebody_else(doors: Doors, browser: Browser, action, changes) -> None:
    """403: no token of our page in this browser, for this session."""
    await enter(doors, browser, "discord")
    await link(browser, "corp")
    is_page(
        await press(browser, action, "corp" if action == "unlink" else "github", **changes), 403
    )
    assert await identities(doors.world) == [["discord", "corp"]]


async def test_a_form_of_another_person_or_session(doors: Doors, browser: Browser) -> None:
    """The token of one browser is worth nothing in another, nor that of an earlier sign-in."""
    await enter(doors, browser, "discord")
    token = hidden(await browser.http.get("/account"))["csrf"]
    other = doors.world.browser()
    await enter(doors, other, "corp")
    is_page(await press(other, "link", "github", csrf=token), 403)
    hint = doors.world.app(FRONT).asks(prompt="login", idp_hint="discord")
    await browser.go_on(await browser.http.get("/authorize", params=hint))
    is_page(await press(browser, "link", "github", csrf=token), 403)


async def test_forms_that_ask_for_nothing(doors: Doors, browser: Browser) -> None:
    """An unknown action or upstream is a page; Discord's own name leads to Discord."""
    await enter(doors, browser, "corp")
    is_page(await press(browser, "merge", "github"), 400)
    is_page(await press(browser, "link", "nowhere"), 400)
    is_page(await press(browser, "link", ""), 400)
    is_page(await press(browser, "unlink", "nowhere"), 400)
    is_page(await doors.world.browser().http.post("/account", data={"action": "link"}), 400)


async def test_unlinking(doors: Doors, browser: Browser) -> None:
    """It is gone at once: the next sign-in through it is somebody new."""
    await enter(doors, browser, "discord")
    await link(browser, "github")
    page = await browser.go_on(await press(browser, "unlink", "github"))
    assert "Unlinked: it does not lead" in is_page(page, 200)
    assert await identities(doors.world) == [["discord"]]
    (event,) = await doors.world.audit("identity.unlinked")
    assert event.event.detail == {"upstream": "github"}
    await enter(doors, doors.world.browser(), "github")
    assert await identities(doors.world) == [["discord"], ["github"]]


async def test_unlinking_ends_what_it_vouched_for(doors: Doors, browser: Browser) -> None:
    """Sessions that came through it end, with their grants, in every browser; others go on."""
    await enter(doors, browser, "discord")
    await link(browser, "github")
    app, there = doors.world.app(FRONT), doors.world.browser()
    code = answered(await doors.through(there, app, "github"), app)["code"]
    theirs = (await app.redeem(code)).json()
    ours = await browser.tokens(app)
    await press(browser, "unlink", "github")
    refused = await app.refresh(theirs["refresh_token"])
    assert refused.json()["error"] == "invalid_grant"
    assert (await doors.world.userinfo(theirs["access_token"])).status_code == 401
    assert "upstream=" in (await there.http.get("/account")).text
    assert (await app.refresh(ours["refresh_token"])).status_code == 200
    await doors.world.drain()
    assert "How you sign in" in (await browser.http.get("/account")).text


async def test_unlinking_the_one_that_vouched_signs_out(doors: Doors, browser: Browser) -> None:
    """And the profile becomes that of what is left."""
    await enter(doors, browser, "discord")
    await link(browser, "github")
    page = await browser.go_on(await press(browser, "unlink", "discord"))
    assert "You are signed out" in is_page(page, 200)
    assert browser.session is None
    page = await enter(doors, browser, "github")
    assert "ada.lindqvist" not in is_page(page, 200)
    assert await identities(doors.world) == [["github"]]


async def test_the_last_one_stays(doors: Doors, browser: Browser) -> None:
    """The page does not offer it, and whoever asks all the same is told."""
    page = await enter(doors, browser, "discord")
    assert 'value="unlink"' not in page.text
    text = is_page(await press(browser, "unlink", "discord"), 409)
    assert "the only way into your account" in text
    assert await identities(doors.world) == [["discord"]]


async def test_unlinking_needs_a_fresh_sign_in(doors: Doors, browser: Browser) -> None:
    """As linking does; pressed again after it, it is done."""
    await enter(doors, browser, "discord")
    await link(browser, "corp")
    await doors.world.advance(301)
    page = await browser.go_on(await press(browser, "unlink", "corp"))
    assert "signed in anew" in is_page(page, 200)
    assert await identities(doors.world) == [["discord", "corp"]]
    await press(browser, "unlink", "corp")
    assert await identities(doors.world) == [["discord"]]


async def test_what_was_kept_is_forgotten_and_given_back(doors: Doors, browser: Browser) -> None:
    """The upstream's own authorization ends with the identity, as far as it can be reached."""
    await enter(doors, browser, "corp")
    await link(browser, "discord")
    (account,) = await doors.world.sql.accounts.page()
    held = UpstreamAuthorization("access-x", "refresh-x", ("identify",))
    kept = doors.world.sql.authorizations
    assert await kept.keep(account.account_id, "discord", held, now=doors.world.clock.at)
    before = doors.world.discord.calls["/oauth2/token/revoke"]
    await press(browser, "unlink", "discord")
    assert await kept.get(account.account_id, "discord") is None
    assert doors.world.discord.calls["/oauth2/token/revoke"] == before + 1
    assert "refresh-x" not in str(await doors.world.audit("identity.unlinked"))


async def test_a_switched_off_account_links_nothing(doors: Doors, browser: Browser) -> None:
    """Its session is over at that moment."""
    await enter(doors, browser, "discord")
    token = hidden(await browser.http.get("/account"))["csrf"]
    await doors.world.disable(await doors.world.account_of("ada.lindqvist"))
    fields = {"csrf": token, "action": "link", "upstream": "github"}
    is_page(await browser.http.post("/account", data=fields), 400)


async def test_signing_in_as_somebody_else_first(doors: Doors, browser: Browser) -> None:
    """The new sign-in that linking wants may be another account's: then it is that one's page."""
    await enter(doors, browser, "discord")
    await doors.world.advance(301)
    page = await browser.go_on(await press(browser, "link", "github"), BEN)
    assert "Ben Okafor" in is_page(page, 200)
    assert doors.github.asked == []
