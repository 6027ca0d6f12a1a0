"""Introspection (RFC 7662): what a token says, for those whom it concerns.

Whom a token concerns: the client it was issued to, a client that it is addressed to, and a client
that serves an API it is addressed to (``introspected_by``). A refresh token concerns the client it
was issued to alone. To everybody else any token is as good as garbage, in the same words.
"""

from typing import Any, Final

from broker.core import vocabulary as v
from broker.core.apis import served_by
from broker.core.claims import authenticated
from broker.core.errors import InvalidClient, InvalidGrant, InvalidRequest, InvalidToken
from broker.core.grants import Counter
from broker.core.handles import Handle, Kind
from broker.core.living import alive
from broker.core.minted import AccessToken
from broker.core.model import Client, Facts
from broker.core.parameters import Parameters
from broker.core.ports import GrantRefused
from broker.core.subjects import subject_for

_TOLD: Final = (
    "scope", "client_id", "exp", "iat", "sub", "aud", "iss", "jti", "auth_time", "acr", "act",
    "cnf", v.SCOPE_ROLES, v.SCOPE_GROUPS, v.CLAIM_AS_OF,
)  # fmt: skip


class Introspection:
    """Answers ``POST /introspect``.

    Args:
        counter: what the token endpoint has at hand.
    """

    def __init__(self, counter: Counter) -> None:
        self._counter = counter

    async def answer(self, params: Parameters, authorization: str | None) -> dict[str, Any]:
        """Return what a token says (RFC 7662 §2.2); at most one Redis round trip.

        A token that is not alive, not known, or that does not concern the client, is
        ``{"active": false}`` and no word more. The hint is not needed.

        Raises:
            InvalidClient: client authentication failed, or the client can prove nothing.
            InvalidRequest: there is no token.
            StoreUnavailable: a store is out of reach: then nobody says that a token is good.
        """
        counter = self._counter
        client = await counter.client(params, authorization)
        if client.public:
            raise InvalidClient(private="a public client cannot introspect (RFC 7662 §2.1)")
        token = params.one("token")
        if token is None:
            raise InvalidRequest("token is missing")
        params.one("token_type_hint")
        handle = counter.handles.open(Kind.REFRESH, token)
        try:
            told = await (
                self._access(client, token) if handle is None else self._of(client, handle)
            )
        except InvalidToken:
            told = None
        return {"active": False} if told is None else {"active": True, **told}

    async def _access(self, client: Client, token: str) -> dict[str, Any] | None:
        counter = self._counter
        access = counter.mint.access_token(token)
        if not await self._concerns(client, access):
            return None
        found = await alive(counter, access)
        bound = "cnf" in access.claims
        told = {name: access.claims[name] for name in _TOLD if name in access.claims}
        told["token_type"] = "DPoP" if bound else "Bearer"
        return told | (_username(found.facts, access.scope) if found else {})

    async def _concerns(self, client: Client, access: AccessToken) -> bool:
        if access.client_id == client.client_id:
            return True
        apis = await self._counter.mint.signing.apis.registered()
        return served_by(apis, access.audience, client)

    async def _of(self, client: Client, handle: Handle) -> dict[str, Any] | None:
        """What a refresh token says: only the live one of its grant, and only to its client.

        It is worth what a refresh would bring: what was taken from the client since is left out.
        """
        counter = self._counter
        if v.GRANT_REFRESH not in client.grant_types:
            return None
        account, item = handle.account_id, handle.item_id
        try:
            result = await counter.step(
                account,
                lambda: counter.grants.look(
                    account,
                    item,
                    now=counter.clock.now(),
                    offline=v.SCOPE_OFFLINE in client.scopes,
                ),
            )
        except InvalidGrant:
            return None
        if isinstance(result, GrantRefused):
            return None
        grant, facts = result.grant, result.facts
        if grant.client_id != client.client_id or grant.generation != handle.generation:
            return None
        scope = tuple(word for word in grant.scope if word in client.scopes)
        if not scope:
            return None
        told: dict[str, Any] = {
            "scope": " ".join(scope),
            "client_id": grant.client_id,
            "exp": int(grant.expires_at),
            "iat": int(grant.created_at),
            "sub": subject_for(client, grant.account_id, facts.sub),
            "iss": counter.mint.issuer,
        } | authenticated(grant.auth_time)
        if grant.dpop_jkt is not None:
            told["cnf"] = {"jkt": grant.dpop_jkt}
        return told | _username(facts, scope)


def _username(facts: Facts, scope: tuple[str, ...]) -> dict[str, Any]:
    """RFC 7662 §2.2 ``username``: only where the token may know it anyway."""
    name = facts.claims.get("preferred_username")
    return {"username": name} if name and v.SCOPE_PROFILE in scope else {}
