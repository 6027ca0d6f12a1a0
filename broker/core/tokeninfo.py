"""What tokens say and how they end: userinfo (Core §5.3) and revocation (RFC 7009)."""

from typing import Any

from broker.core import dpop
from broker.core import vocabulary as v
from broker.core.audit import note_soon
from broker.core.claims import USERINFO, named, released
from broker.core.errors import (
    BoundToken,
    InsufficientScope,
    InvalidDpopProof,
    InvalidGrant,
    InvalidRequest,
    InvalidToken,
)
from broker.core.grants import Counter
from broker.core.handles import NOBODY, Handle, Kind
from broker.core.minted import AccessToken, seconds
from broker.core.model import AuditEvent, Client
from broker.core.parameters import Parameters
from broker.core.ports import GrantAlive, GrantRefused, Proof, Refusal
from broker.core.subjects import subject_for
from broker.core.tokens import audience

USERINFO_PATH = "/userinfo"


class TokenInfo:
    """Answers ``/userinfo`` and ``/revoke``.

    Args:
        counter: what the token endpoint has at hand.
    """

    def __init__(self, counter: Counter) -> None:
        self._counter = counter

    async def userinfo(self, shown: dpop.Presented) -> dict[str, Any] | str:
        """Return the claims that the token releases (OpenID Connect Core §5.3.2); as text, signed.

        One Redis round trip: the grant must still be alive, and its account. A token that was asked
        for with ``resource`` is for those services (RFC 8707 §2): they learn no more by it than
        they are told in it. What was taken from its client since is left out.

        Raises:
            InvalidToken: the token is no living access token of ours (RFC 6750 §3.1).
            InsufficientScope: it lacks ``openid``.
            InvalidDpopProof: it is bound to a key, and the proof is missing, bad or used.
        """
        access = self._counter.mint.access_token(shown.token)
        proof = self._proof(access, shown)
        if v.SCOPE_OPENID not in access.scope:
            raise InsufficientScope(v.SCOPE_OPENID)
        client, alive = await self._alive(access, proof)
        scope = tuple(word for word in access.scope if word in client.scopes)
        if v.SCOPE_OPENID not in scope:
            raise InsufficientScope(v.SCOPE_OPENID)
        grant, facts = alive.grant, await self._counter.told(client, scope, alive)
        found = {
            "sub": subject_for(client, grant.account_id, facts.sub),
            **released(facts.claims, scope),
        }
        found |= named(facts.claims, grant.claims or {}, USERINFO, client)
        return await self._counter.mint.userinfo(client, found)

    def _proof(self, access: AccessToken, shown: dpop.Presented) -> Proof | None:
        """Judge whether a token came as it has to: with a proof, if it is bound to a key."""
        if not shown.dpop:
            if access.jkt is not None:
                raise BoundToken
            return None
        if access.jkt is None:
            raise InvalidToken("The access token is not bound to a key: it is a bearer token")
        if shown.proof is None:
            raise InvalidDpopProof("The DPoP proof is missing")
        proof = self._counter.proofs.judge(
            shown.proof, USERINFO_PATH, method=shown.method, access_token=shown.token
        )
        if proof.jkt != access.jkt:
            raise InvalidToken("The access token is bound to another key than that of the proof")
        return proof

    async def _alive(self, access: AccessToken, proof: Proof | None) -> tuple[Client, GrantAlive]:
        counter = self._counter
        client = await counter.clients.find(access.client_id)
        if client is None or client.disabled:
            raise InvalidToken(private="the client is gone or switched off")
        own = audience(client, ())
        if not set(access.audience) <= {own, *client.resources}:
            raise InvalidToken(private="aud is none that this client may have")
        if own not in access.audience:
            raise InvalidToken("The access token is for other services: it came of resource")
        try:
            result = await counter.step(
                access.account_id,
                lambda: counter.grants.look(
                    access.account_id,
                    access.grant_id,
                    now=counter.clock.now(),
                    proof=proof,
                    community=counter.access.wanted(client),
                    offline=v.SCOPE_OFFLINE in client.scopes,
                ),
            )
        except InvalidGrant as error:
            raise InvalidToken(private=error.private) from None
        if isinstance(result, GrantRefused):
            if result.reason is Refusal.PROOF:
                raise dpop.used_before()
            raise InvalidToken(private=f"its grant: {result.reason}")
        if result.grant.client_id != access.client_id:
            raise InvalidToken(private="its grant is another client's")
        return client, result

    async def revoke(self, params: Parameters, authorization: str | None) -> None:
        """End the grant of a refresh or access token of this client (RFC 7009 §2.1).

        Whichever generation is named, nothing of the grant works afterwards. A token that a client
        got for itself, or in exchange, is ended by itself: introspection knows it no more. A token
        that is not known is a success (RFC 7009 §2.2); the hint is not needed.

        Raises:
            InvalidClient: client authentication failed.
            InvalidRequest: no token, or another client's.
        """
        counter = self._counter
        client = await counter.client(params, authorization)
        token = params.one("token")
        if token is None:
            raise InvalidRequest("token is missing")
        params.one("token_type_hint")
        handle = counter.handles.open(Kind.REFRESH, token)
        ended = await (self._access(client, token) if handle is None else self._end(client, handle))
        if not ended:
            raise InvalidRequest("The token was issued to another client")

    async def _end(self, client: Client, handle: Handle) -> bool:
        ended = await self._counter.grants.end(handle.account_id, handle.item_id, client.client_id)
        if ended:
            self._note(client, handle.account_id, {"grant": handle.item_id})
        return ended

    def _note(self, client: Client, account: str, detail: dict[str, Any]) -> None:
        whose = None if account == NOBODY else account
        now = self._counter.clock.now()
        event = AuditEvent("token.revoked", now, "client", whose, client.client_id, detail)
        note_soon(self._counter.audit, event)

    async def _access(self, client: Client, token: str) -> bool:
        """End an access token: its grant, or itself where the grant is not the client's to end.

        So it is with what a client got for itself, and with what it got in exchange.
        """
        counter = self._counter
        try:
            access = counter.mint.access_token(token)
        except InvalidToken:
            return True
        if access.client_id != client.client_id:
            return False
        account, grant = access.account_id, access.grant_id
        if account != NOBODY and await self._end(client, Handle(account, grant)):
            return True
        left = seconds(access.claims["exp"]) - counter.clock.now() + counter.lifetimes.skew
        await counter.grants.end_token(account, grant, access.unique, seconds=left)
        self._note(client, account, {"grant": grant, "token_only": True})
        return True
