"""Device authorization (RFC 8628): what a device asks for, and the whole way to its tokens."""

from typing import Any
from urllib.parse import urlsplit

import pytest

from broker.core import vocabulary as v
from broker.core.handles import Kind
from tests.protocol.actors import Browser
from tests.protocol.checks import is_page, is_token_error
from tests.protocol.devices import (
    FORM,
    GRANTS,
    HANDLES,
    Device,
    again,
    allow,
    begin,
    consent_page,
    end_session,
    enter,
    is_page_200,
)
from tests.protocol.harness import World
from tests.protocol.known import ADA, API, BACK, FRONT, ISSUER, OTHER_API
from tests.protocol.test_private_key_jwt import SIGNS, proof
from tests.protocol.tokens import claims_of
from tests.protocol.watching import round_trips, statements

# ── what a device is answered ───────────────────────────────────────────────────────────


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


# ── the whole way ───────────────────────────────────────────────────────────────────────


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


async def test_a_poll_may_ask_for_less(world: World, browser: Browser) -> None:
    """For part of what was allowed (RFC 8707 §2.2); more is refused, and nothing spent."""
    first = await begin(world, BACK, scope="profile", resource=API)
    await allow(browser, first)
    is_token_error(await first.poll(resource=OTHER_API), "invalid_target")
    assert claims_of((await first.poll_in_time()).json()["access_token"])["aud"] == API
    asked: dict[str, Any] = {"scope": "profile", "resource": [API, OTHER_API]}
    both = Device(first.app, (await first.app.post("/device_authorization", **asked)).json())
    await allow(browser, both)
    tokens = (await both.poll(resource=API)).json()
    assert claims_of(tokens["access_token"])["aud"] == API


async def test_a_client_that_signs_too(world: World, browser: Browser) -> None:
    """private_key_jwt, for the code and at every poll; an assertion may name this endpoint."""
    app = await world.new_app(SIGNS, grant_types=GRANTS)
    device = await again(app, **proof(app, aud=f"{ISSUER}/device_authorization"))
    is_token_error(await device.poll(), "invalid_client", 401)
    await allow(browser, device)
    assert (await device.poll_in_time(**proof(app))).status_code == 200


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


# ── ends ────────────────────────────────────────────────────────────────────────────────


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


async def test_a_disabled_account(world: World, browser: Browser) -> None:
    """An account that was switched off in between gets nothing."""
    device = await begin(world)
    await allow(browser, device)
    await world.disable(await world.account_of(ADA))
    is_token_error(await device.poll(), "invalid_grant")


# ── what it costs ───────────────────────────────────────────────────────────────────────


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


# ── the picture ─────────────────────────────────────────────────────────────────────────


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
