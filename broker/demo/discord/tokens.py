"""The simulated Discord's token and revocation endpoints."""

import hmac

from joserfc import jwt
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from broker.demo.discord.records import ACCESS_TOKEN_SECONDS, Application, Authorization
from broker.demo.discord.replies import (
    client_credentials,
    oauth_error,
    rate_limited,
    read_form,
    simulator,
)
from broker.demo.discord.state import InvalidGrantError, SimulatedDiscord


async def token(request: Request) -> Response:
    """Exchange a code or a refresh token (RFC 6749 §4.1.3 and §6)."""
    read = await _read(request)
    if isinstance(read, Response):
        return read
    discord, application, form = read
    client_id = application.client_id
    verdict = discord.limits.count(client_id, "/oauth2/token", by_user=False)
    if verdict.refused:
        return rate_limited(verdict.retry_after, verdict.headers, is_global=verdict.is_global)
    try:
        match form.get("grant_type"):
            case "authorization_code":
                grant, access, refresh = discord.redeem_code(
                    client_id,
                    form.get("code", ""),
                    form.get("redirect_uri", ""),
                    form.get("code_verifier"),
                )
            case "refresh_token":
                grant, access, refresh = discord.refresh(client_id, form.get("refresh_token", ""))
            case other:
                return oauth_error(
                    "unsupported_grant_type", f'Grant type "{other}" is not supported'
                )
    except InvalidGrantError as error:
        return oauth_error("invalid_grant", str(error))
    body = {
        "token_type": "Bearer",
        "access_token": access,
        "expires_in": ACCESS_TOKEN_SECONDS,
        "refresh_token": refresh,
        "scope": " ".join(sorted(grant.scopes)),
    }
    if "openid" in grant.scopes:
        body["id_token"] = _id_token(discord, grant, str(request.base_url).rstrip("/"))
    return JSONResponse(body, headers={"Cache-Control": "no-store", **verdict.headers})


async def revoke(request: Request) -> Response:
    """End the authorization of a token (RFC 7009); unknown tokens are answered 200 too."""
    read = await _read(request)
    if isinstance(read, Response):
        return read
    discord, application, form = read
    if "token" not in form:
        return oauth_error("invalid_request", 'Missing "token" in request.')
    discord.revoke(application.client_id, form["token"])
    return JSONResponse({})


async def _read(
    request: Request,
) -> tuple[SimulatedDiscord, Application, dict[str, str]] | Response:
    """Read the form and authenticate the client; a response where either fails."""
    discord = simulator(request)
    form = await read_form(request)
    if form is None:
        return oauth_error("invalid_request", "Only application/x-www-form-urlencoded is accepted.")
    client_id, secret = client_credentials(request, form)
    application = discord.applications.get(client_id)
    if application is None or not hmac.compare_digest(
        application.client_secret.encode(), secret.encode()
    ):
        return oauth_error("invalid_client", "Invalid client id or secret.", 401)
    return discord, application, form


def _id_token(discord: SimulatedDiscord, grant: Authorization, issuer: str) -> str:
    """Return an ID token as thin as Discord's: little beyond `sub`."""
    now = int(discord.now())
    claims: dict[str, object] = {
        "iss": issuer,
        "sub": grant.person_id,
        "aud": grant.client_id,
        "iat": now,
        "exp": now + 3600,
    }
    if grant.nonce is not None:
        claims["nonce"] = grant.nonce
    key = discord.signing_key
    return jwt.encode({"alg": "RS256", "kid": key.kid}, claims, key, algorithms=["RS256"])
