"""The token endpoint: the phases that every grant shares; a grant adds only its own part.

In this order: authenticate the client → know the grant type → the client may use it → the answer
can be signed → the DPoP proof is good → the grant's own atomic step, which spends before anything
is issued, the proof too → mint.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from broker.core.access import Access
from broker.core.claims import agreed_scope
from broker.core.clients import Signed, authenticate, may_use
from broker.core.dpop import Proofs
from broker.core.errors import BrokerError, InvalidRequest, UnauthorizedClient, UnsupportedGrantType
from broker.core.facts import restore
from broker.core.handles import Handles
from broker.core.limits import Kind, Limits, Unlimited
from broker.core.model import Client, Facts, Lifetimes
from broker.core.parameters import Parameters
from broker.core.ports import (
    Accounts,
    AccountStates,
    Audit,
    Clients,
    Clock,
    Entropy,
    GrantAlive,
    GrantRefused,
    Grants,
    Proof,
    Refusal,
)
from broker.core.proven import ProvenHeaders
from broker.core.tokens import Mint

PATH = "/token"
_SINGLE = (
    "grant_type", "code", "redirect_uri", "code_verifier", "refresh_token", "scope",
    "client_id", "client_secret", "client_assertion", "client_assertion_type",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Counter:
    """Everything the token endpoint needs at hand; made once at start."""

    clients: Clients
    accounts: Accounts
    states: AccountStates
    grants: Grants
    audit: Audit
    handles: Handles
    mint: Mint
    clock: Clock
    entropy: Entropy
    lifetimes: Lifetimes
    assertions: Signed
    proofs: Proofs
    access: Access
    limits: Limits = field(default_factory=Unlimited)
    proven: ProvenHeaders = field(default_factory=ProvenHeaders)

    async def client(self, params: Parameters, authorization: str | None) -> Client:
        """Return the client that a request proves to be, as ``clients.authenticate`` says.

        Raises:
            TooManyRequests: it has asked too often. One that only names itself is not counted:
                anybody could use its share up.
        """
        client = await authenticate(
            self.clients,
            params,
            authorization,
            now=self.clock.now(),
            assertions=self.assertions,
            proven=self.proven,
        )
        if not client.public:
            self.limits.take(Kind.CLIENT, client.client_id)
        return client

    async def step(
        self, account_id: str, take: Callable[[], Awaitable[GrantAlive | GrantRefused]]
    ) -> GrantAlive | GrantRefused:
        """Take an atomic step; if facts are missing, restore them from SQL and take it again.

        Raises:
            TooManyRequests: too much was asked for this account; nothing was changed.
        """
        self.limits.take(Kind.ACCOUNT, account_id)
        result = await take()
        if isinstance(result, GrantRefused) and result.reason is Refusal.NO_FACTS:
            await restore(self.accounts, self.states, account_id)
            result = await take()
        return result

    async def told(self, client: Client, scope: tuple[str, ...], alive: GrantAlive) -> Facts:
        """Return the facts of a grant with what its client may be told of communities.

        Args:
            client: whose.
            scope: as granted, or the part of it that is asked for.
            alive: the grant, and facts with what the client's rules want.

        Raises:
            StoreUnavailable: the guilds were never read, and SQL does not answer.
        """
        asked = agreed_scope(scope, alive.grant.claims)
        return await self.access.told(client, asked, alive.facts)


class GrantType(Protocol):
    """One grant type's own part."""

    def id_token(self, client: Client) -> bool:
        """Return whether its answer to this client may hold an ID token."""
        ...

    async def answer(
        self, client: Client, params: Parameters, proof: Proof | None
    ) -> dict[str, Any]:
        """Spend what the request presents and return the answer's members.

        The proof, judged but for its being used once, is spent in the same step.
        """
        ...


Told = Callable[[str, Client | None, str], None]
"""Is told of each answer: the grant type (empty: none of ours), the client, ``ok`` or the error."""


class TokenEndpoint:
    """Answers ``POST /token`` (RFC 6749 §3.2).

    Args:
        counter: what it needs at hand.
        grant_types: each grant type's own part, by its name.
        told: is told what came of each request, or None.
    """

    def __init__(
        self, counter: Counter, grant_types: Mapping[str, GrantType], told: Told | None = None
    ) -> None:
        self._counter = counter
        self._grant_types = dict(grant_types)
        self._told = told

    async def answer(
        self, params: Parameters, authorization: str | None, dpop: str | None = None
    ) -> dict[str, Any]:
        """Return the members of the JSON answer; ``dpop`` is the request's DPoP header, or None.

        Raises:
            ProtocolError: as RFC 6749 §5.2 names it; nothing was changed, but for the replay of a
                code or of a refresh token, which end their grant.
            AlgorithmOff: the client or an API is set to an algorithm that is switched off.
            StoreUnavailable: a store is out of reach.
            keys.errors.StaleKeyring, keys.errors.NoSigningKey: nothing can be signed now.
        """
        proven: list[Client] = []
        outcome = "failed"
        try:
            answer = await self._answer(params, authorization, dpop, proven)
            outcome = "ok"
        except BrokerError as error:
            outcome = error.code or outcome
            error.client = error.client or (proven[0] if proven else None)
            raise
        finally:
            if self._told is not None:
                name = params.one("grant_type") or ""
                known = name if name in self._grant_types else ""
                self._told(known, proven[0] if proven else None, outcome)
        return answer

    async def _answer(
        self,
        params: Parameters,
        authorization: str | None,
        dpop: str | None,
        proven: list[Client],
    ) -> dict[str, Any]:
        """Take the phases in their order; the client is noted once it is proven."""
        counter = self._counter
        twice = params.repeated(_SINGLE)
        if twice is not None:
            raise InvalidRequest(f"The parameter {twice} was given twice")
        client = await counter.client(params, authorization)
        proven.append(client)
        name = params.one("grant_type")
        if name is None:
            raise InvalidRequest("grant_type is missing")
        grant_type = self._grant_types.get(name)
        if grant_type is None:
            raise UnsupportedGrantType
        if not may_use(client, name):
            raise UnauthorizedClient(f"This client is not registered for the grant type {name}")
        resources = params.many("resource")
        await counter.mint.ready(client, resources, id_token=grant_type.id_token(client))
        proof = counter.proofs.of_client(client, dpop, PATH)
        return await grant_type.answer(client, params, proof)
