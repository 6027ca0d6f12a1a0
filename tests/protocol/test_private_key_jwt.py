"""Clients that prove themselves by a signature, at every endpoint that asks who they are."""

import asyncio
import json
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oauth2.rfc7523 import PrivateKeyJWT

from broker.core.assertions import JWT_BEARER
from broker.core.model import Client
from tests.core.signers import Signs, jwks, signs
from tests.protocol.actors import App, Browser
from tests.protocol.checks import is_token_error
from tests.protocol.harness import Shelf, World, begin
from tests.protocol.known import BACK, ISSUER
from tests.protocol.watching import round_trips, statements
from tests.upstream.receiving import answer, receiving

MAKERS = {alg: signs(alg, alg) for alg in ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")}
EC = MAKERS["ES256"]
SIGNS = Client(
    "signs", "Signs", redirect_uris=("https://signs.example/callback",), first_party=True,
    auth_method="private_key_jwt", jwks=jwks(*MAKERS.values()),
)  # fmt: skip
NUMBERS = count()


def assertion(app: App, signer: Signs = EC, **changes: Any) -> str:
    client_id, now = app.client.client_id, int(app.world.clock.now())
    claims = {
        "iss": client_id, "sub": client_id, "aud": ISSUER, "jti": f"jti-{next(NUMBERS)}",
        "iat": now, "exp": now + 60,
    } | changes  # fmt: skip
    return signer.sign({name: value for name, value in claims.items() if value is not None})


def proof(app: App, signer: Signs = EC, **changes: Any) -> dict[str, str | None]:
    """The fields by which the client proves itself; its client_id need not be there."""
    signed = assertion(app, signer, **changes)
    return {
        "client_id": None, "client_assertion_type": JWT_BEARER, "client_assertion": signed,
    }  # fmt: skip


@pytest_asyncio.fixture(loop_scope="session")
async def signer(world: World) -> App:
    """A client that signs."""
    return await world.new_app(SIGNS)


@pytest.mark.parametrize("alg", MAKERS)
async def test_code_refresh_and_revocation(browser: Browser, signer: App, alg: str) -> None:
    """A whole life, each request with an assertion of its own."""
    key = MAKERS[alg]
    code = await browser.code(signer)
    redeemed = await signer.redeem(code, **proof(signer, key))
    assert redeemed.status_code == 200, redeemed.text
    refreshed = await signer.refresh(redeemed.json()["refresh_token"], **proof(signer, key))
    assert refreshed.status_code == 200, refreshed.text
    token = refreshed.json()["refresh_token"]
    assert (await signer.revoke(token, **proof(signer, key))).status_code == 200
    is_token_error(await signer.refresh(token, **proof(signer, key)), "invalid_grant")


@pytest.mark.parametrize("aud", [ISSUER, f"{ISSUER}/token", f"{ISSUER}/revoke", f"{ISSUER}/par"])
async def test_audiences(signer: App, aud: str) -> None:
    """The issuer, or an endpoint that asks who its client is (RFC 7523 §3, RFC 9126 §2)."""
    assert (await signer.revoke("unknown", **proof(signer, aud=aud))).status_code == 200


BAD: dict[str, dict[str, Any]] = {
    "expired": {"exp": 1},
    "wrong aud": {"aud": "https://other.example"},
    "no sub": {"sub": None},
    "no jti": {"jti": None},
    "not begun": {"nbf": 2**40},
}


@pytest.mark.parametrize("case", BAD)
async def test_bad_assertions(signer: App, case: str) -> None:
    """401 invalid_client."""
    is_token_error(await signer.revoke("x", **proof(signer, **BAD[case])), "invalid_client", 401)


async def test_one_answer_for_every_fault(world: World, signer: App) -> None:
    """Unknown client, wrong key, wrong way: the bodies are the same to the byte."""
    stranger = signs("ES256", "stranger")
    secret = {"client_id": signer.client.client_id, "client_secret": "x"}
    answers = [
        await signer.revoke("x", **proof(signer, exp=1)),
        await signer.revoke("x", **proof(signer, stranger)),
        await signer.revoke("x", **proof(signer, iss="nobody", sub="nobody")),
        await signer.revoke("x", **proof(signer, iss="back", sub="back")),
        await signer.revoke("x", **secret),
        await signer.revoke("x"),
    ]
    assert {one.status_code for one in answers} == {401}
    assert len({one.content for one in answers}) == 1


async def test_an_assertion_is_good_once(world: World, signer: App) -> None:
    """Twenty at once, at two endpoints: one is taken."""
    fields = proof(signer)
    sent = [signer.revoke("x", **fields) for _ in range(10)]
    sent += [signer.refresh("x", **fields) for _ in range(10)]
    answers = await asyncio.gather(*sent)
    assert sum(one.status_code != 401 for one in answers) == 1
    await world.advance(59)
    is_token_error(await signer.revoke("x", **fields), "invalid_client", 401)


async def test_an_assertion_is_good_once_in_every_process(world: World, signer: App) -> None:
    """What is remembered is in Redis, by a digest, and forgotten when nobody would take it."""
    before = {key async for key in world.redis.scan_iter()}
    fields = proof(signer, jti="a-secret-name")
    await signer.revoke("x", **fields)
    (key,) = {key async for key in world.redis.scan_iter()} - before
    assert b"a-secret-name" not in (key if isinstance(key, bytes) else key.encode())
    assert 60 < await world.redis.ttl(key) <= 122


async def test_a_bad_assertion_spends_nothing(world: World, browser: Browser, signer: App) -> None:
    """Neither a code nor its own jti: corrected, it is taken."""
    code = await browser.code(signer)
    refused = await signer.redeem(code, **proof(signer, signs("ES256", "stranger"), jti="again"))
    is_token_error(refused, "invalid_client", 401)
    assert (await signer.redeem(code, **proof(signer, jti="again"))).status_code == 200


async def test_two_ways_at_once(world: World, signer: App) -> None:
    """RFC 6749 §2.3."""
    fields = proof(signer) | {"client_secret": "x"}
    is_token_error(await signer.revoke("x", **fields), "invalid_request")
    back = world.app(BACK)
    is_token_error(await back.revoke("x", **proof(signer)), "invalid_request")


async def test_an_assertion_in_the_url(world: World, signer: App) -> None:
    """Logs and histories keep addresses."""
    refused = await world.api.post(
        f"/token?client_assertion={assertion(signer)}", data={"grant_type": "refresh_token"}
    )
    is_token_error(refused, "invalid_request")


async def test_after_an_edit_the_old_key_is_dead(world: World, signer: App) -> None:
    """An operator takes a key away: it is refused as soon as the registration is followed."""
    assert (await signer.revoke("x", **proof(signer))).status_code == 200
    new = signs("ES256", "new")
    await world.edit(signer, jwks=jwks(new))
    is_token_error(await signer.revoke("x", **proof(signer)), "invalid_client", 401)
    assert (await signer.revoke("x", **proof(signer, new))).status_code == 200


async def test_one_more_round_trip_and_no_sql(world: World, browser: Browser, signer: App) -> None:
    """That an assertion is remembered costs one; clients that do not sign pay nothing."""
    tokens = (await signer.redeem(await browser.code(signer), **proof(signer))).json()
    with statements(world.sql.engine) as seen:
        async with round_trips(world.redis) as trips:
            refreshed = await signer.refresh(tokens["refresh_token"], **proof(signer))
    assert refreshed.status_code == 200
    assert [trip.split()[0] for trip in trips] == ["SET", "EVALSHA"]
    assert seen == []


async def test_authlib(world: World, browser: Browser, signer: App) -> None:
    """A library that many use: RS256, no kid, the token endpoint as audience, an hour of life."""
    now, code = int(world.clock.now()), await browser.code(signer)
    method = PrivateKeyJWT(f"{ISSUER}/token", claims={"iat": now, "exp": now + 3600})
    client = AsyncOAuth2Client(
        signer.client.client_id, MAKERS["RS256"].private_jwk, transport=world.api._transport,
        token_endpoint_auth_method=method,
    )  # fmt: skip
    async with client:
        found = await client.fetch_token(
            f"{ISSUER}/token", code=code, redirect_uri=signer.redirect_uri,
            code_verifier=signer.verifier,
        )  # fmt: skip
    assert found["token_type"] == "Bearer"


async def test_keys_at_an_address(shared: Shelf, tmp_path: Path) -> None:
    """The broker reads them where the client publishes them, and follows a change of keys."""
    published = [EC]

    async def reply(writer: asyncio.StreamWriter) -> None:
        writer.write(answer(json.dumps(jwks(*published)).encode(), "cache-control: max-age=60"))
        await writer.drain()

    async with receiving(reply) as (port, requests):
        host = f"127.0.0.1:{port}"
        async with begin(shared, tmp_path, outbound_allow=(host,)) as world:
            app = await world.new_app(SIGNS, jwks=None, jwks_uri=f"http://{host}/jwks")
            for _ in range(3):
                assert (await app.revoke("x", **proof(app))).status_code == 200
            assert len(requests) == 1
            new = signs("ES256", "new")
            published[:] = [new]
            is_token_error(await app.revoke("x", **proof(app, new)), "invalid_client", 401)
            await world.advance(60)
            assert (await app.revoke("x", **proof(app, new))).status_code == 200
            is_token_error(await app.revoke("x", **proof(app)), "invalid_client", 401)
            assert len(requests) == 2


async def test_keys_at_a_private_address(world: World) -> None:
    """Nothing is fetched from where nobody may look; the client is merely not known."""

    async def reply(writer: asyncio.StreamWriter) -> None:
        writer.write(answer(json.dumps(jwks(EC)).encode()))

    async with receiving(reply) as (port, requests):
        uri = f"http://127.0.0.1:{port}/jwks"
        app = await world.new_app(SIGNS, jwks=None, jwks_uri=uri)
        is_token_error(await app.revoke("x", **proof(app)), "invalid_client", 401)
        assert requests == []
