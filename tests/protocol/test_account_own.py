"""The account's page: sessions, apps, what is kept, and leaving."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio
from sqlalchemy import text

from broker.app.compose import compose
from broker.core.account.deletion import delete_due
from broker.core.community.registry import Guild
from broker.core.federation import UpstreamAuthorization
from tests.core.helpers import Hands
from tests.protocol.actors import Browser
from tests.protocol.checks import answered, hidden, is_challenge, is_page, is_token_error
from tests.protocol.communities import HALL, SCOPE, hall
from tests.protocol.devices import begin as begin_device
from tests.protocol.devices import consent_page
from tests.protocol.harness import Shelf, World, begin, settings_for
from tests.protocol.known import ADA, BACK, BEN, FRONT, THIRD
from tests.protocol.test_languages import in_korean
from tests.protocol.tokens import claims_of

DAY = 86400
OFFLINE = "openid profile offline_access"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like"
    " Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
)


async def signed_in(world: World, agent: str = FIREFOX, person: str = ADA) -> Browser:
    """A browser in which somebody has signed in at the account's page."""
    browser = world.browser()
    browser.http.headers["user-agent"] = agent
    is_page(await browser.go_on(await browser.http.get("/account"), person), 200)
    return browser


async def press(browser: Browser, action: str, **fields: str) -> httpx2.Response:
    """Press a button of the account's page, no further."""
    page = await browser.http.get("/account")
    data = {"csrf": hidden(page)["csrf"], "action": action, **fields}
    return await browser.http.post("/account", data=data)


def sessions(page: httpx2.Response) -> list[str]:
    """The sids that the page lists, in their order."""
    return re.findall(r'name="session" value="([0-9a-f]+)"', page.text)


async def shown(browser: Browser) -> httpx2.Response:
    return await browser.http.get("/account")


async def over(browser: Browser) -> bool:
    """Whether nobody is signed in there: the page leads to a sign-in."""
    return (await shown(browser)).status_code == 303


async def left(browser: Browser) -> httpx2.Response:
    """Ask for the account to be deleted, and be sure."""
    is_page(await press(browser, "delete"), 200)
    return await press(browser, "delete", sure="yes")


async def test_sessions_are_listed(world: World) -> None:
    """Each with its browser and when it was used; this one first, and said to be."""
    browser = await signed_in(world)
    await world.advance(7200)
    phone = await signed_in(world, SAFARI)
    text = is_page(await shown(browser), 200)
    assert text.index("Firefox on Linux") < text.index("Safari on iPhone")
    assert "2 hours ago" in text
    assert text.count("This browser") == 1
    assert "Safari on iPhone" in (await shown(phone)).text.partition("This browser")[0]
    for agent in ("<script>alert(1)</script>", "", "curl/8.14.1"):
        page = await shown(await signed_in(world, agent))
        assert "<script" not in page.text
    assert "curl/8.14.1" in page.text


async def test_signing_out_another(world: World) -> None:
    """That browser is signed out with its grants; this one goes on, and offline grants do."""
    browser, other = await signed_in(world), await signed_in(world, SAFARI)
    app, kept = world.app(FRONT), world.app(FRONT)
    theirs = await other.tokens(app)
    offline = await other.tokens(kept, scope=OFFLINE)
    _, sid = sessions(await shown(browser))
    page = await browser.go_on(await press(browser, "sign_out", session=sid))
    assert "Signed out there" in is_page(page, 200)
    assert await over(other)
    is_token_error(await app.refresh(theirs["refresh_token"]), "invalid_grant")
    assert (await kept.refresh(offline["refresh_token"])).status_code == 200
    assert len(await world.audit("sign_out")) == 1
    is_page(await press(browser, "sign_out", session=sid), 400)


async def test_signing_out_here(world: World) -> None:
    """The same for this browser, whose cookie goes with it."""
    browser = await signed_in(world)
    (sid,) = sessions(await shown(browser))
    page = await browser.go_on(await press(browser, "sign_out", session=sid))
    assert "You are signed out" in is_page(page, 200)
    assert browser.session is None


async def test_nobody_elses_session(world: World) -> None:
    """A sid of another account is none of this one's."""
    browser, ben = await signed_in(world), await signed_in(world, person=BEN)
    (sid,) = sessions(await shown(ben))
    is_page(await press(browser, "sign_out", session=sid), 400)
    is_page(await shown(ben), 200)


