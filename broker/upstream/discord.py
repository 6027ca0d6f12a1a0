"""Discord as an upstream: OAuth 2.0 with PKCE, and the profile of ``/users/@me``.

Discord's discovery document is not complete enough for OpenID Connect clients and its ID token
says little; ``/users/@me`` of the API is the source of truth.
"""

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import httpx2
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client

from broker.core.community.needs import Needs
from broker.core.errors import UpstreamRejected, UpstreamUnavailable
from broker.core.federation import SignedIn, UpstreamAuthorization
from broker.core.ports import Clock
from broker.upstream.base import (
    BoundedTransport,
    Pauses,
    ProcessPauses,
    keep_silent,
    read_object,
    wait_of,
)
from broker.upstream.discord_profile import profile_of

NAME: Final = "discord"
MAX_CODE: Final = 2048
MAX_TOKEN: Final = 4096
LONGEST: Final = 365 * 86400  # seconds; of a token that claims to live longer we believe this


@dataclass(frozen=True, slots=True)
class DiscordSettings:
    """How to reach Discord and as whom.

    Attributes:
        client_id, client_secret: of the application in Discord's developer portal.
        redirect_uri: our callback, as registered there.
        authorize_url: where browsers go.
        api_url: base of the API; the token endpoint is ``/oauth2/token`` under it.
        cdn_url: base of avatar addresses.
        timeout: seconds for the token exchange and the profile together.
    """

    client_id: str
    client_secret: str
    redirect_uri: str
    authorize_url: str = "https://discord.com/oauth2/authorize"
    api_url: str = "https://discord.com/api/v10"
    cdn_url: str = "https://cdn.discordapp.com"
    timeout: float = 8.0


class Discord:
    """The ``Upstream`` port over Discord.

    Args:
        settings: how to reach it.
        transport: the connection pool, shared by all sign-ins of the process.
        clock: time, for pauses.
        pauses: where waiting times are remembered; shared among processes where it is.
    """

    name = NAME
    title = "Discord"

    def __init__(
        self,
        settings: DiscordSettings,
        transport: BoundedTransport,
        clock: Clock,
        pauses: Pauses | None = None,
    ) -> None:
        self._settings = settings
        self._transport = transport
        self._clock = clock
        self._pauses = pauses or ProcessPauses()

    async def authorization_url(
        self, *, state: str, verifier: str, prompt: str, login_hint: str, needs: Needs
    ) -> str:
        """Return where to send the browser.

        Args:
            state: binds the answer to this trip (RFC 6749 §10.12).
            verifier: PKCE code verifier, 43 to 128 characters (RFC 7636 §4.1).
            prompt: ``none`` skips Discord's page for who has approved before, ``consent`` shows it.
            login_hint: unused, Discord has no such parameter.
            needs: what has to be known; no scope is asked for but what that takes.
        """
        del login_hint
        url, _ = self._client().create_authorization_url(
            self._settings.authorize_url,
            state=state,
            code_verifier=verifier,
            prompt=prompt,
            scope=" ".join(scopes_for(needs)),
        )
        return str(url)

    def lacks(self, scope: Sequence[str], needs: Needs) -> bool:
        """Whether what was granted does not reach for these needs."""
        return not set(scopes_for(needs)) <= set(scope)

    async def fetch(self, *, code: str, verifier: str) -> SignedIn:
        """Exchange the code (RFC 6749 §4.1.3, RFC 7636 §4.5) and read the profile.

        Raises:
            UpstreamUnavailable: no sound answer in time, or told to wait; nothing was tried again.
            UpstreamRejected: the code is not good, the account is no person's, or the answer makes
                no sense.
        """
        if not (0 < len(code) <= MAX_CODE and code.isascii() and code.isprintable()):
            raise UpstreamRejected(private="discord: malformed code in the callback")
        await keep_silent(self._pauses, NAME, self._clock)
        client = self._client()
        try:
            async with asyncio.timeout(self._settings.timeout):
                authorization = await self._exchange(client, code, verifier)
                answer = await client.get(f"{self._settings.api_url}/users/@me")
        except TimeoutError:
            raise UpstreamUnavailable(private="discord: no answer in time") from None
        except httpx2.HTTPError as error:
            # The class name alone: messages may quote addresses.
            raise UpstreamUnavailable(private=f"discord: {type(error).__name__}") from None
        await self._judge(answer, "users/@me")
        profile = profile_of(read_object(answer, "discord: users/@me"), self._settings.cdn_url)
        return SignedIn(profile, authorization)

    async def _exchange(self, client: Any, code: str, verifier: str) -> UpstreamAuthorization:
        """Get an access token into the client; return what came with it."""
        seen: list[httpx2.Response] = []

        def keep(answer: httpx2.Response) -> httpx2.Response:
            seen.append(answer)
            return httpx2.Response(200, json=_token_body(answer))

        client.register_compliance_hook("access_token_response", keep)
        try:
            token = await client.fetch_token(
                f"{self._settings.api_url}/oauth2/token",
                grant_type="authorization_code",
                code=code,
                code_verifier=verifier,
            )
        except OAuthError as error:
            # Discord says invalid_grant whatever was wrong with the code; invalid_client is ours.
            hint = " (see BROKER_DISCORD_CLIENT_ID and its secret)" if _ours(error) else ""
            raise UpstreamRejected(private=f"discord: {_word(error.error)}{hint}") from None
        except UpstreamUnavailable:
            await self._judge(seen[0], "oauth2/token")
            raise
        return _authorization(token, self._clock.now())

    async def _judge(self, answer: httpx2.Response, what: str) -> None:
        """Return when the answer is a success.

        Raises:
            UpstreamUnavailable: Discord is over its limits or in trouble.
            UpstreamRejected: Discord refused.
        """
        status = answer.status_code
        if status == 429:
            await self._be_silent(answer, what)
        if status >= 500 or 300 <= status < 400:
            raise UpstreamUnavailable(private=f"discord: {what} answered {status}")
        if status >= 400:
            raise UpstreamRejected(private=f"discord: {what} answered {status}")

    async def _be_silent(self, answer: httpx2.Response, what: str) -> None:
        """Remember a rate limit, unless it is that of one person's token alone."""
        wait = wait_of(answer)
        if answer.headers.get("x-ratelimit-scope") != "user":
            await self._pauses.set(NAME, self._clock.now() + wait)
        raise UpstreamUnavailable(
            private=f"discord: {what} answered 429", retry_after=math.ceil(wait)
        )

    def _client(self) -> Any:
        """Return a client of its own for one sign-in: it will hold that person's token."""
        settings = self._settings
        return AsyncOAuth2Client(
            client_id=settings.client_id,
            client_secret=settings.client_secret,
            redirect_uri=settings.redirect_uri,
            code_challenge_method="S256",
            transport=self._transport,
            timeout=settings.timeout,
            trust_env=False,
            headers={"user-agent": "token-broker", "accept": "application/json"},
        )


