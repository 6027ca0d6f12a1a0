"""Who may use an app: judged before every code, said to the person, and to the app in one word."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from broker.demo.discord.people import DISCORD_EPOCH_MS
from broker.demo.discord.population import iso
from tests.protocol.actors import App, Browser
from tests.protocol.checks import answered, is_page, is_refusal
from tests.protocol.communities import (
    ADA_ID,
    BEN_ID,
    HALL,
    KEEPER,
    MEMBER,
    SCOPE,
    YARD,
    hall,
    kept_out,
    press,
    reads,
    register,
)
from tests.protocol.devices import begin, consent_page
from tests.protocol.harness import World
from tests.protocol.known import ADA, BEN, CUSTOM, FRONT, THIRD
from tests.protocol.tokens import claims_of

KEEPERS = {"guilds": [{"id": HALL, "any_role": [KEEPER]}]}
MEMBERS = {"guilds": [{"id": HALL}]}
Policy = Mapping[str, Any]


def let_in(answer: Any, app: App) -> bool:
    """Whether an answer lets the person in; else it must be the page that says why not."""
    if answer.status_code == 303:
        answered(answer, app)
        return True
    assert "You cannot use" in is_page(answer, 403)
    return False


# ── each rule ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("policy", "ada", "ben"),
    [
        (MEMBERS, True, True),
        (KEEPERS, True, False),
        ({"guilds": [{"id": HALL, "all_roles": [KEEPER, MEMBER]}]}, True, False),
        ({"guilds": [{"id": HALL, "no_role": [KEEPER]}]}, False, True),
        ({"guilds": [{"id": HALL}, {"id": YARD}]}, True, False),
        ({"guilds": [{"id": HALL}, {"id": YARD}], "match": "any"}, True, True),
        ({"guilds": [{"id": YARD}], "allow": [BEN_ID]}, True, True),
        ({"guilds": [{"id": HALL}], "deny": [ADA_ID]}, False, True),
        ({"allow": [ADA_ID], "only_allowed": True}, True, False),
        ({"account_age": "30d"}, True, True),
        ({"email_verified": True}, True, True),
    ],
)
async def test_each_rule(world: World, policy: Policy, ada: bool, ben: bool) -> None:
    """Who passes, and who does not; a first-party app as any other."""
    app = await kept_out(world, policy)
    for person, expected in ((ADA, ada), (BEN, ben)):
        answer = await world.browser().arrive(app, person)
        assert let_in(answer, app) is expected, person
    refused = len(await world.audit("access.refused"))
    assert refused == [ada, ben].count(False)


async def test_account_too_young(world: World, browser: Browser) -> None:
    """It is told from when it is old enough; then it is."""
    made = int(world.clock.at - 86400) * 1000 - DISCORD_EPOCH_MS
    world.discord.add_person("novice", id=str(made << 22))
    app = await kept_out(world, {"account_age": "3d"})
    text = is_page(await browser.arrive(app, "novice"), 403)
    assert "too young" in text
    await world.advance(2 * 86400)
    assert let_in(await browser.arrive(app, "novice"), app)


async def test_pending(world: World, browser: Browser) -> None:
    """Whoever has yet to accept the guild's rules does, checks again, and is let in."""
    world.discord.set_member(BEN, HALL, pending=True)
    app = await kept_out(world, {"guilds": [{"id": HALL, "not_pending": True}]})
    page = await browser.arrive(app, BEN)
    assert "accept the rules" in is_page(page, 403)
    world.discord.set_member(BEN, HALL, pending=False)
    await world.advance(1)
    answer = await press(browser, page, "check")
    answered(await browser.go_on(answer, BEN), app)
    assert reads(world) == 2


async def test_timed_out_and_then_time_passes(world: World, browser: Browser) -> None:
    """Nothing has to be read again for that: the end of a time-out is known."""
    until = iso(world.clock.at + 120)
    world.discord.set_member(BEN, HALL, communication_disabled_until=until)
    app = await kept_out(world, {"guilds": [{"id": HALL, "not_timed_out": True}]})
    assert "timed out" in is_page(await browser.arrive(app, BEN), 403)
    is_refusal(await browser.authorize(app, prompt="none"), app, "access_denied")
    await world.advance(121)
    answered(await browser.authorize(app, prompt="none"), app)
    assert reads(world) == 1


