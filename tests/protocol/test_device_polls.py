"""A device that polls (RFC 8628 §3.5): its pace, its ends, crashes and lost answers."""

import asyncio
import json
from collections import Counter
from typing import Any

import pytest

from broker.core import vocabulary as v
from broker.core.errors import StoreUnavailable
from broker.core.handles import Kind
from tests.protocol.actors import Browser
from tests.protocol.checks import is_page, is_token_error
from tests.protocol.devices import (
    GRANTS,
    HANDLES,
    Device,
    allow,
    begin,
    consent_page,
    enter,
    is_page_200,
)
from tests.protocol.harness import World
from tests.protocol.known import ADA, BEN, FRONT
from tests.protocol.tokens import claims_of
from tests.protocol.watching import round_trips

# ── no ──────────────────────────────────────────────────────────────────────────────────


async def test_a_person_says_no(world: World, browser: Browser) -> None:
    """The device hears access_denied, every time; nothing is left to allow."""
    device = await begin(world)
    page = await consent_page(browser, device)
    end = await browser.go_on(await browser.decide(page, "deny"))
    assert "was not connected" in is_page_200(end)
    is_token_error(await device.poll_in_time(), "access_denied")
    is_token_error(await device.poll(), "access_denied")
    is_page(await enter(browser, device.code), 400)


async def test_a_person_says_no_at_discord(world: World, browser: Browser) -> None:
    """So does the device when the person says no there."""
    device = await begin(world)
    end = await browser.go_on(await enter(browser, device.code), deny=True)
    assert "was not connected" in is_page_200(end)
    is_token_error(await device.poll_in_time(), "access_denied")


# ── polling ─────────────────────────────────────────────────────────────────────────────


async def test_too_fast(world: World, browser: Browser) -> None:
    """Each hasty poll adds 5 seconds for good (RFC 8628 §3.5)."""
    device = await begin(world)
    is_token_error(await device.poll(), "authorization_pending")
    await world.advance(4)
    is_token_error(await device.poll(), "slow_down")
    await world.advance(6)
    is_token_error(await device.poll(), "slow_down")
    await world.advance(15)
    is_token_error(await device.poll(), "authorization_pending")
    await world.advance(14)
    is_token_error(await device.poll(), "slow_down")
    await allow(browser, device)
    assert (await device.poll()).status_code == 200, "what was decided is not kept back"


async def test_the_code_expires(world: World, browser: Browser) -> None:
    """After ten minutes: for the device, for who enters the code, and for who still reads."""
    device = await begin(world)
    page = await consent_page(browser, device)
    await world.advance(600)
    is_token_error(await device.poll(), "expired_token")
    is_page(await enter(browser, device.code), 400)
    is_page(await browser.decide(page, "allow"), 400)
    is_token_error(await device.poll(), "expired_token")
    await world.redis.flushall()
    is_token_error(await device.poll(), "expired_token")


async def test_an_approval_waits_as_long_as_the_device_may(world: World, browser: Browser) -> None:
    """A device that was off meanwhile has its ten minutes, not the minute of a code."""
    device = await begin(world)
    await allow(browser, device)
    await world.advance(595)
    assert (await device.poll()).status_code == 200


async def test_approved_but_never_fetched(world: World, browser: Browser) -> None:
    """An approval ends with the device code."""
    device = await begin(world)
    await allow(browser, device)
    await world.advance(600)
    is_token_error(await device.poll(), "expired_token")


@pytest.mark.parametrize("code", ["garbage", "", "x" * 82])
async def test_codes_that_are_none(world: World, code: str) -> None:
    """Garbage is invalid_grant, nothing at all invalid_request; Redis is not asked."""
    app = await world.new_app(FRONT, grant_types=GRANTS)
    async with round_trips(world.redis) as trips:
        answer = await app.token(grant_type=v.GRANT_DEVICE, device_code=code)
    is_token_error(answer, "invalid_grant" if code else "invalid_request")
    assert trips == []


async def test_other_handles_are_no_device_codes(world: World, browser: Browser) -> None:
    """A handle of another kind is never taken for one, nor a device code for another."""
    device = await begin(world)
    tokens = await browser.tokens(device.app)
    is_token_error(await device.poll(device_code=tokens["refresh_token"]), "invalid_grant")
    is_token_error(await device.app.redeem(device.answer["device_code"]), "invalid_grant")
    is_token_error(await device.app.refresh(device.answer["device_code"]), "invalid_grant")


async def test_a_device_code_of_another_client(world: World, browser: Browser) -> None:
    """It is invalid_grant, and the owner's tokens are not touched by it."""
    device = await begin(world)
    thief = await world.new_app(FRONT, grant_types=GRANTS)
    await allow(browser, device)
    is_token_error(await Device(thief, device.answer).poll(), "invalid_grant")
    assert (await device.poll_in_time()).status_code == 200


async def test_a_client_without_the_grant(world: World, browser: Browser) -> None:
    """What was taken from the client counts at once, at every step."""
    device = await begin(world)
    page = await consent_page(browser, device)
    await world.edit(device.app, grant_types=v.GRANT_TYPES)
    is_token_error(await device.poll(), "unauthorized_client")
    is_page(await browser.decide(page, "allow"), 400)
    is_page(await enter(browser, device.code), 400)


