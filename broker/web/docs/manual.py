"""What the pages tell of this broker."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Manual:
    """The facts that are filled in; lifetimes are seconds.

    Attributes:
        metadata: the discovery document (OpenID Connect Discovery §3).
        access_token_lifetime: of an access token, where its client has none.
        id_token_lifetime: of an ID token.
        jwks_lifetime: how long verifiers may keep the public keys.
        refresh_grace: how long a spent refresh token still answers.
        registration: who may register clients: ``off``, ``token`` or ``open``.
        discord_client_id: of the application at Discord; empty for none.
        try_client: the built-in client of the page that walks a sign-in; None where that is off.
    """

    metadata: Mapping[str, Any]
    access_token_lifetime: int = 300
    id_token_lifetime: int = 300
    jwks_lifetime: int = 600
    refresh_grace: int = 10
    registration: str = "off"
    discord_client_id: str = ""
    try_client: str | None = None
