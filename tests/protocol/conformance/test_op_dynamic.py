"""Plan oidcc-dynamic-certification (Dynamic OP), as far as the code flow reaches.

Its clients register themselves with an initial access token that waives PKCE, which no plan of
OpenID Connect sends.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.core.signers import Signs, jwks, signs
from tests.protocol.checks import is_page
from tests.protocol.conformance.suite import RelyingParty
from tests.protocol.harness import Shelf, World, begin
from tests.protocol.known import ISSUER
from tests.protocol.registering import app_of, manage, register, ticket
from tests.protocol.test_private_key_jwt import proof
from tests.upstream.receiving import answer as http
from tests.upstream.receiving import receiving

HERE = "https://rp.example"
CALLBACK = f"{HERE}/callback"
SIGNING = {"token_endpoint_auth_method": "private_key_jwt"}
LASTING = ["authorization_code", "refresh_token"]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def gated_world(
    shared: Shelf, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    """A broker where who has an initial access token may register."""
    more: dict[str, Any] = {"registration": "token", "outbound_allow": ("127.0.0.1",)}
    async with begin(shared, tmp_path_factory.mktemp("dynamic"), **more) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="session")
async def world(gated_world: World) -> World:
    await gated_world.reset()
    return gated_world


async def registers(world: World, **members: Any) -> dict[str, Any]:
    """Register a client as the suite does, and check the answer (Registration §3.2)."""
    wanted = {
        "client_name": "Relying party",
        "redirect_uris": [CALLBACK],
        "response_types": ["code"],
        "grant_types": ["authorization_code"],
        "token_endpoint_auth_method": "client_secret_basic",
        "contacts": ["certification@rp.example"],
    } | members
    answer = await register(world, ticket(world, pkce=False), **wanted)
    assert answer.status_code == 201, answer.text
    assert answer.headers["content-type"].startswith("application/json")
    told: dict[str, Any] = answer.json()
    assert {name: told[name] for name in wanted} == wanted
    if "client_secret" in told:
        assert len(told["client_secret"]) >= 32
        assert told["client_secret_expires_at"] == 0
    assert told["registration_client_uri"]
    return told


async def relying_party(world: World, **members: Any) -> RelyingParty:
    """A client that has just registered."""
    app = await app_of(world, await registers(world, **members))
    return RelyingParty(world, app, world.browser())


async def signed_flow(rp: RelyingParty, key: Signs) -> dict[str, Any]:
    """The whole flow of a client that signs; the token endpoint's answer."""
    code = rp.code_of(await rp.begin(scope="openid offline_access", prompt="consent"))
    answer = await rp.app.redeem(code, code_verifier=None, **proof(rp.app, key))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    await rp.id_token(found["id_token"])
    return found


async def consent_page(rp: RelyingParty) -> str:
    """The page on which a person is asked."""
    page = await rp.browser.go_on(await rp.browser.http.get("/authorize", params=rp.asks()))
    assert page.status_code == 200
    return page.text


async def test_server(world: World) -> None:
    """oidcc-server: the whole flow of a client that was unknown a moment ago."""
    rp = await relying_party(world)
    outcome = await rp.run()
    assert (await rp.userinfo(outcome.answer))["sub"] == outcome.claims["sub"]


async def test_server_client_secret_post(world: World) -> None:
    """oidcc-server-client-secret-post: the other place for the same secret."""
    rp = await relying_party(world, token_endpoint_auth_method="client_secret_post")
    code = rp.code_of(await rp.begin())
    fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
    fields |= {"client_id": rp.app.client.client_id, "client_secret": rp.app.secret}
    assert (await world.api.post("/token", data=fields)).status_code == 200


async def test_idtoken_rs256(world: World) -> None:
    """oidcc-idtoken-rs256."""
    rp = await relying_party(world, id_token_signed_response_alg="RS256")
    await rp.run()


async def test_idtoken_unsigned(world: World) -> None:
    """oidcc-idtoken-unsigned: what the metadata does not name cannot be registered."""
    answer = await register(world, ticket(world), id_token_signed_response_alg="none")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client_metadata")


async def test_userinfo_rs256(world: World) -> None:
    """oidcc-userinfo-rs256: a JWT, signed with a key that is published."""
    rp = await relying_party(world, userinfo_signed_response_alg="RS256")
    outcome = await rp.run()
    answer = await world.userinfo(outcome.answer["access_token"])
    assert answer.headers["content-type"].startswith("application/jwt")
    keys = KeySet.import_key_set((await world.api.get("/.well-known/jwks.json")).json())
    claims = jwt.decode(answer.text, keys, algorithms=["RS256"]).claims
    assert (claims["iss"], claims["aud"]) == (ISSUER, rp.app.client.client_id)
    assert claims["sub"] == outcome.claims["sub"]


async def test_redirect_uri_in_authorization_request(world: World) -> None:
    """oidcc-ensure-redirect-uri-in-authorization-request: without one there is a page."""
    rp = await relying_party(world)
    is_page(await rp.begin(redirect_uri=None))


async def test_registration_logo_uri(world: World) -> None:
    """oidcc-registration-logo-uri: the page of consent shows it."""
    rp = await relying_party(world, logo_uri=f"{HERE}/logo.png")
    assert f'src="{HERE}/logo.png"' in await consent_page(rp)


