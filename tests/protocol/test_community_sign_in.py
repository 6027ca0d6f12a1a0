"""A sign-in asks Discord for the least that the app needs, reads it, and keeps what it must."""

import asyncio

import pytest

from broker.demo.discord import Fault
from tests.pace import stood, until
from tests.protocol.actors import App, Browser
from tests.protocol.checks import answered, is_page, is_refusal, query_of
from tests.protocol.communities import (
    ADA_ID,
    FRESH,
    HALL,
    LIST_ROUTE,
    ME_ROUTE,
    MEMBER_ROUTE,
    SCOPE,
    TOKEN_ROUTE,
    YARD,
    asked_for,
    discord_is_well,
    hall,
    kept_out,
    reads,
)
from tests.protocol.harness import World
from tests.protocol.known import ADA, BEN, DISCORD_ID, FRONT, NARROW
from tests.protocol.tokens import claims_of

MEMBERS = {"guilds": [{"id": HALL}]}
IDENTIFY, MAIL, READS, LISTS = "identify", "email", "guilds.members.read", "guilds"


async def kept(world: World, name: str = ADA) -> set[str]:
    """The scopes of what is kept of somebody's authorization at Discord; empty for none."""
    account = await world.account_of(name)
    found = await world.sql.authorizations.get(account, "discord")
    return set(found.authorization.scope) if found else set()


# ── the least ──────────────────────────────────────────────────────────────────────────────


async def test_the_least_is_asked_for(world: World) -> None:
    """What the app's claims and its policy take, and nothing for the sake of others."""
    many = (HALL, YARD, *(world.discord.add_guild(f"G{number}").id for number in range(4)))
    needs = [
        (world.app(NARROW), {IDENTIFY}),
        (world.app(FRONT), {IDENTIFY, MAIL}),
        (await hall(world, scopes=("openid", "roles")), {IDENTIFY, READS}),
        (await hall(world, guilds=many, scopes=("openid", "guilds", "roles")),
         {IDENTIFY, READS, LISTS}),
        (await hall(world, guilds=many, role_mapping=None, scopes=("openid", "guilds")),
         {IDENTIFY, LISTS}),
        (await kept_out(world, MEMBERS, scopes=("openid",)), {IDENTIFY, READS}),
        (await kept_out(world, {"email_verified": True}, scopes=("openid",)), {IDENTIFY, MAIL}),
        (await kept_out(world, {"account_age": "30d"}, scopes=("openid",)), {IDENTIFY}),
    ]  # fmt: skip
    for app, scopes in needs:
        answer = await world.browser().authorize(app, scope="openid")
        assert asked_for(answer) == scopes


async def test_an_address_known_from_before_stays(world: World) -> None:
    """An app that does not ask for it does not make it unknown to those that do."""
    await world.browser().tokens(world.app(FRONT), scope="openid email")
    browser = world.browser()
    await browser.tokens(world.app(NARROW))
    tokens = await browser.tokens(world.app(FRONT), scope="openid email")
    assert claims_of(tokens["id_token"])["email"] == "ada@example.com"


async def test_nothing_is_kept_that_nobody_needs(world: World, browser: Browser) -> None:
    """Discord's tokens are let go, unless the app goes by guilds or may ask for them."""
    await browser.tokens(world.app(FRONT))
    assert await kept(world) == set()
    assert reads(world) == 0
    await browser.tokens(await hall(world), scope=SCOPE)
    assert await kept(world) == {IDENTIFY, MAIL, READS}
    await world.browser().tokens(world.app(FRONT), BEN)
    assert await kept(world, BEN) == set()
    app = await world.new_app(FRONT, upstream_token=True)
    await world.browser().tokens(app, BEN)
    assert await kept(world, BEN) == {IDENTIFY, MAIL}


# ── too little ─────────────────────────────────────────────────────────────────────────────


async def test_asked_once_more(world: World, browser: Browser) -> None:
    """Whoever unticks what is needed is asked again, on Discord's page; then all is well."""
    app = await hall(world)
    world.discord.withhold(READS)
    callback = await browser.at_discord(await browser.authorize(app, scope=SCOPE))
    again = await browser.http.get(callback)
    assert asked_for(again) == {IDENTIFY, MAIL, READS}
    assert query_of(again.headers["location"])["prompt"] == "consent"
    assert browser.session is None
    assert await world.sql.accounts.find(ADA) == ()
    world.discord.withhold()
    answered(await browser.go_on(again), app)