async def test_signing_out_everywhere(world: World) -> None:
    """Every browser, every grant, offline ones too; signing in again is possible."""
    browser, other = await signed_in(world), await signed_in(world, SAFARI)
    app = world.app(FRONT)
    offline = await other.tokens(app, scope=OFFLINE)
    await world.advance(1)
    page = await browser.go_on(await press(browser, "sign_out_everywhere"))
    assert "You are signed out" in is_page(page, 200)
    assert await over(other)
    is_token_error(await app.refresh(offline["refresh_token"]), "invalid_grant")
    is_challenge(await world.userinfo(offline["access_token"]))
    (event,) = await world.audit("account.signed_out")
    assert (event.event.actor, event.event.detail) == ("person", {})
    await world.advance(1)
    await signed_in(world)
    await world.drain()
    assert not await over(await signed_in(world))


async def test_apps_are_listed(world: World) -> None:
    """By their names, with what they may know; those that nobody agreed to as well."""
    browser = await signed_in(world)
    assert ">None.<" in (await shown(browser)).text
    await browser.tokens(world.app(THIRD), scope="openid email")
    await browser.tokens(world.app(FRONT))
    text = is_page(await shown(browser), 200).partition("Apps with access")[2]
    for words in (THIRD.name, FRONT.name, "Your e-mail address", "It belongs to Token Broker"):
        assert words in text


async def test_permissions_of_apis_are_named(world: World) -> None:
    """What is no claim is called by its name; so is an app that is gone."""
    browser, account_id = await signed_in(world), await world.account_of("ada.lindqvist")
    await world.sql.accounts.consent(account_id, "gone", ("harbour:open",), now=world.clock.at)
    text = is_page(await shown(browser), 200).partition("Apps with access")[2]
    assert "harbour:open" in text
    assert "gone" in text
    await press(browser, "withdraw", client="gone")
    assert ">None.<" in (await shown(browser)).text


async def test_leaving_in_korean(world: World) -> None:
    """The pages on the way out and back are in the person's language too."""
    browser = await signed_in(world)
    browser.http.headers["accept-language"] = "ko"
    in_korean(await press(browser, "delete"))
    in_korean(await press(browser, "delete", sure="yes"))
    in_korean(await browser.go_on(await browser.http.get("/account")))
    in_korean(await world.browser().arrive(world.app(FRONT), ui_locales="ko"))


async def test_withdrawing_access(world: World) -> None:
    """Consent, code and grants end at once, offline ones too; others go on; it asks again."""
    browser = await signed_in(world)
    app, other, again = world.app(THIRD), world.app(BACK), world.app(THIRD)
    tokens = await browser.tokens(app, scope=OFFLINE)
    code = await browser.code(again)
    theirs = await browser.tokens(other)
    page = await browser.go_on(await press(browser, "withdraw", client=THIRD.client_id))
    assert "Withdrawn" in is_page(page, 200)
    assert THIRD.name not in page.text
    is_token_error(await app.refresh(tokens["refresh_token"]), "invalid_grant")
    is_token_error(await again.redeem(code), "invalid_grant")
    is_challenge(await world.userinfo(tokens["access_token"]))
    assert (await other.refresh(theirs["refresh_token"])).status_code == 200
    (event,) = await world.audit("consent.withdrawn")
    assert (event.event.actor, event.event.client_id) == ("person", THIRD.client_id)
    is_page(await press(browser, "withdraw", client=THIRD.client_id), 400)
    asked = await browser.arrive(world.app(THIRD))
    assert "Continue to" in is_page(asked, 200)


async def test_what_begins_after_a_withdrawal_stays(world: World) -> None:
    """The outbox delivers late and twice: neither a new consent nor an app of ours loses by it."""
    browser = await signed_in(world)
    third, front = world.app(THIRD), world.app(FRONT)
    await browser.tokens(third)
    await browser.tokens(front)
    for app in (third, front):
        await press(browser, "withdraw", client=app.client.client_id)
    await world.advance(1)
    anew = [(app, await browser.tokens(app)) for app in (world.app(THIRD), world.app(FRONT))]
    await world.drain()
    for app, tokens in anew:
        assert (await app.refresh(tokens["refresh_token"])).status_code == 200


