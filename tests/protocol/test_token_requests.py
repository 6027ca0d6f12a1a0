"""Token endpoint: how a request must look, and who may make it."""

import base64

import pytest

from tests.protocol.actors import App, Browser
from tests.protocol.checks import is_token_error
from tests.protocol.harness import World
from tests.protocol.known import BACK, FRONT, SECRET

# ── client authentication ──────────────────────────────────────────────────────────────────


def basic(user: str, password: str) -> dict[str, str]:
    pair = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"authorization": f"Basic {pair}"}


UNPROVEN = {
    "wrong secret": ({}, basic("back", "wrong")),
    "unknown client": ({}, basic("nobody", SECRET)),
    "malformed: not base64": ({}, {"authorization": "Basic !!"}),
    "malformed: no colon": ({}, {"authorization": "Basic YmFjaw=="}),
    "malformed: empty": ({}, {"authorization": "Basic"}),
    "another scheme": ({}, {"authorization": "Bearer x"}),
    "wrong secret in the body": ({"client_id": "back", "client_secret": "wrong"}, {}),
    "unknown client in the body": ({"client_id": "nobody", "client_secret": "x"}, {}),
    "no secret": ({"client_id": "back"}, {}),
    "nothing": ({}, {}),
    "unknown public client": ({"client_id": "nobody"}, {}),
    "public client with a secret": ({"client_id": "front", "client_secret": "x"}, {}),
    "assertion": ({"client_id": "back", "client_assertion": "a.b.c", "client_assertion_type":
                   "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, {}),
}  # fmt: skip


@pytest.mark.parametrize("path", ["/token", "/revoke"])
async def test_unproven_clients_are_all_answered_alike(world: World, path: str) -> None:
    """401 invalid_client with one and the same body; a challenge where a header was tried."""
    bodies = set()
    for fields, headers in UNPROVEN.values():
        data = {"grant_type": "refresh_token", "refresh_token": "x", "token": "x", **fields}
        answer = await world.api.post(path, data=data, headers=headers)
        is_token_error(answer, "invalid_client", 401)
        bodies.add(answer.text)
        assert ("www-authenticate" in answer.headers) is bool(headers)
    assert len(bodies) == 1


async def test_right_secrets_in_every_accepted_form(world: World, browser: Browser) -> None:
    """RFC 6749 §2.3.1: Basic raw, Basic form-encoded, or in the body."""
    from urllib.parse import quote_plus

    app = world.app(BACK)
    token = (await browser.tokens(app))["refresh_token"]
    ways = (
        (basic("back", SECRET), {}),
        (basic("back", quote_plus(SECRET)), {}),
        ({}, {"client_id": "back", "client_secret": SECRET}),
    )
    for headers, fields in ways:
        data = {"grant_type": "refresh_token", "refresh_token": token, **fields}
        answer = await world.api.post("/token", data=data, headers=headers)
        assert answer.status_code == 200, answer.text
        token = answer.json()["refresh_token"]


async def test_two_ways_of_authentication_at_once(world: World) -> None:
    """RFC 6749 §2.3: also when both are right."""
    data = {"grant_type": "refresh_token", "refresh_token": "x", "client_secret": SECRET}
    answer = await world.api.post("/token", data=data, headers=basic("back", SECRET))
    is_token_error(answer, "invalid_request")
    headers = [("authorization", basic("back", SECRET)["authorization"])] * 2
    is_token_error(await world.api.post("/token", data=data, headers=headers), "invalid_request")


@pytest.mark.parametrize("name", ["client_secret", "refresh_token", "code", "code_verifier"])
async def test_secret_in_the_url(world: World, name: str) -> None:
    """Logs and histories keep addresses."""
    data = {"grant_type": "refresh_token", "refresh_token": "x"}
    answer = await world.api.post(f"/token?{name}=x", data=data, headers=basic("back", SECRET))
    is_token_error(answer, "invalid_request")


async def test_json_body(world: World) -> None:
    """RFC 6749 §3.2: a form, nothing else."""
    data = {"grant_type": "refresh_token", "refresh_token": "x", "client_id": "front"}
    is_token_error(await world.api.post("/token", json=data), "invalid_request")
    is_token_error(await world.api.post("/revoke", json=data), "invalid_request")


async def test_unknown_grant(app: App) -> None:
    """Those of RFC 6749 that are not offered, and those that do not exist."""
    for name in ("password", "implicit", "x", "Refresh_token", "Client_credentials"):
        is_token_error(await app.token(grant_type=name), "unsupported_grant_type")
    is_token_error(await app.token(grant_type=None), "invalid_request")


async def test_grant_not_registered_for_the_client(world: World) -> None:
    """RFC 6749 §5.2."""
    app = await world.new_app(FRONT, grant_types=("refresh_token",))
    is_token_error(await app.redeem("x"), "unauthorized_client")


@pytest.mark.parametrize("path", ["/token", "/revoke"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD"])
async def test_other_methods(world: World, path: str, method: str) -> None:
    """405, and what is allowed."""
    answer = await world.api.request(method, path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "name", ["grant_type", "code", "redirect_uri", "code_verifier", "client_id", "scope"]
)
async def test_parameter_twice(world: World, browser: Browser, app: App, name: str) -> None:
    """RFC 6749 §3.2, even with the same value; nothing is spent."""
    from urllib.parse import urlencode

    code = await browser.code(app)
    fields = {
        "grant_type": "authorization_code", "code": code, "redirect_uri": app.redirect_uri,
        "code_verifier": app.verifier, "client_id": "front", "scope": "openid",
    }  # fmt: skip
    body = urlencode([*fields.items(), (name, fields[name])])
    headers = {"content-type": "application/x-www-form-urlencoded"}
    is_token_error(await world.api.post("/token", content=body, headers=headers), "invalid_request")
    assert (await app.redeem(code)).status_code == 200


async def test_body_over_the_limit(world: World) -> None:
    """413, read no further, whatever the request says of its length."""
    headers = {"content-type": "application/x-www-form-urlencoded"}
    is_token_error(
        await world.api.post("/token", content=b"x" * 70_000, headers=headers),
        "invalid_request",
        413,
    )
    read = 0

    async def endless():
        nonlocal read
        while True:
            read += 1
            yield b"x" * 1000

    answer = await world.api.post("/token", content=endless(), headers=headers)
    is_token_error(answer, "invalid_request", 413)
    assert read < 100