async def test_used(world: World, browser: Browser) -> None:
    """A device code makes tokens once; asked again it is invalid_grant, and the grant lives on."""
    device = await begin(world)
    await allow(browser, device)
    tokens = (await device.poll_in_time()).json()
    is_token_error(await device.poll_in_time(), "invalid_grant")
    is_token_error(await device.poll(), "invalid_grant")
    assert (await device.app.refresh(tokens["refresh_token"])).status_code == 200
    is_page(await enter(browser, device.code), 400)


async def test_parallel_polls(world: World, browser: Browser) -> None:
    """Of many polls at once exactly one gets tokens; there is one grant, and it lives."""
    device = await begin(world)
    await allow(browser, device)
    answers = await asyncio.gather(*(device.poll() for _ in range(12)))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 400: 11}
    errors = {a.json()["error"] for a in answers if a.status_code == 400}
    assert errors <= {"slow_down", "invalid_grant"}
    (good,) = (answer.json() for answer in answers if answer.status_code == 200)
    assert (await device.app.refresh(good["refresh_token"])).status_code == 200
    assert len(await world.redis.keys("tb:*:grant:*")) == 1


# ── crashes and lost answers ────────────────────────────────────────────────────────────


async def test_a_crash_before_the_code_was_redeemed(world: World, browser: Browser) -> None:
    """The approval was handed out and the process died: the next poll gets the tokens."""
    device = await begin(world)
    await allow(browser, device)
    handle = HANDLES.open(Kind.DEVICE, device.answer["device_code"])
    assert handle is not None
    client_id = device.app.client.client_id
    devices = world.broker.stores.redis.devices
    _, approval = await devices.poll(handle.item_id, client_id, now=world.clock.at)
    assert approval is not None
    is_token_error(await device.poll(), "slow_down")
    assert (await device.poll_in_time()).status_code == 200


async def test_a_crash_after_the_code_was_redeemed(world: World, browser: Browser) -> None:
    """The grant was made and nobody was told: the next poll gets that very grant, no second one."""
    device = await begin(world)
    await allow(browser, device)
    first = (await device.poll()).json()
    await unmark(world, device)
    second = (await device.poll_in_time()).json()
    assert second["refresh_token"] == first["refresh_token"]
    assert grant_of(second) == grant_of(first)
    assert (await device.app.refresh(first["refresh_token"])).status_code == 200
    await unmark(world, device)
    is_token_error(await device.poll_in_time(), "invalid_grant")
    refreshed = await device.app.refresh(second["refresh_token"])
    assert refreshed.status_code == 200, "a poll after all that revokes nothing"


async def test_a_store_that_goes_away_after_the_grant_was_made(
    world: World, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The device is answered all the same: its code is spent, and no poll makes a second grant."""
    device = await begin(world)
    await allow(browser, device)

    async def away(_self: object, _device_id: str) -> None:
        raise StoreUnavailable

    monkeypatch.setattr(type(world.broker.stores.redis.devices), "used", away)
    tokens = (await device.poll()).json()
    assert (await device.app.refresh(tokens["refresh_token"])).status_code == 200
    is_token_error(await device.poll_in_time(), "invalid_grant")


async def unmark(world: World, device: Device) -> None:
    """Put the device's record back to what it was before its last step."""
    handle = HANDLES.open(Kind.DEVICE, device.answer["device_code"])
    assert handle is not None
    key = f"tb:{{dev:{handle.item_id}}}"
    record = json.loads(await world.redis.get(key))
    assert record[4] == "used"
    record[4] = "approved"
    await world.redis.set(key, json.dumps(record), keepttl=True)


def grant_of(tokens: dict[str, Any]) -> str:
    handle = HANDLES.open(Kind.REFRESH, tokens["refresh_token"])
    assert handle is not None
    return handle.item_id


async def test_a_decision_whose_answer_was_lost(world: World, browser: Browser) -> None:
    """Allowed, but the page never came: the form sent again leads to the same good end."""
    device = await begin(world)
    page = await consent_page(browser, device)
    records = await world.redis.keys("tb:{req:*")
    kept = [(key, await world.redis.get(key)) for key in records]
    assert (await browser.decide(page, "allow")).status_code == 303
    for key, record in kept:
        await world.redis.set(key, record)
    end = await browser.go_on(await browser.decide(page, "allow"))
    assert "You can go back to your device" in is_page_200(end)
    assert (await device.poll()).status_code == 200


async def test_two_people_with_one_code(world: World) -> None:
    """The first decision counts; the second person is told that the code was used."""
    device = await begin(world)
    one, other = world.browser(), world.browser()
    first, second = (
        await consent_page(one, device, ADA),
        await consent_page(other, device, BEN),
    )
    assert (await one.decide(first, "allow")).status_code == 303
    assert "already used" in is_page(await other.decide(second, "allow"), 400)
    tokens = (await device.poll()).json()
    assert claims_of(tokens["id_token"])["preferred_username"] == ADA
