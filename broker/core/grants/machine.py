"""The client credentials grant (RFC 6749 §4.4): a client that acts for itself.

Nothing is asked of any store: the token is signed, and that is all. (A DPoP proof has to be used
once, which takes the one round trip.) Its ``jti`` is a handle of nobody's account, so it can be
ended by itself (RFC 7009), and introspection sees that.
"""

from collections.abc import Mapping
from typing import Any

from broker.core import vocabulary as v
from broker.core.apis import Api, known_scopes
from broker.core.errors import InvalidScope, InvalidTarget, UnauthorizedClient
from broker.core.grants import Counter
from broker.core.handles import NOBODY, Handle
from broker.core.model import Client
from broker.core.parameters import Parameters
from broker.core.per_client import PerClient
from broker.core.ports import Proof
from broker.core.tokens import confirmation


class ClientCredentialsGrant:
    """Gives a client a token of its own.

    Args:
        counter: what the token endpoint has at hand.
    """

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._usual: PerClient[tuple[str, ...]] = PerClient()

    def id_token(self, client: Client) -> bool:
        """Return False: there is nobody to speak of."""
        del client
        return False

    async def answer(
        self, client: Client, params: Parameters, proof: Proof | None = None
    ) -> dict[str, Any]:
        """Return an access token whose subject is the client (RFC 9068 §2.2); no refresh token.

        Raises:
            UnauthorizedClient: a public client, which anybody could be.
            InvalidScope: more than it is registered for, or a scope that needs a person.
            InvalidTarget: a resource that it is not registered for.
            InvalidDpopProof: the proof was used before.
        """
        counter = self._counter
        if client.public:
            raise UnauthorizedClient("A public client cannot act for itself: anybody could be it")
        resources = params.many("resource")
        if not set(resources) <= set(client.resources):
            raise InvalidTarget("This client is not registered for the resource")
        scope = _asked(client, params)
        if not scope:
            apis = await counter.mint.signing.apis.registered()
            scope = self._usual.of(client, apis, None, _usual)
        handle = Handle(NOBODY, counter.entropy.token(16).hex())
        await counter.proofs.spend(proof)
        return await counter.mint.access_answer(
            client,
            handle,
            client.client_id,
            scope=scope,
            resources=resources,
            more=confirmation(proof),
        )


def _asked(client: Client, params: Parameters) -> tuple[str, ...]:
    """Return the scope that is asked for, or nothing (RFC 6749 §3.3)."""
    asked = params.words("scope")
    if any(word in v.PERSONAL_SCOPES for word in asked):
        raise InvalidScope("Without a person there is no scope of OpenID Connect")
    if any(word not in client.scopes for word in asked):
        raise InvalidScope("The scope is unknown, or this client is not registered for it")
    return asked


def _usual(client: Client, apis: Mapping[str, Api]) -> tuple[str, ...]:
    """Return all that the client may have without a person: what it gets without asking."""
    known = known_scopes(apis, client)
    return tuple(w for w in client.scopes if w in known and w not in v.PERSONAL_SCOPES)