async def test_too_little_twice(world: World, browser: Browser) -> None:
    """A page that says so, with a way to try again and one back to the app; nobody is signed in."""
    app = await hall(world)
    world.discord.withhold(READS)
    answer = await browser.arrive(app, scope=SCOPE)
    text = is_page(answer, 403)
    assert "did not allow" in text
    assert "error=access_denied" in text
    (event,) = await world.audit("access.refused")
    assert event.event.detail == {"reasons": "granted_too_little"}
    assert browser.session is None
    assert await world.sql.accounts.find(ADA) == ()
    world.discord.withhold()
    (link,) = {part.split('"')[0] for part in text.split('href="') if part.startswith("/inter")}
    answered(await browser.go_on(await browser.http.get(link)), app)


async def test_an_address_that_is_not_told(world: World, browser: Browser) -> None:
    """Is asked for once more, and missed by nobody but a policy that demands it."""
    world.discord.withhold(MAIL)
    tokens = await browser.tokens(world.app(FRONT), scope="openid email")
    assert "email" not in claims_of(tokens["id_token"])
    assert world.discord.calls[ME_ROUTE] == 2
    strict = await kept_out(world, {"email_verified": True})
    assert "verified e-mail" in is_page(await world.browser().arrive(strict), 403)


# ── Discord in trouble ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "fault",
    [Fault("status", status=500), Fault("html", status=503), Fault("html", status=429),
     Fault("rate_limited", seconds=60), Fault("drop"), Fault("not_json"), Fault("truncated"),
     Fault("huge"), Fault("status", status=401)],
    ids=lambda fault: f"{fault.kind} {fault.status}",
)  # fmt: skip
@pytest.mark.parametrize("route", [MEMBER_ROUTE, LIST_ROUTE])
async def test_guilds_cannot_be_read(
    world: World, browser: Browser, fault: Fault, route: str
) -> None:
    """A clear page, and nothing half-written: no account, no session, no authorization."""
    many = (HALL, *(world.discord.add_guild(f"G{number}").id for number in range(5)))
    app = await hall(world, guilds=many if route == LIST_ROUTE else (HALL,))
    world.discord.misbehave(route, fault)
    answer = await browser.arrive(app, scope=SCOPE)
    assert answer.status_code in {502, 503}
    assert "Discord" in is_page(answer, answer.status_code)
    assert browser.session is None
    assert await world.sql.accounts.find(ADA) == ()


# ── one session, several apps ──────────────────────────────────────────────────────────────


async def test_from_an_app_without_needs_to_one_with(world: World, browser: Browser) -> None:
    """A silent trip to Discord tells what is missing; the session stays the same one."""
    await browser.tokens(world.app(FRONT), prompt="login")
    app = await hall(world)
    answer = await browser.authorize(app, scope=SCOPE, max_age="3600")
    assert asked_for(answer) == {IDENTIFY, MAIL, READS}
    assert query_of(answer.headers["location"])["prompt"] == "none"
    found = answered(await browser.go_on(answer), app)
    tokens = (await app.redeem(found["code"])).json()
    assert claims_of(tokens["id_token"])["roles"]
    plain = world.app(FRONT)
    answered(await browser.authorize(plain), plain)


async def test_to_an_app_that_may_have_the_upstream_token(world: World, browser: Browser) -> None:
    """Where none is kept a silent trip brings one; then there is no further trip."""
    await browser.tokens(world.app(FRONT))
    app = await world.new_app(FRONT, upstream_token=True)
    silent = await browser.authorize(app, prompt="none")
    is_refusal(silent, app, "interaction_required")
    answer = await browser.authorize(app)
    assert query_of(answer.headers["location"])["prompt"] == "none"
    answered(await browser.go_on(answer), app)
    assert await kept(world) == {IDENTIFY, MAIL}
    answered(await browser.authorize(app, prompt="none"), app)


async def test_silently(world: World, browser: Browser) -> None:
    """``prompt=none`` says what stands in the way (Core §3.1.2.6): not that nobody is signed in."""
    app = await hall(world)
    is_refusal(await browser.authorize(app, scope=SCOPE, prompt="none"), app, "login_required")
    await browser.tokens(world.app(FRONT))
    answer = await browser.authorize(app, scope=SCOPE, prompt="none")
    is_refusal(answer, app, "interaction_required")
    await browser.tokens(app, scope=SCOPE)
    answered(await browser.authorize(app, scope=SCOPE, prompt="none"), app)


async def test_fresh_facts_serve_all(world: World, browser: Browser) -> None:
    """Of two apps of one guild the second is signed in to without a trip, and without a call."""
    await browser.tokens(await hall(world), scope=SCOPE)
    calls = dict(world.discord.calls)
    other = await hall(world)
    answered(await browser.authorize(other, scope=SCOPE), other)
    assert dict(world.discord.calls) == calls


async def test_older_facts_are_read_again(world: World, browser: Browser) -> None:
    """With what is kept of the person's authorization: no trip, one call."""
    app = await hall(world)
    await browser.tokens(app, scope=SCOPE)
    await world.advance(FRESH + 1)
    answered(await browser.authorize(app, scope=SCOPE, prompt="none"), app)
    assert reads(world) == 2
    assert world.discord.calls[TOKEN_ROUTE] == 1


