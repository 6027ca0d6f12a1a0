"""Authlib's client, the whole flow: each way of authenticating."""

from typing import Any

import httpx2
import pytest
from authlib.common.security import generate_token
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.browsing import sign_in
from tests.clients.conftest import CALLBACK, Registered
from tests.running import RunningBroker

METHODS = ("client_secret_basic", "client_secret_post", "none")


def client_of(registered: Registered, method: str) -> AsyncOAuth2Client:
    return AsyncOAuth2Client(
        registered.client_id,
        registered.client_secret,
        token_endpoint_auth_method=method,
        scope="openid profile email",
        redirect_uri=CALLBACK,
        code_challenge_method="S256",
        trust_env=False,
        timeout=20,
    )


async def read(client: AsyncOAuth2Client, url: str) -> dict[str, Any]:
    answer = await client.request("GET", url, withhold_token=True)
    answer.raise_for_status()
    return dict(answer.json())


@pytest.mark.parametrize("method", METHODS)
async def test_the_whole_flow(
    broker: RunningBroker,
    confidential: Registered,
    public: Registered,
    browser: httpx2.AsyncClient,
    method: str,
) -> None:
    """Authlib signs a person in, judges the ID token, reads userinfo, refreshes and revokes."""
    registered = public if method == "none" else confidential
    async with client_of(registered, method) as client:
        metadata = await read(client, f"{broker.issuer}/.well-known/openid-configuration")
        assert method in metadata["token_endpoint_auth_methods_supported"]
        verifier, nonce = generate_token(48), generate_token(20)
        url, state = client.create_authorization_url(
            metadata["authorization_endpoint"], code_verifier=verifier, nonce=nonce
        )
        back = await sign_in(browser, url, CALLBACK, discord=broker.discord_origin)
        token = await client.fetch_token(
            metadata["token_endpoint"],
            authorization_response=back,
            code_verifier=verifier,
            state=state,
        )
        keys = KeySet.import_key_set(await read(client, metadata["jwks_uri"]))
        subject = judge(token, keys, broker.issuer, registered.client_id, nonce)

        person = (await client.get(metadata["userinfo_endpoint"])).json()
        assert person["sub"] == subject
        assert person["preferred_username"] == "ada.lindqvist"

        renewed = await client.refresh_token(metadata["token_endpoint"])
        assert renewed["refresh_token"] != token["refresh_token"]
        assert judge(renewed, keys, broker.issuer, registered.client_id, None) == subject

        revoked = await client.revoke_token(
            metadata["revocation_endpoint"], renewed["refresh_token"]
        )
        assert revoked.status_code == 200
        with pytest.raises(OAuthError, match="invalid_grant"):
            await client.refresh_token(
                metadata["token_endpoint"], refresh_token=renewed["refresh_token"]
            )


def judge(
    token: dict[str, Any], keys: KeySet, issuer: str, client_id: str, nonce: str | None
) -> str:
    """Return the subject of an ID token that Authlib's validators accept (Core §3.1.3.7)."""
    decoded = jwt.decode(token["id_token"], keys, algorithms=["RS256"])
    options = {
        "iss": {"essential": True, "value": issuer},
        "aud": {"essential": True, "value": client_id},
        "exp": {"essential": True},
    }
    params = {"client_id": client_id, "access_token": token["access_token"]}
    if nonce is not None:
        params["nonce"] = nonce
    claims = CodeIDToken(decoded.claims, decoded.header, options, params)
    claims.validate(leeway=5)
    assert claims.get("nonce") == nonce
    return str(claims["sub"])


async def test_a_wrong_secret(
    broker: RunningBroker, confidential: Registered, browser: httpx2.AsyncClient
) -> None:
    """Authlib is told `invalid_client`; the code stays unspent for the one who knows the secret."""
    verifier = generate_token(48)
    token_url = f"{broker.issuer}/token"
    stranger = Registered(confidential.client_id, "a-wrong-secret")
    async with (
        client_of(stranger, "client_secret_basic") as wrong,
        client_of(confidential, "client_secret_basic") as right,
    ):
        url, state = right.create_authorization_url(
            f"{broker.issuer}/authorize", code_verifier=verifier
        )
        back = await sign_in(browser, url, CALLBACK, discord=broker.discord_origin)
        given = {"authorization_response": back, "code_verifier": verifier, "state": state}
        with pytest.raises(OAuthError, match="invalid_client"):
            await wrong.fetch_token(token_url, **given)
        assert "access_token" in await right.fetch_token(token_url, **given)
