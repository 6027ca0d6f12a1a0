"""The APIs that access tokens are for: what resource indicators and audiences point to."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from keys.model import RS256


@dataclass(frozen=True, slots=True)
class Api:
    """A registered resource server (RFC 8707 §2, RFC 9068 §3).

    Attributes:
        identifier: its resource indicator; access tokens for it say so in ``aud``.
        name: what operators call it.
        access_token_signed_response_alg: the JWS algorithm of access tokens for it.
        scopes: the scopes that mean something to it.
        access_token_lifetime: seconds that access tokens for it live, or None for the client's.
        introspected_by: client_ids that may introspect access tokens for it (RFC 7662 §2.1).
    """

    identifier: str
    name: str
    access_token_signed_response_alg: str = RS256
    scopes: tuple[str, ...] = ()
    access_token_lifetime: int | None = None
    introspected_by: tuple[str, ...] = ()


class Apis(Protocol):
    """Registered APIs, followed from SQL."""

    async def registered(self) -> Mapping[str, Api]:
        """Return every registered API by its identifier; no SQL when they were read lately.

        Raises:
            StoreUnavailable: they were never read, or too long ago, and SQL does not answer.
        """
        ...