async def test_an_authorization_that_has_run_out_is_renewed(world: World, browser: Browser) -> None:
    """Without a trip as well; the new one is kept, for it is good once."""
    app = await hall(world)
    await browser.tokens(app, scope=SCOPE)
    for _ in range(2):
        await world.advance(6.99 * 86400)
        answered(await browser.authorize(app, scope=SCOPE, prompt="none"), app)
    await world.advance(FRESH)
    answered(await browser.authorize(app, scope=SCOPE, prompt="none"), app)
    assert world.discord.calls[TOKEN_ROUTE] == 2


async def test_a_lost_authorization(world: World, browser: Browser) -> None:
    """A person who withdrew it at Discord is asked there, and nothing else is lost."""
    app = await hall(world)
    await browser.tokens(app, scope=SCOPE)
    world.discord.deauthorize(ADA_ID, DISCORD_ID)
    await world.advance(FRESH + 1)
    silent = await browser.authorize(app, scope=SCOPE, prompt="none")
    is_refusal(silent, app, "interaction_required")
    plain = world.app(FRONT)
    answered(await browser.authorize(plain), plain)
    answer = await browser.authorize(app, scope=SCOPE)
    answered(await browser.go_on(answer), app)


async def test_needs_of_apps_add_up(world: World, browser: Browser) -> None:
    """An app that needs the list, after one that needs a record: neither loses what it has."""
    many = tuple(world.discord.add_guild(f"G{number}").id for number in range(6))
    world.discord.join(ADA, many[0])
    records = await hall(world)
    lists = await hall(world, guilds=many, role_mapping=None)
    first = await browser.tokens(records, scope=SCOPE)
    answer = await browser.authorize(lists, scope=SCOPE)
    assert asked_for(answer) == {IDENTIFY, MAIL, READS, LISTS}
    answered(await browser.go_on(answer), lists)
    assert await kept(world) == {IDENTIFY, MAIL, READS, LISTS}
    await world.advance(FRESH + 1)
    assert (await records.refresh(first["refresh_token"])).status_code == 200
    await world.browser().tokens(records, scope=SCOPE)
    assert await kept(world) == {IDENTIFY, MAIL, READS, LISTS}
    await world.advance(FRESH + 1)
    answered(await browser.authorize(lists, scope=SCOPE, prompt="none"), lists)


async def test_discord_is_down_while_a_session_lives(world: World, browser: Browser) -> None:
    """What was last known lets people in for a day; then a page, or an error to the app."""
    app = await hall(world)
    await browser.tokens(app, scope=SCOPE)
    world.discord.misbehave("*", Fault("drop"))
    await world.advance(FRESH + 1)
    answered(await browser.authorize(app, scope=SCOPE), app)
    await world.advance(86400)
    answer = await browser.authorize(app, scope=SCOPE)
    text = is_page(answer, 503)
    assert "Discord is not answering" in text
    assert "error=access_denied" in text
    assert int(answer.headers["retry-after"]) > 0
    silent = await browser.authorize(app, scope=SCOPE, prompt="none")
    is_refusal(silent, app, "temporarily_unavailable")
    plain = world.app(FRONT)
    answered(await browser.authorize(plain), plain)
    await discord_is_well(world)
    answered(await browser.authorize(app, scope=SCOPE), app)


async def test_a_process_that_stood_still_meanwhile_takes_the_answers(
    world: World, browser: Browser
) -> None:
    """A code is good once: whose time was over when the process went on would begin anew."""
    app, calls = await hall(world), world.discord.calls
    task = asyncio.create_task(browser.tokens(app, scope=SCOPE))
    for route in (TOKEN_ROUTE, MEMBER_ROUTE):
        world.discord.misbehave(route, Fault("delay", seconds=0.2))
        before = calls[route]
        await until(lambda route=route, before=before: calls[route] > before)  # type: ignore[misc]
        stood(60.0)
    tokens = await task
    await discord_is_well(world)
    assert claims_of(tokens["id_token"])["roles"]


async def test_a_trip_that_leads_nowhere_does_not_lead_round_in_circles(
    world: World, browser: Browser, app: App
) -> None:
    """Facts that are gone right after the sign-in: a page, not another trip."""
    app = await hall(world)
    callback = await browser.at_discord(await browser.authorize(app, scope=SCOPE))
    page = await browser.http.get(callback)
    account = await world.account_of(ADA)
    await world.sql.authorizations.forget(account, "discord")
    await world.redis.hdel(f"tb:{{{account}}}:facts", f"g:{HALL}")
    is_page(await browser.go_on(page), 503)