@pytest.mark.parametrize("member", ["policy_uri", "tos_uri"])
async def test_registration_pages(world: World, member: str) -> None:
    """oidcc-registration-policy-uri, -tos-uri: the page of consent leads there."""
    rp = await relying_party(world, **{member: f"{HERE}/{member}"})
    assert f'href="{HERE}/{member}"' in await consent_page(rp)


async def test_registration_jwks(world: World) -> None:
    """Inline and by address: taken, and told back; both at once are refused."""
    keys = jwks(signs("RS256"))
    await registers(world, jwks=keys)
    await registers(world, jwks_uri=f"{HERE}/jwks.json")
    both = {"jwks": keys, "jwks_uri": f"{HERE}/jwks.json"}
    answer = await register(world, ticket(world), **both)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client_metadata")


async def test_registration_sector_uri(world: World) -> None:
    """oidcc-registration-sector-uri: redirect URIs of two hosts, vouched for by one document."""
    uris = [CALLBACK, "https://other.example/callback"]
    async with receiving(http(json.dumps(uris).encode())) as (port, _):
        sector = f"http://127.0.0.1:{port}/file_of_redirect_uris.json"
        await registers(world, sector_identifier_uri=sector, redirect_uris=uris)


async def test_registration_sector_bad(world: World) -> None:
    """oidcc-registration-sector-bad: the document does not name the redirect URI."""
    async with receiving(http(b'["https://other.example/callback"]')) as (port, _):
        sector = f"http://127.0.0.1:{port}/file_of_redirect_uris.json"
        answer = await register(world, ticket(world), sector_identifier_uri=sector)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client_metadata")


async def test_redirect_uri_query_ok(world: World) -> None:
    """oidcc-redirect-uri-query-OK: a registered query is kept."""
    rp = await relying_party(world, redirect_uris=[f"{CALLBACK}?foo=bar"])
    found = rp.answer(await rp.begin())
    assert (found["foo"], found["state"]) == ("bar", rp.app.state)


@pytest.mark.parametrize(
    ("registered", "sent"),
    [("?foo=bar", ""), ("", "?foo=bar"), ("?foo=bar", "?foo=baz"), ("", "/x")],
)
async def test_redirect_uri_query_mismatch(world: World, registered: str, sent: str) -> None:
    """oidcc-redirect-uri-query-mismatch, -query-added: a page, no redirect."""
    rp = await relying_party(world, redirect_uris=[CALLBACK + registered])
    is_page(await rp.begin(redirect_uri=CALLBACK + sent))


async def test_redirect_uri_regfrag(world: World) -> None:
    """oidcc-redirect-uri-regfrag: a fragment cannot be registered."""
    answer = await register(world, ticket(world), redirect_uris=[f"{CALLBACK}#foo"])
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_redirect_uri")


async def test_server_rotate_keys(world: World) -> None:
    """oidcc-server-rotate-keys: new keys appear, and tokens of before and after are good."""
    rp = await relying_party(world)
    before = {key["kid"] for key in (await world.api.get("/.well-known/jwks.json")).json()["keys"]}
    await rp.run()
    await world.advance(31 * 86400)
    rp = await relying_party(world)
    await rp.run()
    after = {key["kid"] for key in (await world.api.get("/.well-known/jwks.json")).json()["keys"]}
    assert after - before


async def test_signing_client(world: World) -> None:
    """The whole plan's client: it signs with RS256, its keys given when it registered.

    Also oidcc-ensure-client-assertion-with-iss-aud-succeeds, and oidcc-refresh-token.
    """
    key = signs("RS256")
    rp = await relying_party(world, **SIGNING, grant_types=LASTING, jwks=jwks(key))
    answer = await signed_flow(rp, key)
    again = await rp.app.refresh(answer["refresh_token"], **proof(rp.app, key, aud=ISSUER))
    assert again.status_code == 200, again.text
    await rp.id_token(again.json()["id_token"])


async def test_refresh_token_rp_key_rotation(world: World) -> None:
    """oidcc-registration-jwks-uri, oidcc-refresh-token-rp-key-rotation.

    Its keys are read where it publishes them; sixty seconds after a change the new one is known.
    """
    first, second = signs("RS256"), signs("RS256", "two")
    published = [first]

    async def reply(writer: asyncio.StreamWriter) -> None:
        writer.write(http(json.dumps(jwks(*published)).encode()))
        await writer.drain()

    async with receiving(reply) as (port, _):
        uri = f"http://127.0.0.1:{port}/jwks"
        rp = await relying_party(world, **SIGNING, grant_types=LASTING, jwks_uri=uri)
        answer = await signed_flow(rp, first)
        published[:] = [second]
        await world.advance(60)
        again = await rp.app.refresh(answer["refresh_token"], **proof(rp.app, second))
        assert again.status_code == 200, again.text
        await rp.userinfo(again.json())


async def test_client_configuration_endpoint(world: World) -> None:
    """Registration §4: what was registered can be read, and removed by who registered it."""
    told = await registers(world)
    again = (await manage(world, told, "GET")).json()
    assert {name: again[name] for name in told if name != "client_secret"} == {
        name: value for name, value in told.items() if name != "client_secret"
    }
    assert (await manage(world, told, "DELETE")).status_code == 204
