"""Token exchange of our access token for the upstream's (RFC 8693): apps that call Discord.

``requested_issuer`` (Keycloak's name for it) says whose token is wanted. The subject token is one
that the client has of its own, alive; what comes back is an access token that Discord gave to our
application for that person, renewed first where it has run out, and never the refresh token, which
stays here. It can do at Discord what the person has allowed our application, so an operator has to
have given the client this right, and each time it is used is in the audit log.
"""

from typing import Any

from broker.core.audit import note
from broker.core.errors import (
    AuthorizationLost,
    InvalidRequest,
    InvalidToken,
    LoginRequired,
    UnauthorizedClient,
)
from broker.core.federation import CommunityUpstream, KeptAuthorization, Upstream
from broker.core.grants import Counter
from broker.core.grants.exchange import TYPE_ACCESS, TYPE_JWT, bound, unusable
from broker.core.living import alive
from broker.core.model import AuditEvent, Client
from broker.core.parameters import Parameters
from broker.core.ports import GrantAlive, Proof
from broker.core.renewal import Renewal

_NOT_HERE = ("actor_token", "actor_token_type", "audience", "resource", "scope")


class UpstreamTokens:
    """Gives upstreams' access tokens to clients that may have them.

    Args:
        counter: what the token endpoint has at hand.
        upstreams: where people sign in, by name.
        renewal: returns what is kept of people there, good now.
    """

    def __init__(self, counter: Counter, upstreams: dict[str, Upstream], renewal: Renewal) -> None:
        self._counter = counter
        self._upstreams = upstreams
        self._renewal = renewal

    async def answer(
        self, client: Client, params: Parameters, proof: Proof | None
    ) -> dict[str, Any]:
        """Return the upstream's access token (RFC 8693 §2.2.1).

        Raises:
            UnauthorizedClient: the client may not have such tokens.
            InvalidRequest: the subject token is not one of the client's own, or not alive.
            InvalidDpopProof: the proof was used before.
            LoginRequired: nothing is kept of the person there (any more): a sign-in mends that.
            UpstreamUnavailable: it has run out, and cannot be renewed now.
        """
        if client.public or not client.upstream_token:
            raise UnauthorizedClient("This client may not have tokens of upstreams")
        upstream = self._upstream(params)
        found = await self._subject(client, params, proof)
        account_id = found.grant.account_id
        try:
            kept = await self._renewal.current(upstream, account_id)
        except AuthorizationLost as error:
            raise LoginRequired(
                "Nothing is known of this person upstream any more: a new sign-in mends that",
                error.private,
            ) from None
        await self._note(client, found, upstream.name)
        return self._told(kept)

    def _upstream(self, params: Parameters) -> CommunityUpstream:
        """Return whose token is wanted, once the rest of the request is in order."""
        if params.one("subject_token_type") not in {TYPE_ACCESS, TYPE_JWT}:
            raise InvalidRequest("subject_token_type must be that of an access token of ours")
        if params.one("requested_token_type") not in {None, TYPE_ACCESS}:
            raise InvalidRequest("Only access tokens are given for others")
        chosen = next((name for name in _NOT_HERE if name in params), None)
        if chosen is not None:
            raise InvalidRequest(f"{chosen} cannot be chosen for a token of an upstream")
        found = self._upstreams.get(params.one("requested_issuer") or "")
        if not isinstance(found, CommunityUpstream):
            raise InvalidRequest("requested_issuer names nobody whose tokens are given here")
        return found

    async def _subject(self, client: Client, params: Parameters, proof: Proof | None) -> GrantAlive:
        """Return the living grant behind the subject token, if both are the client's own."""
        token = params.one("subject_token")
        if token is None:
            raise InvalidRequest("subject_token is missing")
        try:
            access = self._counter.mint.access_token(token)
            bound(access, proof, "subject_token")
            found = await alive(self._counter, access, proof)
        except InvalidToken as error:
            raise unusable("subject_token", error.private) from None
        # Both: one that was exchanged for another client's names the client that exchanged it.
        if found is None or {access.client_id, found.grant.client_id} != {client.client_id}:
            raise unusable("subject_token", "nobody's, or another client's")
        return found

    def _told(self, kept: KeptAuthorization) -> dict[str, Any]:
        granted = kept.authorization
        answer: dict[str, Any] = {
            "access_token": granted.access_token,
            "issued_token_type": TYPE_ACCESS,
            "token_type": "Bearer",
            "scope": " ".join(granted.scope),
        }
        if granted.expires_at is not None:
            answer["expires_in"] = max(0, int(granted.expires_at - self._counter.clock.now()))
        return answer

    async def _note(self, client: Client, found: GrantAlive, upstream: str) -> None:
        """Remember it, before the token goes out."""
        grant, now = found.grant, self._counter.clock.now()
        detail = {"upstream": upstream, "grant": grant.grant_id}
        event = AuditEvent(
            "upstream_token.given", now, "client", grant.account_id, client.client_id, detail
        )
        await note(self._counter.audit, event)
