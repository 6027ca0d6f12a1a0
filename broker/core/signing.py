"""Which algorithm signs what: an ID token its client's, an access token that of its API.

OpenID Connect Registration §2 (``id_token_signed_response_alg``), RFC 9068 §2.1. What is not
registered as an API gets RS256, which every verifier of JWT access tokens has to support.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import partial

from broker.core.apis import Api, Apis
from broker.core.errors import AlgorithmOff, InvalidTarget
from broker.core.model import Client
from broker.core.per_client import PerClient
from keys.model import RS256


@dataclass(frozen=True, slots=True)
class SigningAlgorithms:
    """Chooses the algorithm of each token.

    Attributes:
        apis: the registered APIs.
        on: the algorithms that are switched on.
    """

    apis: Apis
    on: Collection[str]
    _needed: PerClient[frozenset[str]] = field(
        default_factory=PerClient, init=False, repr=False, compare=False
    )

    def of_id_token(self, client: Client) -> str:
        """Return the algorithm of a client's ID tokens.

        Raises:
            AlgorithmOff: it was switched off since the client was set to it.
        """
        alg = client.id_token_signed_response_alg
        if alg not in self.on:
            raise AlgorithmOff(private=f"ID tokens of client {client.client_id}: {alg} is off")
        return alg

    def of_userinfo(self, client: Client) -> str | None:
        """Return the algorithm of a client's userinfo answers; None for plain JSON.

        Raises:
            AlgorithmOff: it was switched off since the client was set to it.
        """
        alg = client.userinfo_signed_response_alg
        if alg is not None and alg not in self.on:
            raise AlgorithmOff(private=f"userinfo for client {client.client_id}: {alg} is off")
        return alg

    async def of_access_token(self, client: Client, resources: tuple[str, ...]) -> str:
        """Return the algorithm of an access token for these resources, or the default audience.

        Raises:
            InvalidTarget: their algorithms differ, and one token has one signature.
            AlgorithmOff: it was switched off since the API was set to it.
            StoreUnavailable: the APIs are not known, and SQL does not answer.
        """
        return self.one(await self.apis.registered(), audiences(client, resources))

    async def needed(
        self, client: Client, resources: tuple[str, ...], *, id_token: bool
    ) -> frozenset[str]:
        """Return the algorithms that an answer of the token endpoint will need.

        Where the request names no resource, those of its grant count. They are known only when
        something was spent, so everything the client may be given is asked of beforehand.

        Args:
            client: who asks.
            resources: as the request names them.
            id_token: whether the answer may hold an ID token.

        Raises:
            InvalidTarget: none of the resources is the client's, or their algorithms differ.
            AlgorithmOff: one was switched off since.
            StoreUnavailable: the APIs are not known, and SQL does not answer.
        """
        apis, asked = await self.apis.registered(), (resources, id_token)
        return self._needed.of(client, apis, asked, partial(self._work_out, *asked))

    def _work_out(
        self, resources: tuple[str, ...], id_token: bool, client: Client, apis: Mapping[str, Api]
    ) -> frozenset[str]:
        if resources:
            own = tuple(resource for resource in resources if resource in client.resources)
            if not own:
                raise InvalidTarget("This client is not registered for the resource")
            found = {self.one(apis, own)}
        else:
            found = {self.one(apis, audiences(client, ()))}
            found.update(self.one(apis, (resource,)) for resource in client.resources)
        if id_token:
            found.add(self.of_id_token(client))
        return frozenset(found)

    def one(self, apis: Mapping[str, Api], audiences: tuple[str, ...]) -> str:
        """Return the one algorithm of access tokens for all of these audiences.

        Raises:
            InvalidTarget, AlgorithmOff: as ``of_access_token``.
        """
        alg = algorithm_for(apis, audiences[0])
        if any(algorithm_for(apis, other) != alg for other in audiences[1:]):
            raise InvalidTarget(
                "These resources take differently signed tokens; ask for one resource at a time",
                private=f"not all of them take {alg}",
            )
        if alg not in self.on:
            raise AlgorithmOff(private=f"access tokens for {' '.join(audiences)}: {alg} is off")
        return alg


def audiences(client: Client, resources: tuple[str, ...]) -> tuple[str, ...]:
    """Return whom an access token is for: the resources, else the client's own audience."""
    return resources or (client.audience or client.client_id,)


def algorithm_for(apis: Mapping[str, Api], audience: str) -> str:
    """Return the algorithm of access tokens for one audience, registered or not."""
    api = apis.get(audience)
    return RS256 if api is None else api.access_token_signed_response_alg
