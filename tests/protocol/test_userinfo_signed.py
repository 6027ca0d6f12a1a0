"""Userinfo as a JWT (OpenID Connect Core §5.3.2), for clients that are registered for it."""

from joserfc import jwt
from joserfc.jwk import KeySet

from broker.core.redirects import answer_url
from tests.protocol.actors import Browser
from tests.protocol.checks import is_refusal
from tests.protocol.harness import World
from tests.protocol.known import BACK, FRONT, ISSUER
from tests.protocol.tokens import claims_of


async def test_signed_for_its_client(world: World, browser: Browser) -> None:
    """The key is published; who says it and to whom is in it, and the claims are the plain ones."""
    plain, app = world.app(BACK), await world.new_app(BACK, userinfo_signed_response_alg="RS256")
    told = (await world.userinfo((await browser.tokens(plain))["access_token"])).json()
    answer = await world.userinfo((await browser.tokens(app))["access_token"])
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/jwt"
    assert answer.headers["cache-control"] == "no-store"
    keys = KeySet.import_key_set((await world.api.get("/.well-known/jwks.json")).json())
    claims = jwt.decode(answer.text, keys, algorithms=["RS256"]).claims
    assert claims == told | {"iss": ISSUER, "aud": app.client.client_id}


async def test_it_honours_scope_claims_and_sector(world: World, browser: Browser) -> None:
    """What it tells, and what it calls the person, is as in plain JSON."""
    app = await world.new_app(
        BACK, userinfo_signed_response_alg="RS256", subject_type="pairwise"
    )  # fmt: skip
    tokens = await browser.tokens(app, scope="openid", claims='{"userinfo":{"email":null}}')
    told = claims_of((await world.userinfo(tokens["access_token"])).text)
    assert told.keys() == {"sub", "email", "iss", "aud"}
    assert told["sub"] == claims_of(tokens["id_token"])["sub"]


async def test_it_is_no_id_token(world: World, browser: Browser) -> None:
    """Given back as a hint it is refused, at sign-in; at sign-out it signs nobody out."""
    app = await world.new_app(FRONT, userinfo_signed_response_alg="RS256")
    told = (await world.userinfo((await browser.tokens(app))["access_token"])).text
    assert "exp" not in claims_of(told)
    is_refusal(await browser.authorize(app, id_token_hint=told), app, "invalid_request")
    page = await browser.http.get(answer_url("/logout", {"id_token_hint": told}))
    assert page.status_code == 200
    assert browser.session


async def test_an_algorithm_that_was_switched_off(world: World, browser: Browser) -> None:
    """It fails as a fault of ours, and nothing is sent in another way."""
    app = await world.new_app(FRONT, userinfo_signed_response_alg="ES256")
    answer = await world.userinfo((await browser.tokens(app))["access_token"])
    assert answer.status_code == 500
    assert answer.json()["error"] == "server_error"