@pytest.mark.parametrize(
    "fields",
    [
        {"action": "sign_out", "session": "00"}, {"action": "sign_out_everywhere"},
        {"action": "withdraw", "client": "front"}, {"action": "download"},
        {"action": "delete", "sure": "yes"},
    ],
    ids=lambda fields: fields["action"],
)  # fmt: skip
async def test_a_form_of_somebody_else(world: World, fields: dict[str, str]) -> None:
    """403 without our page's token, and 400 where nobody is signed in: nothing happens."""
    browser = await signed_in(world)
    for csrf in ({}, {"csrf": ""}, {"csrf": "x" * 43}):
        is_page(await browser.http.post("/account", data={**fields, **csrf}), 403)
    is_page(await world.browser().http.post("/account", data=fields), 400)
    is_page(await shown(browser), 200)
    assert await world.audit("account.leaving") == []


@pytest.mark.parametrize("action", ["download", "delete"])
async def test_some_things_need_a_fresh_sign_in(world: World, action: str) -> None:
    """After five minutes the person signs in again first, and presses the button again."""
    browser = await signed_in(world)
    await world.advance(301)
    answer = await press(browser, action, sure="yes")
    assert answer.headers["location"].startswith(world.discord_origin)
    page = await browser.go_on(answer)
    assert "signed in anew" in is_page(page, 200)
    assert await world.audit("account.leaving") == []
    assert (await press(browser, action)).status_code == 200


async def test_the_download_holds_everything(world: World) -> None:
    """Profile, identities, consents, sessions, grants, events; a file, and nothing secret in it."""
    browser = await signed_in(world)
    app = world.app(THIRD)
    tokens = await browser.tokens(app, scope=f"{OFFLINE} email")
    account_id = await world.account_of("ada.lindqvist")
    held = UpstreamAuthorization("access-x", "refresh-x", ("identify",))
    await world.sql.authorizations.keep(account_id, "discord", held, now=world.clock.at)
    answer = await press(browser, "download")
    assert answer.headers["content-type"] == "application/json"
    assert re.fullmatch(
        r'attachment; filename="account-\d{4}-\d\d-\d\d\.json"',
        answer.headers["content-disposition"],
    )
    assert answer.headers["cache-control"] == "no-store"
    told = json.loads(answer.content)
    assert told["account"]["username"] == "ada.lindqvist"
    assert told["identities"][0]["subject"] == "175928847299117063"
    assert told["consents"][0]["client_id"] == THIRD.client_id
    assert told["sessions"][0]["device"] == FIREFOX
    assert told["grants"][0]["scope"] == f"{OFFLINE} email"
    assert {"account.created", "sign_in", "consent.given"} <= {e["kind"] for e in told["audit"]}
    for name in ("access_token", "refresh_token", "id_token"):
        assert tokens[name] not in answer.text
    for secret in (browser.session or "no session", "access-x", "refresh-x"):
        assert secret not in answer.text


async def test_leaving(world: World) -> None:
    """Asked twice; then everything ends at once, and a page says until when one may come back."""
    browser, other, app = await signed_in(world), await signed_in(world, SAFARI), world.app(FRONT)
    offline = await other.tokens(app, scope=OFFLINE)
    account_id = await world.account_of("ada.lindqvist")
    held = UpstreamAuthorization("access-x", "refresh-x", ("identify",))
    await world.sql.authorizations.keep(account_id, "discord", held, now=world.clock.at)
    revoked = world.discord.calls["/oauth2/token/revoke"]
    page = await press(browser, "delete")
    assert "Delete your account?" in is_page(page, 200)
    is_page(await shown(browser), 200)
    text = is_page(await press(browser, "delete", sure="yes"), 200)
    assert "will be deleted" in text
    assert browser.session is None
    assert await over(other)
    is_token_error(await app.refresh(offline["refresh_token"]), "invalid_grant")
    is_challenge(await world.userinfo(offline["access_token"]))
    assert world.discord.calls["/oauth2/token/revoke"] == revoked + 1
    (event,) = await world.audit("account.leaving")
    assert (event.event.actor, event.event.account_id) == ("person", account_id)


