"""What this broker says of itself, by its settings: in one place, so that no two disagree."""

from typing import Any

from broker.app.settings import Settings
from broker.core import metadata
from broker.web import languages


def provider_metadata(settings: Settings) -> dict[str, Any]:
    """Return the OpenID provider's metadata (OpenID Connect Discovery 1.0 §3)."""
    return metadata.provider(
        settings.public_issuer,
        algorithms=settings.algorithms,
        registration=settings.registration != "off",
        languages=languages.tags(),
    )


def server_metadata(settings: Settings) -> dict[str, Any]:
    """Return the authorization server's metadata (RFC 8414 §2)."""
    return metadata.server(settings.public_issuer, registration=settings.registration != "off")