def _token_body(answer: httpx2.Response) -> dict[str, Any]:
    """Return the token endpoint's JSON where it speaks OAuth (RFC 6749 §5.1, §5.2).

    Raises:
        UpstreamUnavailable: the answer is none that the protocol knows.
        UpstreamRejected: it is one, but no use.
    """
    if answer.status_code == 429 or answer.status_code >= 500:
        raise UpstreamUnavailable(private="discord: oauth2/token is in trouble")
    body = read_object(answer, "discord: oauth2/token")
    if "error" in body:
        return {"error": str(body["error"])}
    if answer.status_code != 200:
        raise UpstreamUnavailable(private=f"discord: oauth2/token answered {answer.status_code}")
    token, kind = body.get("access_token"), body.get("token_type")
    if not isinstance(token, str) or not token:
        raise UpstreamRejected(private="discord: oauth2/token without an access token")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise UpstreamRejected(private="discord: oauth2/token with an unknown token type")
    # Under a name of ours: a wrong expires_in must not make the client try to refresh.
    told = {"refresh": body.get("refresh_token"), "lifetime": body.get("expires_in")}
    return {"access_token": token, "token_type": "Bearer", "scope": body.get("scope"), **told}


def _authorization(token: Mapping[str, Any], now: float) -> UpstreamAuthorization:
    """Return what a token answer gives; what is missing or makes no sense counts as not said."""
    refresh, scope, seconds = token["refresh"], token["scope"], token["lifetime"]
    sound = isinstance(refresh, str) and 0 < len(refresh) <= MAX_TOKEN
    lives = isinstance(seconds, int | float) and seconds > 0
    return UpstreamAuthorization(
        access_token=token["access_token"],
        refresh_token=refresh if sound else None,
        scope=tuple(scope.split()) if isinstance(scope, str) else (),
        expires_at=now + min(seconds, LONGEST) if lives else None,
    )


def scopes_for(needs: Needs) -> tuple[str, ...]:
    """Return Discord's scopes that these needs take, and no other."""
    wanted = {
        "identify": True,
        "email": needs.email,
        "guilds": needs.listing,
        "guilds.members.read": bool(needs.standings),
    }
    return tuple(scope for scope, is_needed in wanted.items() if is_needed)


def _ours(error: OAuthError) -> bool:
    return error.error in {"invalid_client", "unauthorized_client"}


def _word(code: str) -> str:
    """Return an error code fit for a log line."""
    return code[:40] if code.isascii() and code.isprintable() else "unreadable error"
