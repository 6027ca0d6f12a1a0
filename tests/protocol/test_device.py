"""Device authorization (RFC 8628): a device asks and polls, a person enters its code elsewhere."""

import asyncio
import json
from collections import Counter
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from broker.core import vocabulary as v
from broker.core.client import Client
from broker.core.handles import Handles, Kind
from tests.protocol.actors import App, Browser
from tests.protocol.checks import hidden, is_page, is_token_error
from tests.protocol.harness import World
from tests.protocol.known import ADA, API, BACK, BEN, FRONT, ISSUER, OPERATOR_SECRET
from tests.protocol.tokens import claims_of
from tests.protocol.watching import round_trips, statements

HANDLES = Handles([OPERATOR_SECRET.encode()])
GRANTS = (*v.GRANT_TYPES, v.GRANT_DEVICE)
FORM = "application/x-www-form-urlencoded"


@dataclass
class Device:
    """A device: what it was answered, and how it polls."""

    app: App
    answer: dict[str, Any]

    async def poll(self, **changes: str | None) -> httpx2.Response:
        named: dict[str, str | None] = {
            "grant_type": v.GRANT_DEVICE,
            "device_code": self.answer["device_code"],
        }
        return await self.app.token(**named | changes)

    async def poll_in_time(self, **changes: str | None) -> httpx2.Response:
        """Wait as long as told, then poll."""
        await self.app.world.advance(self.answer["interval"])
        return await self.poll(**changes)

    @property
    def code(self) -> str:
        found: str = self.answer["user_code"]
        return found


async def begin(world: World, like: Client = FRONT, **changes: str | None) -> Device:
    """A device of a client registered for the grant asks for a code."""
    app = await world.new_app(like, grant_types=GRANTS)
    return await again(app, **changes)


async def again(app: App, **changes: str | None) -> Device:
    asked: dict[str, str | None] = {"scope": "openid profile"}
    answer = await app.post("/device_authorization", **asked | changes)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return Device(app, answer.json())


async def enter(browser: Browser, code: str, **changes: str | None) -> httpx2.Response:
    """Open the page and enter a code; no further."""
    page = await browser.http.get("/device")
    fields: dict[str, str | None] = {**hidden(page), "user_code": code}
    data = {name: value for name, value in (fields | changes).items() if value is not None}
    return await browser.http.post("/device", data=data)


async def consent_page(browser: Browser, device: Device, person: str = ADA) -> httpx2.Response:
    """Enter the device's code and sign in, up to the page that asks."""
    return await browser.go_on(await enter(browser, device.code), person)


async def allow(browser: Browser, device: Device, person: str = ADA) -> httpx2.Response:
    """Do what a person does who wants it."""
    page = await consent_page(browser, device, person)
    return await browser.go_on(await browser.decide(page, "allow"), person)


# ── what a device is answered ──────────────────────────────────────────────────────────────


async def test_the_answer_to_a_device(world: World) -> None:
    """RFC 8628 §3.2, and nothing of it means anything to the device but the code it shows."""
    answer = (await begin(world)).answer
    code = answer["user_code"]
    assert len(code) == 9 and code[4] == "-"
    assert answer["verification_uri"] == f"{ISSUER}/device"
    assert answer["verification_uri_complete"] == f"{ISSUER}/device?user_code={code}"
    assert answer["verification_uri_qr"] == f"{ISSUER}/device/qr/{code}.svg"
    assert (answer["expires_in"], answer["interval"]) == (600, 5)
    assert HANDLES.open(Kind.DEVICE, answer["device_code"])
    assert len(answer) == 7


async def test_who_may_ask(world: World) -> None:
    """As at the token endpoint: registered for the grant, authenticated, within the scope."""
    plain = await world.new_app(FRONT)
    is_token_error(await plain.post("/device_authorization", scope="openid"), "unauthorized_client")
    secret = await world.new_app(BACK, grant_types=GRANTS)
    assert (await secret.post("/device_authorization", scope="openid")).status_code == 200
    secret.secret = "wrong"
    refused = await secret.post("/device_authorization", scope="openid")
    is_token_error(refused, "invalid_client", 401)
    nobody = await world.api.post("/device_authorization", data={"scope": "openid"})
    is_token_error(nobody, "invalid_client", 401)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"scope": None}, "invalid_scope"),
        ({"scope": "nothing known"}, "invalid_scope"),
        ({"scope": "openid email"}, "invalid_scope"),
        ({"resource": "https://evil.example"}, "invalid_target"),
        ({"client_secret": "x"}, "invalid_client"),
    ],
)
async def test_bad_requests(world: World, changes: dict[str, Any], error: str) -> None:
    """What could never become a token is refused before anybody types anything."""
    app = await world.new_app(FRONT, grant_types=GRANTS, scopes=("openid", "profile"))
    asked = {"scope": "openid"} | changes
    status = 401 if error == "invalid_client" else 400
    is_token_error(await app.post("/device_authorization", **asked), error, status)
    assert await world.redis.keys("tb:{dev:*") == []