async def test_signing_in_offers_to_keep_it(world: World) -> None:
    """At an app as at our page: no session before the answer; then the sign-in goes on."""
    await left(await signed_in(world))
    await world.advance(1)
    browser, app = world.browser(), world.app(FRONT)
    page = await browser.arrive(app)
    assert "Keep your account?" in is_page(page, 200)
    assert browser.session is None
    is_page(await browser.http.get(str(page.url)), 200)
    answer = await browser.go_on(await browser.decide(page, "keep"))
    token = (await app.redeem(answered(answer, app)["code"])).json()["id_token"]
    assert claims_of(token)["name"] == "Ada Lindqvist"
    assert len(await world.audit("account.kept")) == 1
    await world.drain()
    await world.advance(15 * DAY)
    assert await delete_due(world.sql.own, world.broker.stores.redis.accounts, world.clock.at) == 0


@pytest.mark.parametrize(
    ("by", "said", "korean"),
    [
        ("person", "You asked us to delete it", "계정 삭제를 요청했어요"),
        ("operator", "The people who run this service decided", "서비스 운영자가"),
        (None, "It is going to be deleted on", "지금 유지하지 않으면"),
    ],
)
async def test_whose_wish_it_is(world: World, by: str | None, said: str, korean: str) -> None:
    """The page says who wants it deleted; what a broker of before left unsaid stays so."""
    await signed_in(world)
    account_id = await world.account_of("ada.lindqvist")
    await world.sql.own.leave(account_id, now=world.clock.at, grace=DAY, actor=by or "person")
    if by is None:
        async with world.sql.engine.begin() as connection:
            await connection.execute(text("UPDATE account SET delete_by = NULL"))
    browser = world.browser()
    page = await browser.go_on(await browser.http.get("/account"))
    told = is_page(page, 200)
    assert said in told
    assert ("asked us" in told) == (by == "person")
    browser.http.headers["accept-language"] = "ko"
    assert korean in in_korean(await browser.http.get(str(page.url)))


async def test_saying_no_to_keeping_it(world: World) -> None:
    """The app hears no; it goes on leaving."""
    await left(await signed_in(world))
    browser, app = world.browser(), world.app(FRONT)
    page = await browser.arrive(app)
    refused = await browser.decide(page, "leave")
    assert "error=access_denied" in refused.headers["location"]
    is_page(await browser.decide(page, "keep"), 400)  # what was said is said
    assert await world.audit("account.kept") == []
    page = await browser.go_on(await browser.http.get("/account"))
    assert (await browser.decide(page, "leave")).headers["location"] == "/"


async def test_a_device_hears_that_its_person_stays_away(world: World) -> None:
    """As it hears any other no: it does not ask until its code ends."""
    await left(await signed_in(world))
    browser, device = world.browser(), await begin_device(world)
    await browser.decide(await consent_page(browser, device), "leave")
    is_token_error(await device.poll_in_time(), "access_denied")


async def test_saying_no_to_an_app_that_has_moved(world: World) -> None:
    """It hears nothing: nobody is sent to where it is no more."""
    await left(await signed_in(world))
    browser, app = world.browser(), await world.new_app(FRONT)
    page = await browser.arrive(app)
    await world.edit(app, redirect_uris=("https://front.example/new",))
    is_page(await browser.decide(page, "leave"))


async def test_the_offer_is_its_browsers(world: World) -> None:
    """Another browser, a forged form, another decision, or too late: nothing is kept."""
    await left(await signed_in(world))
    browser = world.browser()
    page = await browser.go_on(await browser.http.get("/account"))
    is_page(await world.browser().http.get(str(page.url)), 403)
    is_page(await world.browser().decide(page, "keep"), 403)
    is_page(await browser.decide(page, "keep", csrf="x" * 43), 403)
    is_page(await browser.decide(page, "allow"), 400)
    assert await world.audit("account.kept") == []
    account_id = await world.account_of("ada.lindqvist")
    await world.sql.own.leave(account_id, now=world.clock.at, grace=0, actor="operator")
    is_page(await browser.decide(page, "keep"), 400)


async def test_a_switched_off_account_is_offered_nothing(world: World) -> None:
    """An operator's word counts for more than the offer."""
    await left(await signed_in(world))
    await world.disable(await world.account_of("ada.lindqvist"))
    browser = world.browser()
    is_page(await browser.go_on(await browser.http.get("/account")), 403)


