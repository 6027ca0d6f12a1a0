"""Calls to Discord: where it is, who we are there, and which route a request takes."""

import re
from dataclasses import dataclass, replace
from typing import Any, Final

import httpx2
from authlib.integrations.httpx_client import AsyncOAuth2Client

from broker.core.budget import Urgency
from broker.core.errors import AuthorizationLost
from broker.upstream.pacing import Errand, PacedTransport, Wire

NAME: Final = "discord"
TOKEN_FORM: Final = re.compile(r"[\x21-\x7e]{1,4096}", re.ASCII)
ROUTES: Final = {
    "/oauth2/token": "token",
    "/oauth2/token/revoke": "revoke",
    "/oauth2/@me": "owner",
    "/users/@me": "profile",
    "/users/@me/guilds": "guilds",
    "/users/@me/guilds/{id}/member": "member",
}
_NUMBER: Final = re.compile(r"/[0-9]+(?=/|$)", re.ASCII)


@dataclass(frozen=True, slots=True)
class DiscordSettings:
    """How to reach Discord and as whom.

    Attributes:
        client_id, client_secret: of the application in Discord's developer portal.
        redirect_uri: our callback, as registered there.
        authorize_url: where browsers go.
        api_url: base of the API; the token endpoint is ``/oauth2/token`` under it.
        cdn_url: base of avatar addresses.
        timeout: seconds for the token exchange and the profile together, and for each later
            reading.
    """

    client_id: str
    client_secret: str
    redirect_uri: str
    authorize_url: str = "https://discord.com/oauth2/authorize"
    api_url: str = "https://discord.com/api/v10"
    cdn_url: str = "https://cdn.discordapp.com"
    timeout: float = 8.0


class DiscordCalls:
    """Makes clients for calls to Discord.

    Args:
        settings: how to reach it.
        wire: how calls leave this process.
    """

    def __init__(self, settings: DiscordSettings, wire: Wire) -> None:
        self._settings = settings
        self._wire = wire
        self._base = httpx2.URL(settings.api_url).path.rstrip("/")
        self._errand = Errand(NAME, self._route, settings.timeout, Urgency.KEEPING)

    def url(self, path: str) -> str:
        """Return the address of an API path."""
        return f"{self._settings.api_url}{path}"

    def to_sign_in(self) -> Any:
        """Return a client for the exchange of a code and the profile after it."""
        return self._client(urgency=Urgency.SIGN_IN, patience=0.5, calls=2)

    def in_our_name(self) -> Any:
        """Return a client for what our application does while nobody waits."""
        return self._client()

    def with_token(self, access_token: str, urgency: Urgency) -> Any:
        """Return a client that presents somebody's token.

        Who waits for it has come so far that it is waited for longer than anything else.

        Raises:
            AuthorizationLost: it is no token of any kind; nothing is sent.
        """
        if not TOKEN_FORM.fullmatch(access_token):
            raise AuthorizationLost(private="discord: a token that could be none")
        longer = 2 * self._settings.timeout if urgency == Urgency.SIGN_IN else 0.0
        client = self._client(urgency=urgency, queue=longer)
        client.token = {"access_token": access_token, "token_type": "Bearer"}
        return client

    def _client(self, **changes: Any) -> Any:
        """Return a client of its own for one errand: it will hold that person's token."""
        settings = self._settings
        return AsyncOAuth2Client(
            client_id=settings.client_id,
            client_secret=settings.client_secret,
            redirect_uri=settings.redirect_uri,
            code_challenge_method="S256",
            transport=PacedTransport(self._wire, replace(self._errand, **changes)),
            timeout=None,  # the errand has one for all
            trust_env=False,
            headers={"user-agent": "token-broker", "accept": "application/json"},
        )

    def _route(self, request: httpx2.Request) -> str:
        return ROUTES[_NUMBER.sub("/{id}", request.url.path.removeprefix(self._base))]