async def test_how_it_may_be_asked(world: World) -> None:
    """POST with a form, each parameter once, no secret in the address."""
    app = await world.new_app(FRONT, grant_types=GRANTS)
    client_id = app.client.client_id
    assert (await world.api.get("/device_authorization")).status_code == 405
    for body in (
        {"content": "client_id=a&client_id=b", "headers": {"content-type": FORM}},
        {"content": f"client_id={client_id}&scope=a&scope=b", "headers": {"content-type": FORM}},
        {"json": {"client_id": client_id, "scope": "openid"}},
    ):
        is_token_error(await world.api.post("/device_authorization", **body), "invalid_request")
    leak = await world.api.post("/device_authorization?client_secret=x", data={"client_id": "a"})
    is_token_error(leak, "invalid_request")


async def test_other_origins(world: World) -> None:
    """The origins of clients may ask from a browser, as at the token endpoint; others not."""
    asked = {"origin": "https://front.example", "access-control-request-method": "POST"}
    known = await world.api.options("/device_authorization", headers=asked)
    assert known.headers["access-control-allow-origin"] == "https://front.example"
    strange = asked | {"origin": "https://evil.example"}
    answer = await world.api.options("/device_authorization", headers=strange)
    assert "access-control-allow-origin" not in answer.headers


async def test_metadata(world: World) -> None:
    """Discovery names the endpoint and the grant."""
    for path in ("openid-configuration", "oauth-authorization-server"):
        document = (await world.api.get(f"/.well-known/{path}")).json()
        assert document["device_authorization_endpoint"] == f"{ISSUER}/device_authorization"
        assert v.GRANT_DEVICE in document["grant_types_supported"]


# ── the whole way ──────────────────────────────────────────────────────────────────────────


async def test_a_device_gets_its_tokens(world: World, browser: Browser) -> None:
    """A person signs in, compares the code and allows; the device has tokens that work."""
    device = await begin(world)
    is_token_error(await device.poll(), "authorization_pending")
    page = await consent_page(browser, device)
    text = is_page_200(page)
    assert device.code in text
    assert device.app.client.name in text
    assert "device of yours" in text
    end = await browser.go_on(await browser.decide(page, "allow"))
    assert "You can go back to your device" in is_page_200(end)
    assert "code=" not in str(end.url)
    answer = await device.poll_in_time()
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    tokens = answer.json()
    assert tokens.keys() == {
        "access_token", "token_type", "expires_in", "scope", "refresh_token", "id_token",
    }  # fmt: skip
    claims = claims_of(tokens["id_token"])
    assert (claims["aud"], claims["name"]) == (device.app.client.client_id, "Ada Lindqvist")
    assert "nonce" not in claims
    assert (await world.userinfo(tokens["access_token"])).status_code == 200
    assert (await device.app.refresh(tokens["refresh_token"])).status_code == 200
    assert len(await world.audit("device.approved")) == 1


def is_page_200(answer: httpx2.Response) -> str:
    return is_page(answer, 200)


async def test_a_confidential_client_too(world: World, browser: Browser) -> None:
    """A client with a secret has to prove it at every poll; without openid no ID token."""
    device = await begin(world, BACK, scope="profile", resource=API)
    await allow(browser, device)
    right, device.app.secret = device.app.secret, "wrong"
    is_token_error(await device.poll_in_time(), "invalid_client", 401)
    device.app.secret = right
    tokens = (await device.poll()).json()
    assert "id_token" not in tokens
    assert claims_of(tokens["access_token"])["aud"] == API


async def test_a_first_party_app_gets_a_page_too(world: World, browser: Browser) -> None:
    """However trusted the app and however often allowed, a person compares the code each time."""
    await allow(browser, await begin(world))
    device = await begin(world)
    page = await consent_page(browser, device)
    assert device.code in is_page_200(page)
    is_token_error(await device.poll(), "authorization_pending")


