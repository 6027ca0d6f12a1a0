"""Signature algorithms: one for a client's ID tokens, one for an API's access tokens."""

import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from joserfc import jwt
from joserfc.jwk import KeySet

from broker.core.apis import Api
from broker.core.pkce import encode
from tests.core.helpers import NOW
from tests.protocol.actors import App
from tests.protocol.checks import answered, is_page, is_refusal, is_token_error
from tests.protocol.harness import Shelf, World, begin
from tests.protocol.known import API, BACK, FRONT, OTHER_API
from tests.protocol.tokens import b64, claims_of, header_of
from tests.protocol.watching import round_trips, statements

ON = ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")
CHOSEN = ON[1:]
BYE = "https://front.example/bye"
LEAD = 3600  # seconds; longer than a first key waits

pytestmark = pytest.mark.filterwarnings("ignore:EdDSA is deprecated")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def broker_with_all(
    shared: Shelf, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    """A broker with every algorithm on, and keys of each that sign."""
    folder = tmp_path_factory.mktemp("algorithms")
    async with begin(shared, folder, signing_algorithms=",".join(CHOSEN)) as found:
        await found.advance(LEAD)
        yield found


@pytest_asyncio.fixture(loop_scope="session")
async def signing(broker_with_all: World) -> World:
    """The same, with nobody signed in and no API registered."""
    await broker_with_all.reset()
    await broker_with_all.advance(0)
    return broker_with_all


async def set_api(world: World, identifier: str, alg: str) -> None:
    """Register an API, or change it, and let the broker follow."""
    api, record = Api(identifier, "An API", alg), await world.sql.apis.get(identifier)
    if record is None:
        await world.sql.apis.add(api, now=world.clock.at)
    else:
        await world.sql.apis.edit(api, version=record.version, now=world.clock.at)
    await world.advance(0)


async def verified(world: World, token: str, alg: str) -> dict[str, Any]:
    """The claims of a token, as a library finds them that knows the issuer's address alone."""
    discovery = (await world.api.get("/.well-known/openid-configuration")).json()
    assert alg in discovery["id_token_signing_alg_values_supported"]
    keys = KeySet.import_key_set((await world.api.get(discovery["jwks_uri"])).json())
    found = jwt.decode(token, keys, algorithms=[alg])
    assert found.header["alg"] == alg
    return dict(found.claims)


def half_hash(token: str, alg: str) -> str:
    """``at_hash`` by hand (OpenID Connect Core §3.1.3.6); Ed25519 hashes with SHA-512."""
    name, half = ("sha512", 32) if alg in {"EdDSA", "Ed25519"} else ("sha256", 16)
    return encode(hashlib.new(name, token.encode()).digest()[:half])


async def held(signing: World, *resources: str) -> tuple[App, str]:
    """A new confidential client's code, for these resources."""
    app, browser = await signing.new_app(BACK), signing.browser()
    pairs = [*app.asks().items(), *(("resource", one) for one in resources)]
    answer = await browser.go_on(await browser.http.get("/authorize", params=pairs))
    return app, answered(answer, app)["code"]


# ── ID tokens ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("alg", CHOSEN)
async def test_id_tokens_of_a_client(signing: World, alg: str) -> None:
    """Its own algorithm, at first and at a refresh; its access tokens stay RS256."""
    app = await signing.new_app(FRONT, id_token_signed_response_alg=alg)
    tokens = await signing.browser().tokens(app)
    for each in (tokens, (await app.refresh(tokens["refresh_token"])).json()):
        claims = await verified(signing, each["id_token"], alg)
        assert claims["aud"] == app.client.client_id
        assert claims["at_hash"] == half_hash(each["access_token"], alg)
        assert (await verified(signing, each["access_token"], "RS256"))["sub"] == claims["sub"]
        assert (await signing.userinfo(each["access_token"])).json()["sub"] == claims["sub"]


async def test_who_chooses_nothing_gets_rs256(signing: World) -> None:
    """However many are switched on (OpenID Connect Registration §2, RFC 9068 §2.1)."""
    app = signing.app(FRONT)
    tokens = await signing.browser().tokens(app)
    assert header_of(tokens["id_token"])["alg"] == "RS256"
    assert header_of(tokens["access_token"])["alg"] == "RS256"
    assert claims_of(tokens["id_token"])["at_hash"] == half_hash(tokens["access_token"], "RS256")


async def test_discovery_names_what_is_on(signing: World, world: World) -> None:
    """RS256 is always among them (Discovery §3)."""
    path, member = "/.well-known/openid-configuration", "id_token_signing_alg_values_supported"
    assert (await signing.api.get(path)).json()[member] == list(ON)
    assert (await world.api.get(path)).json()[member] == ["RS256"]


@pytest.mark.parametrize("alg", CHOSEN)
async def test_id_token_hint(signing: World, alg: str) -> None:
    """Whatever signed it: at the authorization endpoint, and to sign out."""
    app = await signing.new_app(FRONT, id_token_signed_response_alg=alg)
    browser = signing.browser()
    hint = (await browser.tokens(app))["id_token"]
    answered(await browser.authorize(app, prompt="none", id_token_hint=hint), app)
    params = {"id_token_hint": hint, "post_logout_redirect_uri": BYE}
    assert (await browser.http.get("/logout", params=params)).headers["location"] == BYE
    assert browser.session is None


async def test_hint_under_the_name_of_another_algorithm(signing: World) -> None:
    """A key is good for one algorithm alone, though another would fit it (RFC 8725 §3.1)."""
    for right, wrong in (("PS256", "RS256"), ("EdDSA", "Ed25519")):
        app = await signing.new_app(FRONT, id_token_signed_response_alg=right)
        browser = signing.browser()
        token = (await browser.tokens(app))["id_token"]
        _, payload, signature = token.split(".")
        forged = f"{b64(header_of(token) | {'alg': wrong})}.{payload}.{signature}"
        answer = await browser.authorize(app, id_token_hint=forged)
        is_refusal(answer, app, "invalid_request")


# ── access tokens ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("alg", CHOSEN)
async def test_access_tokens_for_an_api(signing: World, alg: str) -> None:
    """Its algorithm, at first and at a refresh; the ID token beside it stays RS256."""
    await set_api(signing, API, alg)
    app, code = await held(signing, API)
    await signing.edit(app, audience=API)  # its own: so userinfo takes its tokens
    tokens = (await app.redeem(code)).json()
    for each in (tokens, (await app.refresh(tokens["refresh_token"])).json()):
        claims = await verified(signing, each["access_token"], alg)
        assert claims["aud"] == API
        assert (await signing.userinfo(each["access_token"])).status_code == 200
        id_claims = await verified(signing, each["id_token"], "RS256")
        assert id_claims["at_hash"] == half_hash(each["access_token"], "RS256")


async def test_an_audience_is_an_api_too(signing: World) -> None:
    """The default audience of a client counts where it names no resource."""
    await set_api(signing, "orders", "ES256")
    app = await signing.new_app(FRONT, audience="orders")
    tokens = await signing.browser().tokens(app)
    assert (await verified(signing, tokens["access_token"], "ES256"))["aud"] == "orders"


async def test_both_chosen(signing: World) -> None:
    """``at_hash`` follows the ID token's algorithm, not the access token's."""
    await set_api(signing, API, "ES256")
    app = await signing.new_app(BACK, id_token_signed_response_alg="EdDSA", audience=API)
    tokens = await signing.browser().tokens(app)
    await verified(signing, tokens["access_token"], "ES256")
    claims = await verified(signing, tokens["id_token"], "EdDSA")
    assert claims["at_hash"] == half_hash(tokens["access_token"], "EdDSA")


async def test_an_edited_api_is_followed(signing: World) -> None:
    """The next token is signed as the API wants it now; one removed goes back to RS256."""
    await set_api(signing, API, "ES256")
    app, code = await held(signing, API)
    tokens = (await app.redeem(code)).json()
    await set_api(signing, API, "PS256")
    tokens = (await app.refresh(tokens["refresh_token"])).json()
    assert header_of(tokens["access_token"])["alg"] == "PS256"
    await signing.sql.apis.remove(API, now=signing.clock.at)
    await signing.advance(0)
    tokens = (await app.refresh(tokens["refresh_token"])).json()
    assert header_of(tokens["access_token"])["alg"] == "RS256"


async def test_revoking_an_access_token_of_another_algorithm(signing: World) -> None:
    """It names its grant whatever signed it (RFC 7009 §2.1)."""
    await set_api(signing, API, "EdDSA")
    app, code = await held(signing, API)
    tokens = (await app.redeem(code)).json()
    assert (await app.revoke(tokens["access_token"])).status_code == 200
    is_token_error(await app.refresh(tokens["refresh_token"]), "invalid_grant")


async def test_the_hot_path_with_apis(signing: World) -> None:
    """Still one Redis round trip and no SQL, with a registered API and chosen algorithms."""
    await set_api(signing, API, "ES256")
    app, code = await held(signing, API)
    await signing.edit(app, audience=API)
    tokens = (await app.redeem(code)).json()
    for call in (
        lambda: app.refresh(tokens["refresh_token"], resource=API),
        lambda: signing.userinfo(tokens["access_token"]),
    ):
        with statements(signing.sql.engine) as seen:
            async with round_trips(signing.redis) as trips:
                assert (await call()).status_code == 200
        assert [trip.split()[0] for trip in trips] == ["EVALSHA"]
        assert seen == []


# ── several resources ──────────────────────────────────────────────────────────────────────


async def test_resources_of_one_algorithm_go_together(signing: World) -> None:
    """Registered or not: RS256 is what an API has that is not."""
    await set_api(signing, API, "RS256")
    app, code = await held(signing, API, OTHER_API)
    found = (await app.redeem(code)).json()["access_token"]
    assert (await verified(signing, found, "RS256"))["aud"] == [API, OTHER_API]


async def test_resources_of_several_algorithms_at_the_authorization_endpoint(
    signing: World,
) -> None:
    """R(invalid_target), before anybody signs in; each alone is well."""
    await set_api(signing, API, "ES256")
    app, browser = signing.app(BACK), signing.browser()
    pairs = [*app.asks().items(), ("resource", API), ("resource", OTHER_API)]
    is_refusal(await browser.http.get("/authorize", params=pairs), app, "invalid_target")
    for resource in (API, OTHER_API):
        answered(await browser.arrive(app, resource=resource), app)


async def test_resources_that_came_apart_at_the_token_endpoint(signing: World) -> None:
    """Named together: T(invalid_target), nothing spent; then each can be had alone."""
    app, code = await held(signing, API, OTHER_API)
    await set_api(signing, API, "ES256")
    both = {"grant_type": "authorization_code", "code": code, "code_verifier": app.verifier}
    data = both | {"redirect_uri": app.redirect_uri, "resource": [API, OTHER_API]}
    answer = await signing.api.post("/token", data=data, headers=app.proof())
    is_token_error(answer, "invalid_target")
    tokens = (await app.redeem(code, resource=API)).json()
    assert header_of(tokens["access_token"])["alg"] == "ES256"
    refresh = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    data = refresh | {"resource": [API, OTHER_API]}
    is_token_error(
        await signing.api.post("/token", data=data, headers=app.proof()), "invalid_target"
    )
    other = (await app.refresh(tokens["refresh_token"], resource=OTHER_API)).json()
    assert header_of(other["access_token"])["alg"] == "RS256"
    # Nothing was spent by the refusal: the first refresh was a rotation, not a repetition.
    assert other["refresh_token"] != tokens["refresh_token"]


async def test_a_grant_whose_resources_came_apart(signing: World) -> None:
    """Without naming one, none can be signed for all: T(invalid_target); one by one they can."""
    app, code = await held(signing, API, OTHER_API)
    tokens = (await app.redeem(code)).json()
    await set_api(signing, OTHER_API, "PS256")
    is_token_error(await app.refresh(tokens["refresh_token"]), "invalid_target")
    for resource, alg in ((API, "RS256"), (OTHER_API, "PS256")):
        answer = (await app.refresh(tokens["refresh_token"], resource=resource)).json()
        assert header_of(answer["access_token"])["alg"] == alg


async def test_a_foreign_resource_is_named_first(signing: World) -> None:
    """What the client is not registered for says nothing of how it would be signed."""
    await set_api(signing, "https://evil.example", "ES256")
    app, code = await held(signing, API)
    is_token_error(await app.redeem(code, resource="https://evil.example"), "invalid_target")
    assert (await app.redeem(code)).status_code == 200


# ── what cannot sign ───────────────────────────────────────────────────────────────────────


async def test_an_algorithm_without_a_key_that_signs(shared: Shelf, tmp_path: Path) -> None:
    """503 before anything is spent; when its first key signs, the same code is good."""
    times = {"jwks_cache": 60, "keys_poll": 1, "clock_skew": 10, "code_lifetime": 600}
    async with begin(shared, tmp_path, signing_algorithms="ES256", **times) as world:
        chosen = await world.new_app(FRONT, id_token_signed_response_alg="ES256")
        plain = world.app(FRONT)
        code = await world.browser().code(chosen)
        answer = await chosen.redeem(code)
        assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
        assert answer.headers["retry-after"]
        assert (await plain.redeem(await world.browser().code(plain))).status_code == 200
        jwks = (await world.api.get("/.well-known/jwks.json")).json()
        (waiting, _) = (key for key in jwks["keys"] if key["alg"] == "ES256")
        record = next(r for r in await world.broker.stores.keys.all() if r.kid == waiting["kid"])
        await world.advance(record.signs_from - world.clock.at)
        assert world.clock.at == NOW + 60 + 2 + 10
        tokens = (await chosen.redeem(code)).json()
        assert header_of(tokens["id_token"])["kid"] == waiting["kid"]


async def test_a_client_of_an_algorithm_that_is_off(world: World) -> None:
    """The app is told before anybody signs in; a code is not spent; nothing is signed otherwise."""
    app, browser = await world.new_app(FRONT), world.browser()
    tokens = await browser.tokens(app)
    code = await browser.code(app)
    await world.edit(app, id_token_signed_response_alg="ES256")
    is_refusal(await browser.authorize(app), app, "server_error")
    for answer in (await app.redeem(code), await app.refresh(tokens["refresh_token"])):
        body = answer.json()
        assert (answer.status_code, body["error"]) == (500, "server_error")
        assert "switched off" in body["error_description"]
        assert "id_token" not in body
    assert (await world.userinfo(tokens["access_token"])).status_code == 200
    await world.edit(app, id_token_at_refresh=False)
    refreshed = await app.refresh(tokens["refresh_token"])
    assert refreshed.status_code == 200  # nothing in this answer needs it
    await world.edit(app, id_token_signed_response_alg="RS256")
    assert (await app.redeem(code)).status_code == 200


async def test_an_api_of_an_algorithm_that_is_off(world: World) -> None:
    """As with a client, for requests that name it; other resources go on."""
    app, browser = await world.new_app(BACK), world.browser()
    tokens = await browser.tokens(app, resource=API)
    await set_api(world, API, "ES256")
    is_refusal(await browser.authorize(app, resource=API), app, "server_error")
    assert (await app.refresh(tokens["refresh_token"], resource=API)).status_code == 500
    answered(await browser.authorize(app, prompt="none", resource=OTHER_API), app)
    await world.sql.apis.remove(API, now=world.clock.at)
    await world.advance(0)
    assert (await app.refresh(tokens["refresh_token"])).status_code == 200


async def test_published_keys_are_complete_and_public(signing: World) -> None:
    """For each algorithm a key that signs and its successor, with public members alone."""
    answer = await signing.api.get("/.well-known/jwks.json")
    keys = json.loads(answer.content)["keys"]
    assert {key["alg"] for key in keys} == set(ON)
    members = {"RSA": {"n", "e"}, "EC": {"crv", "x", "y"}, "OKP": {"crv", "x"}}
    for key in keys:
        assert key.keys() == {"kty", "use", "alg", "kid"} | members[key["kty"]]


async def test_a_page_is_shown_where_the_app_is_not_to_be_trusted(world: World) -> None:
    """The redirect URI is judged before any algorithm."""
    app = await world.new_app(FRONT, id_token_signed_response_alg="ES256")
    evil = await world.browser().authorize(app, redirect_uri="https://evil.example/")
    is_page(evil)
