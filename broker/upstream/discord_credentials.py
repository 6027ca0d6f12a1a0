"""Whether Discord knows our application: tried without anybody signing in."""

import httpx2
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client

from broker.core.deadlines import Span
from broker.core.errors import UpstreamUnavailable
from broker.upstream.base import BoundedTransport
from broker.upstream.discord import DiscordSettings


async def credentials_fault(settings: DiscordSettings, transport: BoundedTransport) -> str | None:
    """Return why Discord refuses the client id and secret, or None where it takes them.

    A client credentials grant is asked for (RFC 6749 §4.4, which Discord has for an application's
    owner) and the token thrown away; any error but one of the client's own proves the client.

    Raises:
        UpstreamUnavailable: Discord did not answer as it should.
    """
    client = AsyncOAuth2Client(
        client_id=settings.client_id,
        client_secret=settings.client_secret,
        scope="identify",
        transport=transport,
        timeout=None,
        trust_env=False,
    )
    try:
        asked = client.fetch_token(
            f"{settings.api_url}/oauth2/token", grant_type="client_credentials"
        )
        await Span(settings.timeout).within(asked)
    except OAuthError as error:
        if error.error in {"invalid_client", "unauthorized_client"}:
            return "Discord does not know this client id with this secret"
    except (TimeoutError, httpx2.HTTPError, ValueError) as error:
        raise UpstreamUnavailable(private=f"discord: {type(error).__name__}") from None
    return None