# ── what is said ───────────────────────────────────────────────────────────────────────────


async def test_the_page_says_what_is_missing(world: World, browser: Browser) -> None:
    """In the operator's words, with the invitation; the way back tells the app access_denied."""
    await register(world)
    world.discord.kick(BEN, HALL)
    app = await kept_out(world, KEEPERS)
    page = await browser.arrive(app, BEN)
    text = is_page(page, 403)
    assert "The Lighthouse" in text
    assert "https://discord.gg/lighthouse" in text
    is_refusal(await press(browser, page, "leave"), app, "access_denied")
    (event,) = await world.audit("access.refused")
    assert event.event.detail == {"reasons": f"not_member:{HALL}"}
    assert event.event.account_id == await world.account_of(BEN)


async def test_another_account(world: World, browser: Browser) -> None:
    """Whoever has one that may goes on with that."""
    app = await kept_out(world, KEEPERS)
    page = await browser.arrive(app, BEN)
    answered(await browser.go_on(await press(browser, page, "other"), ADA), app)


async def test_silently(world: World, browser: Browser) -> None:
    """``prompt=none`` answers access_denied, and tells an app that could be another nothing."""
    app = await kept_out(world, KEEPERS)
    await browser.arrive(app, BEN)
    is_refusal(await browser.authorize(app, prompt="none"), app, "access_denied")
    custom = await world.new_app(CUSTOM, policy=KEEPERS, guilds=(HALL,))
    is_refusal(await browser.authorize(custom, prompt="none"), custom, "consent_required")
    assert len(await world.audit("access.refused")) == 2


async def test_nobody_is_asked_for_consent_in_vain(world: World, browser: Browser) -> None:
    """Who may not use the app is told so at once; who may is asked, and judged again after it.

    Whoever may not by then has agreed to nothing.
    """
    app = await world.new_app(THIRD, policy=KEEPERS, guilds=(HALL,))
    assert not let_in(await browser.arrive(app, BEN), app)
    page = await browser.arrive(app, ADA, prompt="login")
    assert "Continue to" in is_page(page, 200)
    await world.edit(app, policy={"deny": [ADA_ID]})
    answer = await browser.go_on(await browser.decide(page, "allow"))
    assert not let_in(answer, app)
    assert await world.audit("consent.given") == []
    await world.edit(app, policy=KEEPERS)
    assert "Continue to" in is_page(await browser.authorize(app), 200)


async def test_consent_given_before_does_not_let_in(world: World, browser: Browser) -> None:
    """A changed policy counts at the very next code."""
    app = await world.new_app(THIRD, policy=MEMBERS, guilds=(HALL,))
    await browser.tokens(app, BEN)
    await world.edit(app, policy=KEEPERS)
    assert not let_in(await browser.authorize(app), app)
    world.discord.give_role(BEN, HALL, KEEPER)
    await world.edit(app, policy=MEMBERS)
    answered(await browser.authorize(app), app)


async def test_a_device_is_not_let_in(world: World, browser: Browser) -> None:
    """Its person is refused before the device is approved; leaving tells the device so."""
    device = await begin(world, replace(FRONT, policy=KEEPERS, guilds=(HALL,)))
    page = await consent_page(browser, device, BEN)
    assert "You cannot use" in is_page(page, 403)
    assert (await device.poll_in_time()).json()["error"] == "authorization_pending"
    await browser.go_on(await press(browser, page, "leave"), BEN)
    assert (await device.poll_in_time()).json()["error"] == "access_denied"


async def test_a_policy_that_cannot_be_read(world: World, browser: Browser) -> None:
    """One that was damaged in SQL lets nobody in; it is our fault, and the log says why."""
    app = await world.new_app(THIRD)
    await browser.tokens(app)
    await world.edit(app, policy={"guilds": [{"id": "lighthouse"}]})
    answer = await browser.authorize(app)
    is_page(answer, 500)


# ── claims without a policy ────────────────────────────────────────────────────────────────


async def test_an_app_without_a_policy_lets_everybody_in(world: World, browser: Browser) -> None:
    """Roles are told, nobody is judged."""
    world.discord.kick(BEN, HALL)
    app = await hall(world)
    tokens = await browser.tokens(app, BEN, scope=SCOPE)
    assert claims_of(tokens["id_token"])["roles"] == []
    assert await world.audit("access.refused") == []