async def test_a_link_with_the_code_does_nothing_by_itself(world: World, browser: Browser) -> None:
    """RFC 8628 §5.4: it only fills the field in, and says what to watch out for."""
    device = await begin(world)
    await browser.tokens(world.app(FRONT))
    link = device.answer["verification_uri_complete"].removeprefix(ISSUER)
    text = is_page_200(await browser.http.get(link))
    assert f'value="{device.code}"' in text
    assert "device of yours" in text
    assert await world.redis.keys("tb:{req:*") == []
    is_token_error(await device.poll(), "authorization_pending")


async def test_a_link_with_anything_else(browser: Browser) -> None:
    """What is no code is not put into the page."""
    text = is_page_200(await browser.http.get("/device", params={"user_code": "<b>AEIO-UAEI"}))
    assert "AEIO" not in text
    twice = await browser.http.get("/device?user_code=BCDF-GHJK&user_code=BCDF-GHJL")
    is_page(twice, 400)


@pytest.mark.parametrize("change", [str.lower, lambda c: c.replace("-", ""), lambda c: f" {c} "])
async def test_how_people_type(world: World, browser: Browser, change: Any) -> None:
    """Case, dashes and spaces do not count."""
    device = await begin(world)
    answer = await enter(browser, change(device.code))
    assert answer.headers["location"].startswith("/interaction?request=")


# ── no ─────────────────────────────────────────────────────────────────────────────────────


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


# ── polling ────────────────────────────────────────────────────────────────────────────────


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


# ── crashes and lost answers ───────────────────────────────────────────────────────────────


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


# ── ends ───────────────────────────────────────────────────────────────────────────────────


async def test_signing_out_ends_what_is_not_offline(world: World, browser: Browser) -> None:
    """Without offline_access a device goes with the browser session it was allowed in."""
    device = await begin(world)
    await allow(browser, device)
    tokens = (await device.poll()).json()
    await end_session(world, browser)
    is_token_error(await device.app.refresh(tokens["refresh_token"]), "invalid_grant")


async def test_an_offline_device_outlives_the_session(world: World, browser: Browser) -> None:
    """With offline_access, asked and agreed to, it stays."""
    device = await begin(world, scope="openid offline_access")
    await allow(browser, device)
    tokens = (await device.poll()).json()
    await end_session(world, browser)
    assert (await device.app.refresh(tokens["refresh_token"])).status_code == 200


@pytest.mark.parametrize("scope", ["openid", "openid offline_access"])
async def test_signing_out_before_the_device_came(
    world: World, browser: Browser, scope: str
) -> None:
    """What a session allowed and nobody fetched ends with it, as an unspent code does."""
    device = await begin(world, scope=scope)
    await allow(browser, device)
    await end_session(world, browser)
    is_token_error(await device.poll(), "invalid_grant")


async def end_session(world: World, browser: Browser) -> None:
    assert browser.session is not None
    handle = HANDLES.open(Kind.SESSION, browser.session)
    assert handle is not None
    await world.broker.stores.redis.sessions.end(
        handle.account_id, handle.item_id, now=world.clock.at
    )


async def test_a_disabled_account(world: World, browser: Browser) -> None:
    """An account that was switched off in between gets nothing."""
    device = await begin(world)
    await allow(browser, device)
    await world.disable(await world.account_of(ADA))
    is_token_error(await device.poll(), "invalid_grant")


# ── browsers ───────────────────────────────────────────────────────────────────────────────


async def test_forms_of_other_pages(world: World, browser: Browser) -> None:
    """A code is taken from our own page, in this browser, alone."""
    device = await begin(world)
    is_page(await enter(browser, device.code, csrf="forged"), 403)
    is_page(await enter(browser, device.code, csrf=None), 403)
    page = await browser.http.get("/device")
    other = world.browser()
    stolen = {**hidden(page), "user_code": device.code}
    is_page(await other.http.post("/device", data=stolen), 403)


async def test_a_page_of_another_browser(world: World, browser: Browser) -> None:
    """The address of somebody's consent page is worth nothing elsewhere (CVE-2022-39222)."""
    device = await begin(world)
    answer = await enter(browser, device.code)
    other = world.browser()
    await other.tokens(world.app(FRONT))
    is_page(await other.http.get(answer.headers["location"]), 403)


async def test_the_last_page_is_about_who_allowed_it(world: World, browser: Browser) -> None:
    """Nobody else is told that a device was connected, and garbage opens nothing."""
    device = await begin(world)
    end = await allow(browser, device)
    other = await world.browser().http.get(str(end.url))
    assert "Nothing was connected" in is_page_200(other)
    is_page(await browser.http.get("/device/done?device=garbage"), 400)
    is_page(await browser.http.get("/device/done"), 400)


