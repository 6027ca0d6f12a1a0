"""Discord's token endpoint: codes and refresh tokens become authorizations (RFC 6749 §5)."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

import httpx2
from authlib.integrations.base_client import OAuthError

from broker.core.errors import AuthorizationLost, UpstreamRejected, UpstreamUnavailable
from broker.core.federation import UpstreamAuthorization
from broker.upstream import fields
from broker.upstream.base import read_object
from broker.upstream.discord_calls import TOKEN_FORM, DiscordCalls

TOKEN: Final = "/oauth2/token"
REVOKE: Final = "/oauth2/token/revoke"
MAX_CODE: Final = 2048
SCOPE_FORM: Final = re.compile(r"[\x20-\x7e]{1,2048}", re.ASCII)
LONGEST: Final = 365 * 86400  # seconds; no access token is believed to live longer
OURS: Final = frozenset(("invalid_client", "unauthorized_client"))


async def exchange(
    calls: DiscordCalls, client: Any, *, code: str, verifier: str, now: float
) -> UpstreamAuthorization:
    """Exchange a code (RFC 6749 §4.1.3, RFC 7636 §4.5); the client holds the access token then.

    Args:
        calls: knows the address.
        client: for this sign-in.
        code: as the callback has it.
        verifier: of the trip.
        now: UTC seconds, from which the access token's lifetime counts.

    Raises:
        UpstreamUnavailable: no answer that OAuth knows.
        UpstreamRejected: the code is not good, or the answer is no use.
    """
    if not (0 < len(code) <= MAX_CODE and code.isascii() and code.isprintable()):
        raise UpstreamRejected(private="discord: malformed code in the callback")
    client.register_compliance_hook("access_token_response", _readable)
    try:
        token = await client.fetch_token(
            calls.url(TOKEN), grant_type="authorization_code", code=code, code_verifier=verifier
        )
    except OAuthError as error:
        # Discord says invalid_grant whatever was wrong with the code.
        raise UpstreamRejected(private=f"discord: {_said(error)}") from None
    return _authorization(token, now)


async def renew(
    calls: DiscordCalls, client: Any, *, refresh_token: str, now: float
) -> UpstreamAuthorization:
    """Spend a refresh token (RFC 6749 §6).

    Raises:
        UpstreamUnavailable: no sound answer came, or our own credentials are wrong; the token may
            be spent.
        AuthorizationLost: it was refused.
    """
    if not TOKEN_FORM.fullmatch(refresh_token):
        raise AuthorizationLost(private="discord: a refresh token that could be none")
    client.register_compliance_hook("refresh_token_response", _readable)
    try:
        token = await client.refresh_token(calls.url(TOKEN), refresh_token=refresh_token)
    except OAuthError as error:
        if error.error == "invalid_grant":
            raise AuthorizationLost(private="discord: the refresh token was refused") from None
        raise UpstreamUnavailable(private=f"discord: {_said(error)}") from None
    except UpstreamRejected as error:
        raise UpstreamUnavailable(private=error.private) from None
    return _authorization(token | {"ours": {"refresh_token": refresh_token} | token["ours"]}, now)


def _readable(answer: httpx2.Response) -> httpx2.Response:
    """Return the endpoint's answer in the form that the library takes.

    What else it says is kept under a name of ours: a wrong ``expires_in`` must not make the library
    try to refresh.

    Raises:
        UpstreamUnavailable: it is none that the protocol knows.
        UpstreamRejected: it is one, but no use.
    """
    body = read_object(answer, "discord: oauth2/token")
    if "error" in body:
        return _plain({"error": fields.word(body["error"])})
    if answer.status_code != 200:
        kind = UpstreamRejected if answer.status_code >= 400 else UpstreamUnavailable
        raise kind(private=f"discord: oauth2/token answered {answer.status_code}")
    word = body.get("token_type")
    if not _is_token(body.get("access_token")):
        raise UpstreamRejected(private="discord: oauth2/token without a sound access token")
    if not isinstance(word, str) or word.lower() != "bearer":
        raise UpstreamRejected(private="discord: oauth2/token with an unknown token type")
    told = {"refresh_token": _is_token, "expires_in": _is_lifetime, "scope": _is_scope}
    ours = {name: body[name] for name, sound in told.items() if sound(body.get(name))}
    return _plain({"access_token": body["access_token"], "token_type": "Bearer", "ours": ours})


def _plain(body: Mapping[str, Any]) -> httpx2.Response:
    return httpx2.Response(200, content=json.dumps(body))


def _authorization(token: Mapping[str, Any], now: float) -> UpstreamAuthorization:
    """Return what a token answer gives; what was missing or made no sense counts as not said."""
    ours: Mapping[str, Any] = token["ours"]
    seconds = ours.get("expires_in")
    return UpstreamAuthorization(
        access_token=token["access_token"],
        refresh_token=ours.get("refresh_token"),
        scope=tuple(ours.get("scope", "").split()),
        expires_at=None if seconds is None else now + min(seconds, LONGEST),
    )


def _is_token(value: Any) -> bool:
    return isinstance(value, str) and bool(TOKEN_FORM.fullmatch(value))


def _is_scope(value: Any) -> bool:
    return isinstance(value, str) and bool(SCOPE_FORM.fullmatch(value))


def _is_lifetime(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


def _said(error: OAuthError) -> str:
    """Return what an error says, fit for a log line; of our own credentials where to mend them."""
    code = error.error if isinstance(error.error, str) else ""
    word = code[:40] if code.isascii() and code.isprintable() else "unreadable error"
    return word + (" (see BROKER_DISCORD_CLIENT_ID and its secret)" if code in OURS else "")