async def test_gone_in_time(world: World) -> None:
    """From SQL and Redis; who comes back is somebody new to every app."""
    browser, app = await signed_in(world), world.app(FRONT)
    before = claims_of((await browser.tokens(app))["id_token"])["sub"]
    account_id = await world.account_of("ada.lindqvist")
    await left(browser)
    states = world.broker.stores.redis.accounts
    await world.advance(14 * DAY - 1)
    assert await delete_due(world.sql.own, states, world.clock.at) == 0
    await world.advance(1)
    assert await delete_due(world.sql.own, states, world.clock.at) == 1
    await world.drain()
    assert await world.sql.accounts.page() == ()
    async for key in world.redis.scan_iter(f"*{account_id}*"):
        assert await world.redis.ttl(key) > 0
    facts = await world.redis.hgetall(f"tb:{{{account_id}}}:facts")
    assert "Ada" not in str(facts)
    events = [e.event for e in await world.sql.audit.page() if e.event.account_id == account_id]
    assert "Ada" not in str(events)
    await world.advance(1)
    again = world.app(FRONT)
    after = claims_of((await (await signed_in(world)).tokens(again))["id_token"])["sub"]
    assert after != before


async def test_a_crash_between_the_two(world: World) -> None:
    """SQL has committed and the process is gone: the outbox does the rest."""
    browser, app = await signed_in(world), world.app(FRONT)
    offline = await browser.tokens(app, scope=OFFLINE)
    account_id = await world.account_of("ada.lindqvist")
    await world.sql.own.leave(account_id, now=world.clock.at, grace=0, actor="person")
    await world.drain()
    assert await over(browser)
    is_token_error(await app.refresh(offline["refresh_token"]), "invalid_grant")
    assert "Ada" not in str(await world.redis.hgetall(f"tb:{{{account_id}}}:facts"))


async def test_it_is_done_beside_the_requests(world: World, shared: Shelf, tmp_path: Path) -> None:
    """By whichever process runs when the time has come, without anybody's asking."""
    await left(await signed_in(world))
    path = Path(str(world.sql.engine.url.database))
    clock = Hands(world.clock.at + 14 * DAY)
    settings = settings_for(shared, path, data_dir=tmp_path)
    async with compose(settings, shared.redis_url, clock=clock), asyncio.timeout(10):
        while await world.sql.accounts.page():
            await asyncio.sleep(0.02)
    assert len(await world.audit("account.deleted")) == 1
    # That process may have rotated the keys: whoever lived in the past could not sign with them.
    await world.advance(clock.at - world.clock.at)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def hasty(shared: Shelf, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A broker that deletes at once."""
    folder: Path = tmp_path_factory.mktemp("hasty")
    async with begin(shared, folder, deletion_grace=0, redis_prefix="hasty") as found:
        yield found


async def test_without_a_grace(hasty: World) -> None:
    """Gone when the page says so."""
    await hasty.reset()
    browser = await signed_in(hasty)
    assert "you can come back" not in is_page(await press(browser, "delete"), 200)
    text = is_page(await press(browser, "delete", sure="yes"), 200)
    assert "is deleted" in text
    assert await hasty.sql.accounts.page() == ()
    (event,) = await hasty.audit("account.deleted")
    assert event.event.actor == "person"


async def test_servers_by_names_that_people_know(world: World, browser: Browser) -> None:
    """The operator's, or else Discord's own; where neither is known that is said, and no id."""
    unnamed = "A server that this service has no name for"
    await browser.tokens(await hall(world, role_mapping=None), scope=SCOPE)
    page = await shown(browser)
    assert unnamed in page.text
    assert HALL not in page.text
    many = tuple(world.discord.add_guild(f"Guild {number}").id for number in range(5))
    await browser.tokens(await hall(world, guilds=(HALL, *many), role_mapping=None), scope=SCOPE)
    page = await shown(browser)
    assert "<b>The Lighthouse</b>" in page.text
    assert unnamed not in page.text
    await world.sql.guilds.add(Guild(HALL, "Our Hall"), now=world.clock.at)
    await world.advance(0)
    assert "<b>Our Hall</b>" in (await shown(browser)).text
