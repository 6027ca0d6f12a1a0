"""Token exchange (RFC 8693), by whose tokens go in and come out.

===================  ==========================================================================
``subject_issuer``   an upstream's token for ours: ``exchange_upstream``
``requested_issuer`` ours for an upstream's: ``upstream_token``
neither              ours for ours: ``exchange``
===================  ==========================================================================

Both names are Keycloak's; RFC 8693 leaves to the server whose tokens it takes.
"""

from typing import Any, Protocol

from broker.core.errors import InvalidRequest
from broker.core.grants.exchange_upstream import UPSTREAM
from broker.core.model import Client
from broker.core.parameters import Parameters
from broker.core.ports import Proof


class Exchange(Protocol):
    """One direction of it."""

    async def answer(
        self, client: Client, params: Parameters, proof: Proof | None
    ) -> dict[str, Any]:
        """Return the answer's members."""
        ...


class Exchanges:
    """Every direction of token exchange.

    Args:
        own: ours for ours.
        inward: an upstream's for ours.
        outward: ours for an upstream's.
    """

    def __init__(self, own: Exchange, inward: Exchange, outward: Exchange) -> None:
        self._own = own
        self._inward = inward
        self._outward = outward

    def id_token(self, client: Client) -> bool:
        """Return whether an answer to this client may hold one: it may sign people in."""
        return UPSTREAM in client.exchange

    async def answer(
        self, client: Client, params: Parameters, proof: Proof | None
    ) -> dict[str, Any]:
        """Return the new token (RFC 8693 §2.2.1); raises as its direction does.

        Raises:
            InvalidRequest: the request names a direction twice, or both.
        """
        inward, outward = "subject_issuer" in params, "requested_issuer" in params
        if inward and outward:
            raise InvalidRequest("subject_issuer and requested_issuer exclude one another")
        chosen = self._inward if inward else self._outward if outward else self._own
        return await chosen.answer(client, params, proof)
