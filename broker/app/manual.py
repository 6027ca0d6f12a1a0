"""The pages for developers: what they are told, and the client that one of them is."""

from dataclasses import dataclass
from typing import Final

from broker.app.published import provider_metadata
from broker.app.settings import Settings
from broker.core import vocabulary as v
from broker.core.client import Client
from broker.core.ports import Clients
from broker.web.docs.manual import Manual

# No client that anybody registers has a colon in its identifier (broker.app.client_rules).
TRY_CLIENT: Final = "docs:try"
TRY_PATH: Final = "/docs/try"
_GRANT: Final = 3600  # seconds: what was tried out is over within the hour
_IDLE: Final = 600


def manual(settings: Settings) -> Manual | None:
    """Return what the pages tell, or None where there are none."""
    if settings.docs_shown == "off":
        return None
    return Manual(
        metadata=provider_metadata(settings),
        access_token_lifetime=settings.access_token_lifetime,
        id_token_lifetime=settings.id_token_lifetime,
        jwks_lifetime=settings.jwks_cache,
        refresh_grace=settings.refresh_grace,
        registration=settings.registration,
        discord_client_id=settings.discord_client_id,
        try_client=TRY_CLIENT if settings.docs_shown == "try" else None,
    )


def with_built_in(settings: Settings, clients: Clients) -> Clients:
    """Return the clients, and the page's own where that is switched on."""
    if settings.docs_shown != "try":
        return clients
    return _WithOne(clients, try_client(settings.public_issuer))


def try_client(issuer: str) -> Client:
    """Return the client that the page is.

    It is public and third-party, so people are asked; answers go to that page of ours and nowhere
    else; its access tokens are for nobody but us. It is in no table: where it is switched off,
    there is no such client, and what it was granted is worth nothing.
    """
    return Client(
        TRY_CLIENT,
        "Try it, a page for developers",
        redirect_uris=(f"{issuer}{TRY_PATH}",),
        scopes=(v.SCOPE_OPENID, v.SCOPE_PROFILE, v.SCOPE_EMAIL),
        client_uri=f"{issuer}/docs",
        grant_lifetime=_GRANT,
        grant_idle=_IDLE,
    )


@dataclass(frozen=True, slots=True)
class _WithOne:
    """Clients, and one that is in no table."""

    registered: Clients
    built_in: Client

    async def find(self, client_id: str) -> Client | None:
        """Return the client, disabled or not, or None."""
        if client_id == self.built_in.client_id:
            return self.built_in
        return await self.registered.find(client_id)
