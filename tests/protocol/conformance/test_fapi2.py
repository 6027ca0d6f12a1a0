"""Plan fapi2-security-profile-final: ``private_key_jwt``, DPoP, OpenID Connect, plain answers.

Modules of national profiles, of signed requests (message signing), of mutual TLS and of grant
management are not part of this selection of the plan.
"""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from joserfc.jwk import ECKey, RSAKey

from tests.protocol.checks import is_page, query_of
from tests.protocol.conformance.fapi import FapiClient, b64, register
from tests.protocol.harness import Shelf, World, begin
from tests.protocol.known import ADA, ISSUER


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def fapi_world(
    shared: Shelf, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    """A broker whose deployment has the profile's algorithms switched on."""
    folder = tmp_path_factory.mktemp("fapi")
    async with begin(shared, folder, signing_algorithms=("RS256", "PS256", "ES256")) as found:
        await found.advance(1200)  # until every cache knows the new keys
        yield found


@pytest_asyncio.fixture(loop_scope="session")
async def world(fapi_world: World) -> World:
    """The same with nobody signed in."""
    await fapi_world.reset()
    return fapi_world


@pytest_asyncio.fixture(loop_scope="session")
async def client(world: World) -> FapiClient:
    """The plan's first client."""
    return await register(world, world.browser())


@pytest_asyncio.fixture(loop_scope="session")
async def other(world: World) -> FapiClient:
    """The plan's second client, in another browser."""
    return await register(world, world.browser(), "ES256")


def refused(answer: httpx2.Response, *errors: str, status: int = 400) -> None:
    """A JSON error that is one of these."""
    assert answer.status_code == status, (answer.status_code, answer.text)
    assert answer.json()["error"] in errors, answer.json()


# ── well-behaved clients ───────────────────────────────────────────────────────────────────


async def test_discovery(world: World) -> None:
    """…-discovery-end-point-verification."""
    found = (await world.api.get("/.well-known/openid-configuration")).json()
    assert found["pushed_authorization_request_endpoint"] == f"{ISSUER}/par"
    assert isinstance(found["require_pushed_authorization_requests"], bool)
    assert found["authorization_response_iss_parameter_supported"] is True
    assert "private_key_jwt" in found["token_endpoint_auth_methods_supported"]
    assert {"PS256", "ES256"} <= set(found["token_endpoint_auth_signing_alg_values_supported"])
    assert {"PS256", "ES256"} <= set(found["dpop_signing_alg_values_supported"])
    assert {"PS256", "ES256"} <= set(found["id_token_signing_alg_values_supported"])
    assert found["code_challenge_methods_supported"] == ["S256"]
    assert "authorization_code" in found["grant_types_supported"]


@pytest.mark.parametrize("alg", ["PS256", "ES256"])
async def test_happy_flow(world: World, alg: str) -> None:
    """…-happy-flow, with each of the profile's algorithms."""
    client = await register(world, world.browser(), alg)
    tokens = await client.tokens()
    answer = await client.resource(tokens["access_token"])
    assert answer.status_code == 200, answer.text


async def test_user_rejects(client: FapiClient, world: World) -> None:
    """…-user-rejects-authentication."""
    uri = await client.pushed()
    first = await client.browser.http.get(
        "/authorize", params={"client_id": client.app.client.client_id, "request_uri": uri}
    )
    back = await client.browser.go_on(first, ADA, deny=True)
    assert query_of(back.headers["location"])["error"] == "access_denied"


@pytest.mark.parametrize(
    "changes",
    [{"state": None}, {"nonce": None}, {"nonce": "n" * 64}, {"nonce": "n" * 300},
     {"scope": "email openid profile"}],
    ids=["without state", "without nonce", "64 characters", "long nonce", "other scope order"],
)  # fmt: skip
async def test_variants_of_the_request(client: FapiClient, changes: dict[str, Any]) -> None:
    """…-without-state-success, …-nonce-…, …-other-scope-order-succeeds."""
    answer = await client.authorize(await client.pushed(**changes))
    found = query_of(answer.headers["location"])
    assert found.get("state") == (None if "state" in changes else client.app.state)
    redeemed = await client.redeem(found["code"])
    assert redeemed.status_code == 200, redeemed.text
    claims = await client.rp.id_token(redeemed.json()["id_token"])
    assert claims.get("nonce") == changes.get("nonce", client.app.nonce)


async def test_long_state(client: FapiClient) -> None:
    """…-with-long-state: it comes back whole."""
    answer = await client.authorize(await client.pushed(state="s" * 1000))
    assert query_of(answer.headers["location"])["state"] == "s" * 1000


async def test_claims_parameter(client: FapiClient) -> None:
    """…-test-claims-parameter-identity-claims."""
    asked = '{"id_token":{"name":{"essential":true}},"userinfo":{"email":null}}'
    tokens = await client.tokens(scope="openid", claims=asked)
    assert "name" in await client.rp.id_token(tokens["id_token"])
    assert (await client.resource(tokens["access_token"])).json().keys() == {"sub", "email"}


@pytest.mark.parametrize("scheme", ["dpop", "DPOP", "DpOp"])
async def test_scheme_is_case_insensitive(client: FapiClient, scheme: str) -> None:
    """…-access-token-type-header-case-sensitivity (RFC 9110 §11.1)."""
    token = (await client.tokens())["access_token"]
    assert (await client.resource(token, scheme=scheme)).status_code == 200
    assert (await client.resource(token, name="DPOP")).status_code == 200


async def test_refresh_token(client: FapiClient, other: FapiClient) -> None:
    """…-refresh-token: bound to the client, and not rotated (Security Profile §5.3.2.1)."""
    tokens = await client.tokens(scope="openid offline_access", prompt="consent")
    refused(await other.refresh(tokens["refresh_token"]), "invalid_grant")
    answer = await client.refresh(tokens["refresh_token"])
    assert answer.status_code == 200, answer.text
    assert (await client.resource(answer.json()["access_token"])).status_code == 200
    assert answer.json()["refresh_token"] == tokens["refresh_token"]
    fields: dict[str, str | None] = {
        "grant_type": "refresh_token",
        "refresh_token": answer.json()["refresh_token"],
    }
    refused(await client.post("/token", fields), "invalid_dpop_proof", "invalid_request")


# ── DPoP ───────────────────────────────────────────────────────────────────────────────────


async def test_proof_with_nbf_and_exp(client: FapiClient) -> None:
    """…-check-dpop-proof-nbf-exp: both may be there."""
    now = int(client.world.clock.at)
    proof = client.proof("/token", nbf=now, exp=now + 60)
    assert (await client.redeem(await client.code(), proof)).status_code == 200


@pytest.mark.parametrize("seconds", [-10, 10])
async def test_proof_ten_seconds_off(client: FapiClient, seconds: int) -> None:
    """…-dpop-proof-with-iat-10-seconds-before-succeeds, …-after-succeeds."""
    proof = client.proof("/token", iat=int(client.world.clock.at) + seconds)
    assert (await client.redeem(await client.code(), proof)).status_code == 200


async def test_mismatched_jkt_at_par(client: FapiClient) -> None:
    """…-mismatched-dpop-jkt-fails: the header and the parameter name different keys."""
    elsewhere = ECKey.generate_key("P-256").thumbprint()
    answer = await client.push(client.proof("/par"), dpop_jkt=elsewhere)
    refused(answer, "invalid_request", "invalid_dpop_proof")


async def test_mismatched_proof_at_token(client: FapiClient) -> None:
    """…-token-endpoint-fails-with-mismatched-dpop-proof-jkt: a code bound by a proof at PAR."""
    code = await client.code(client.proof("/par"))
    client.proof_key = ECKey.generate_key("P-256")
    refused(await client.redeem(code), "invalid_dpop_proof", "invalid_grant")


async def test_mismatched_jkt_at_token(client: FapiClient) -> None:
    """…-token-endpoint-fails-with-mismatched-dpop-jkt: a code bound by ``dpop_jkt``."""
    code = await client.code(dpop_jkt=client.jkt)
    client.proof_key = ECKey.generate_key("P-256")
    refused(await client.redeem(code), "invalid_dpop_proof", "invalid_grant")


async def test_binding_by_a_proof_at_par(client: FapiClient) -> None:
    """…-dpop-proof-at-par-endpoint-binding-success."""
    code = await client.code(client.proof("/par"))
    assert (await client.redeem(code)).status_code == 200


async def test_binding_by_jkt(client: FapiClient) -> None:
    """…-dpop-auth-code-binding-success."""
    code = await client.code(dpop_jkt=client.jkt)
    assert (await client.redeem(code)).status_code == 200


async def test_holder_of_key_required(client: FapiClient) -> None:
    """…-holder-of-key-required: no proof, no token."""
    code = await client.code()
    fields = {
        "grant_type": "authorization_code", "code": code,
        "redirect_uri": client.app.redirect_uri, "code_verifier": client.app.verifier,
    }  # fmt: skip
    refused(await client.post("/token", {**fields}), "invalid_dpop_proof", "invalid_request")
    assert (await client.redeem(code)).status_code == 200


NOT_PROOFS: dict[str, dict[str, Any]] = {
    "typ missing": {"header": {"typ": None}},
    "typ invalid": {"header": {"typ": "jwt"}},
    "jwk missing": {"header": {"jwk": None}},
    "jti missing": {"jti": None},
    "htm missing": {"htm": None},
    "htu missing": {"htu": None},
    "iat missing": {"iat": None},
    "ath missing": {"ath": None},
    "ath wrong": {"ath": b64(b"x" * 32)},
    "htm wrong": {"htm": "PUT"},
    "htu of another address": {"htu": "https://other.example/userinfo"},
    "an hour in the future": {"iat": "+3600"},
    "an hour in the past": {"iat": "-3600"},
}


@pytest.mark.parametrize("changes", NOT_PROOFS.values(), ids=NOT_PROOFS)
async def test_bad_proofs(client: FapiClient, changes: dict[str, Any]) -> None:
    """…-dpop-negative-tests, at a resource: 400 or 401, and the token goes on working."""
    token = (await client.tokens())["access_token"]
    named = dict(changes)
    if isinstance(named.get("iat"), str):
        named["iat"] = int(client.world.clock.at) + int(named["iat"])
    proof = client.proof("/userinfo", token, **({"htm": "GET"} | named))
    assert (await client.resource(token, proof)).status_code in {400, 401}
    assert (await client.resource(token)).status_code == 200


async def test_bad_proofs_of_other_makings(client: FapiClient) -> None:
    """…-dpop-negative-tests: two, garbage, alg none, a broken signature, a private key, reuse."""
    token = (await client.tokens())["access_token"]

    def good(**changes: Any) -> str:
        return client.proof("/userinfo", token, **({"htm": "GET"} | changes))

    head, body, signature = good().split(".")
    none, nameless = b64(b'{"typ":"dpop+jwt","alg":"none"}'), b64(b'{"typ":"dpop+jwt"}')
    stranger, client_key = ECKey.generate_key("P-256"), client.proof_key
    client.proof_key = stranger
    foreign = good()
    client.proof_key = client_key
    private = good(header={"jwk": client_key.as_dict(private=True)})
    for bad in (
        (good(), good()),
        ("not.a.jwt",),
        (f"{none}.{body}.",),
        (f"{nameless}.{body}.{signature}",),
        (f"{head}.{body}.{b64(b'x' * 64)}",),
        (f"{head}.{body}",),
        (private,),
        (foreign,),
        (signature,),
    ):
        assert (await client.resource(token, *bad)).status_code in {400, 401}, bad
    once = good()
    assert (await client.resource(token, once)).status_code == 200
    assert (await client.resource(token, once)).status_code in {400, 401}
    for scheme in ("Bearer", "DPoP"):
        bare = {"authorization": f"{scheme} {token}"}
        answer = await client.world.api.get("/userinfo", headers=bare)
        assert answer.status_code in {400, 401}, scheme


async def test_proofs_of_an_rsa_key(client: FapiClient) -> None:
    """…-dpop-negative-tests, whose key is RSA unless told otherwise: PS256 is taken, RS256 not."""
    client.proof_key = RSAKey.generate_key(2048)
    token = (await client.tokens())["access_token"]
    weak = client.proof("/userinfo", token, htm="GET", header={"alg": "RS256"})
    assert (await client.resource(token, weak)).status_code in {400, 401}
    assert (await client.resource(token)).status_code == 200


@pytest.mark.parametrize("suffix", ["?a=1", "#b", "?a=1#b"])
async def test_query_and_fragment_of_htu(client: FapiClient, suffix: str) -> None:
    """…-dpop-negative-tests: they are ignored (RFC 9449 §4.3)."""
    token = (await client.tokens())["access_token"]
    proof = client.proof("/userinfo", token, htm="GET", htu=f"{ISSUER}/userinfo{suffix}")
    assert (await client.resource(token, proof)).status_code == 200


async def test_unknown_members_of_a_proof(client: FapiClient) -> None:
    """…-dpop-negative-tests: what is not known is ignored, and addresses are normalized."""
    token = (await client.tokens())["access_token"]
    more = client.proof("/userinfo", token, htm="GET", extra=1, header={"extra": "x"})
    assert (await client.resource(token, more)).status_code == 200
    address = ISSUER.replace("https", "HTTPS") + "/userinfo"
    shouted = client.proof("/userinfo", token, htm="GET", htu=address)
    assert (await client.resource(token, shouted)).status_code == 200


# ── authorization requests ─────────────────────────────────────────────────────────────────


async def test_unregistered_redirect_uri(client: FapiClient) -> None:
    """…-registered-redirect-uri."""
    answer = await client.push(redirect_uri="https://back.example/other")
    refused(answer, "invalid_request", "invalid_redirect_uri")


async def test_without_par(client: FapiClient) -> None:
    """…-unsigned-authorization-request-without-using-par-fails."""
    answer = await client.browser.http.get("/authorize", params=client.app.asks())
    found = query_of(answer.headers["location"]) if answer.status_code == 303 else {}
    assert found.get("error") == "invalid_request" or is_page(answer)


async def test_redirect_uri_is_required(client: FapiClient) -> None:
    """…-redirect-uri-in-authorization-request: also where only one is registered."""
    refused(await client.push(redirect_uri=None), "invalid_request")


@pytest.mark.parametrize("kind", ["code id_token", "token", "id_token"])
async def test_response_types(client: FapiClient, kind: str) -> None:
    """…-response-type-code-idtoken-fails, …-response-type-token-fails."""
    answer = await client.push(response_type=kind)
    refused(answer, "unsupported_response_type", "invalid_request", "unauthorized_client")


# ── the token endpoint ─────────────────────────────────────────────────────────────────────


async def test_client_id_of_another(client: FapiClient, other: FapiClient) -> None:
    """…-client-id-in-token-endpoint: the assertion is one client's, client_id another's."""
    answer = await client.redeem(await client.code(), client_id=other.app.client.client_id)
    assert answer.status_code in {400, 401}
    assert answer.json()["error"] in {"invalid_client", "invalid_request"}


async def test_code_is_bound_to_the_client(client: FapiClient, other: FapiClient) -> None:
    """…-authorization-code-is-bound-to-client."""
    code = await client.code()
    other.app.verifier = client.app.verifier
    refused(await other.redeem(code, redirect_uri=client.app.redirect_uri), "invalid_grant")


async def test_code_reuse(client: FapiClient) -> None:
    """…-attempt-reuse-authorization-code-after-one-second."""
    code = await client.code()
    tokens = (await client.redeem(code)).json()
    await client.world.advance(1)
    refused(await client.redeem(code), "invalid_grant")
    assert (await client.resource(tokens["access_token"])).status_code == 401


async def test_expired_code(client: FapiClient) -> None:
    """…-attempt-to-use-expired-auth-code: 60 seconds at the most."""
    code = await client.code()
    await client.world.advance(61)
    refused(await client.redeem(code), "invalid_grant")


# ── private_key_jwt ────────────────────────────────────────────────────────────────────────


async def test_rs256_assertion(client: FapiClient) -> None:
    """…-signed-client-assertion-with-rs256-fails."""
    answer = await client.post("/par", client.app.asks(client_id=None), alg="RS256")
    refused(answer, "invalid_client", status=401)


async def test_assertion_is_required(client: FapiClient) -> None:
    """…-client-assertion-in-token-endpoint."""
    code = await client.code()
    nothing: dict[str, Any] = {"client_assertion": None, "client_assertion_type": None}
    answer = await client.redeem(code, **nothing)
    assert answer.status_code in {400, 401}
    assert answer.json()["error"] == "invalid_client"


ENDPOINTS = [f"{ISSUER}/par", f"{ISSUER}/token", [f"{ISSUER}/par"], "https://other.example"]


@pytest.mark.parametrize("aud", ENDPOINTS, ids=["par", "token", "par in a list", "elsewhere"])
async def test_audiences_of_assertions(client: FapiClient, aud: Any) -> None:
    """…-par-endpoint-as-(array-)audience-fails, …-token-endpoint-as-audience-fails, …-wrong-aud."""
    answer = await client.post("/par", client.app.asks(client_id=None), aud=aud)
    refused(answer, "invalid_client", status=401)


BAD_ASSERTIONS: dict[str, dict[str, Any]] = {
    "no sub": {"sub": None},
    "another sub": {"sub": "somebody"},
    "no iss": {"iss": None},
    "another iss": {"iss": "somebody"},
    "no aud": {"aud": None},
    "our issuer and another": {"aud": [ISSUER, "https://other.example"]},
    "our issuer in a list": {"aud": [ISSUER]},
    "no jti": {"jti": None},
    "no exp": {"exp": None},
    "five minutes past": {"exp": -300, "iat": -360},
    "RS256": {"alg": "RS256"},
}


@pytest.mark.parametrize("changes", BAD_ASSERTIONS.values(), ids=BAD_ASSERTIONS)
@pytest.mark.parametrize("path", ["/par", "/token"])
async def test_bad_assertions(client: FapiClient, path: str, changes: dict[str, Any]) -> None:
    """…-invalid-client-assertions-fail, …-with-no-sub-fails, …-exp-is-5-minutes-in-past-fails."""
    now = int(client.world.clock.at)
    times = {name: now + changes[name] for name in ("exp", "iat") if changes.get(name)}
    refused(await client.knocks(path, **(changes | times)), "invalid_client", status=401)
    assert (await client.knocks(path)).status_code != 401


@pytest.mark.parametrize("path", ["/par", "/token"])
async def test_bad_assertions_of_other_makings(client: FapiClient, path: str) -> None:
    """…-invalid-client-assertions-fail: no type, another, alg none, a broken signature; reuse."""
    head, body, _ = client.assertion().split(".")
    none = b64(b'{"alg":"none"}')
    for fields in (
        {"client_assertion_type": None},
        {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"},
        {"client_assertion": f"{none}.{body}."},
        {"client_assertion": f"{head}.{body}.{b64(b'x' * 256)}"},
    ):
        answer = await client.knocks(path, fields)
        assert answer.status_code in {400, 401}, fields
        assert answer.json()["error"] in {"invalid_client", "invalid_request"}
    once = {"client_assertion": client.assertion()}
    assert (await client.knocks(path, dict(once))).status_code != 401
    refused(await client.knocks(path, dict(once)), "invalid_client", status=401)


async def test_assertions_of_clocks_that_are_ahead(client: FapiClient) -> None:
    """…-iat-nbf-8-seconds-in-the-future-is-accepted, …-over-60-seconds-in-the-future-fails."""
    now, asks = int(client.world.clock.at), client.app.asks(client_id=None)
    ahead = await client.post("/par", dict(asks), iat=now + 8, nbf=now + 8, exp=now + 68)
    assert ahead.status_code == 201, ahead.text
    far = await client.post("/par", dict(asks), iat=now + 65, nbf=now + 65, exp=now + 125)
    refused(far, "invalid_client", status=401)


# ── pushed authorization requests ──────────────────────────────────────────────────────────


async def test_request_uri_opened_twice(client: FapiClient) -> None:
    """…-reused-request-uri-prior-to-auth-completion-succeeds: a reload costs nobody a sign-in."""
    uri = await client.pushed()
    params = {"client_id": client.app.client.client_id, "request_uri": uri}
    assert (await client.browser.http.get("/authorize", params=params)).status_code == 303
    client.rp.code_of(await client.authorize(uri))


async def test_request_uri_used_twice(client: FapiClient) -> None:
    """…-attempt-reuse-request-uri: after it led to a code it leads nowhere."""
    uri = await client.pushed()
    client.rp.code_of(await client.authorize(uri))
    again = await client.authorize(uri)
    if again.status_code == 303:
        assert query_of(again.headers["location"])["error"] == "invalid_request_uri"
    else:
        is_page(again)


async def test_request_uri_expired(client: FapiClient) -> None:
    """…-attempt-to-use-expired-request-uri."""
    uri = await client.pushed()
    await client.world.advance(61)
    again = await client.authorize(uri)
    assert again.status_code == 400 or "error=invalid_request_uri" in again.headers["location"]


async def test_request_uri_of_another_client(client: FapiClient, other: FapiClient) -> None:
    """…-request-uri-is-bound-to-client."""
    answer = await other.authorize(await client.pushed())
    assert answer.status_code == 400 or "error=invalid_request" in answer.headers["location"]


async def test_nothing_counts_beside_a_pushed_request(client: FapiClient) -> None:
    """…-different-nonce-, …-different-state-inside-and-outside-…, …-state-only-outside-…."""
    outside = {"state": "outside", "nonce": "outside", "scope": "openid", "prompt": "none"}
    answer = await client.authorize(await client.pushed(), **outside)
    code = client.rp.code_of(answer)
    claims = await client.rp.id_token((await client.redeem(code)).json()["id_token"])
    assert claims["nonce"] == client.app.nonce
    stateless = await client.authorize(await client.pushed(state=None), state="outside")
    assert "state" not in query_of(stateless.headers["location"])
    refused(await client.push(redirect_uri=None), "invalid_request")


async def test_request_uri_in_a_push(client: FapiClient) -> None:
    """…-reject-request-uri-in-par-authorization-form-params."""
    refused(await client.push(request_uri=await client.pushed()), "invalid_request")


@pytest.mark.parametrize("method", ["GET", "PUT"])
async def test_par_takes_post_alone(client: FapiClient, method: str) -> None:
    """…-reject-invalid-http-verb."""
    assert (await client.world.api.request(method, "/par")).status_code == 405


@pytest.mark.parametrize(
    "changes",
    [{"code_challenge": None, "code_challenge_method": None}, {"code_challenge_method": "plain"},
     {"code_challenge_method": None}],
    ids=["no PKCE", "plain", "no method"],
)  # fmt: skip
async def test_pkce_is_required(client: FapiClient, changes: dict[str, Any]) -> None:
    """…-ensure-pkce-required, …-plain-pkce-rejected."""
    refused(await client.push(**changes), "invalid_request")


@pytest.mark.parametrize("verifier", [None, "w" * 50], ids=["missing", "wrong"])
async def test_verifiers(client: FapiClient, verifier: str | None) -> None:
    """…-pkce-code-verifier-required, …-incorrect-pkce-code-verifier-rejected."""
    answer = await client.redeem(await client.code(), code_verifier=verifier)
    refused(answer, "invalid_grant", "invalid_request")