async def test_nothing_at_rest_is_the_code(world: World, browser: Browser) -> None:
    """A dump of Redis holds neither what a device shows nor what it polls with."""
    device = await begin(world)
    await consent_page(browser, device)
    bare = device.code.replace("-", "")
    for key in await world.redis.keys("*"):
        text = key
        if await world.redis.type(key) == "string":
            text += await world.redis.get(key)
        for secret in (device.code, bare, device.answer["device_code"]):
            assert secret not in text


# ── guessing ───────────────────────────────────────────────────────────────────────────────


async def test_guessing_is_stopped(world: World, browser: Browser) -> None:
    """After a handful of wrong codes even the right one is not judged; later it is."""
    device = await begin(world)
    for number in range(5):
        wrong = f"BCDF-GHJ{'BCDFG'[number]}"
        is_page(await enter(browser, wrong), 400)
    answer = await enter(browser, device.code)
    text = is_page(answer, 429)
    assert "Too many wrong codes" in text
    assert 0 < int(answer.headers["retry-after"]) <= 600
    await forget_guesses(world)
    assert (await enter(browser, device.code)).status_code == 303


async def test_guessing_from_one_address(world: World) -> None:
    """A new browser for every few guesses helps nobody: the address counts too."""
    for _ in range(2):
        browser = world.browser()
        for number in range(5):
            is_page(await enter(browser, f"BCDF-GHJ{'BCDFG'[number]}"), 400)
    is_page(await enter(world.browser(), "BCDF-GHJK"), 429)


async def test_guessing_as_one_account(world: World, browser: Browser) -> None:
    """Signed in, the account counts, whichever browser it uses."""
    await browser.tokens(world.app(FRONT))
    for number in range(5):
        is_page(await enter(browser, f"BCDF-GHJ{'BCDFG'[number]}"), 400)
    other = world.browser()
    is_page(await enter(other, "BCDF-GHJK"), 400)
    await other.tokens(world.app(FRONT))
    is_page(await enter(other, "BCDF-GHJK"), 429)


async def test_right_codes_do_not_count(world: World, browser: Browser) -> None:
    """Somebody with many devices is not stopped; and right ones make no room for wrong ones."""
    app = await world.new_app(FRONT, grant_types=GRANTS)
    for _ in range(7):
        assert (await enter(browser, (await again(app)).code)).status_code == 303
    for number in range(5):
        is_page(await enter(browser, f"BCDF-GHJ{'BCDFG'[number]}"), 400)
        if number < 4:
            assert (await enter(browser, (await again(app)).code)).status_code == 303
    is_page(await enter(browser, "BCDF-GHJK"), 429)


async def test_typing_errors_that_can_be_no_code_do_not_count(browser: Browser) -> None:
    """What has another form is told at once and guesses nothing."""
    for text in ("", "AEIOU", "BCDF-GHJ", "x" * 60) * 3:
        is_page(await enter(browser, text), 400)


async def forget_guesses(world: World) -> None:
    """Let the windows end: Redis keeps their time itself."""
    for key in await world.redis.keys("tb:{guess:*"):
        await world.redis.delete(key)


# ── what it costs ──────────────────────────────────────────────────────────────────────────


async def test_round_trips(world: World, browser: Browser) -> None:
    """A poll that has to wait is one step; the one that gets tokens three; none asks SQL."""
    device = await begin(world)
    await device.poll()
    for status, count in ((400, 1), (200, 3)):
        await world.advance(5)
        with statements(world.sql.engine) as seen:
            async with round_trips(world.redis) as trips:
                assert (await device.poll()).status_code == status
        assert [trip.split()[0] for trip in trips] == ["EVALSHA"] * count
        assert seen == []
        if status == 400:
            await allow(browser, device)


# ── the picture ────────────────────────────────────────────────────────────────────────────


async def test_the_qr_code(world: World) -> None:
    """An SVG of the link, which nobody keeps; it tells nothing of which codes there are."""
    device = await begin(world)
    path = urlsplit(device.answer["verification_uri_qr"]).path
    answer = await world.api.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/svg+xml"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.text.startswith("<svg ")
    assert "<script" not in answer.text
    assert (await world.api.get("/device/qr/BCDF-GHJK.svg")).status_code == 200
    for name in ("BCDFGHJK", "bcdf-ghjk", "AEIO-UAEI", "x" * 500, "%3Cscript%3E"):
        assert (await world.api.get(f"/device/qr/{name}.svg")).status_code == 404
