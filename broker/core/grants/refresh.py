"""The refresh token grant (RFC 6749 §6, RFC 9700 §4.14, OpenID Connect Core §12)."""

from dataclasses import replace
from typing import Any

from broker.core import dpop
from broker.core.audit import note
from broker.core.errors import InvalidGrant, InvalidRequest, InvalidScope, InvalidTarget
from broker.core.grants import Counter
from broker.core.handles import Handle, Kind
from broker.core.model import AuditEvent, Client
from broker.core.parameters import Parameters
from broker.core.ports import GrantRefused, Proof, RefreshRequest, Refusal, Rotation


class RefreshGrant:
    """Spends a generation, names the next.

    Args:
        counter: what the token endpoint has at hand.
    """

    def __init__(self, counter: Counter) -> None:
        self._counter = counter

    def id_token(self, client: Client) -> bool:
        """Return whether the client wants one at a refresh (OpenID Connect Core §12.2)."""
        return client.id_token_at_refresh

    async def answer(
        self, client: Client, params: Parameters, proof: Proof | None
    ) -> dict[str, Any]:
        """Return new tokens; the refresh token among them is the grant's one live token.

        Raises:
            InvalidGrant: the token is unknown, foreign, expired or ended. A token spent longer
                than the grace time ago ends its grant.
            InvalidScope, InvalidTarget: wider than granted; nothing was spent.
            InvalidDpopProof: the token is bound to a key, and no proof came; or the proof was used.
        """
        counter = self._counter
        token = params.one("refresh_token")
        if token is None:
            raise InvalidRequest("refresh_token is missing")
        handle = counter.handles.open(Kind.REFRESH, token)
        if handle is None:
            raise InvalidGrant(private="not a refresh token of ours")
        scope = params.words("scope")
        if "" in scope:
            raise InvalidScope
        resources = params.many("resource")
        wanted = RefreshRequest(
            account_id=handle.account_id,
            grant_id=handle.item_id,
            generation=handle.generation,
            client_id=client.client_id,
            scope=scope or None,
            resources=resources,
            now=counter.clock.now(),
            grace=counter.lifetimes.refresh_grace,
            grant_idle=client.grant_idle or counter.lifetimes.grant_idle,
            rotate=client.rotate_refresh_tokens,
            proof=proof,
            public=client.public,
        )
        result = await counter.step(handle.account_id, lambda: counter.grants.refresh(wanted))
        if isinstance(result, GrantRefused):
            raise dpop.refusal(result.reason, proof) or await self._refusal(client, handle, result)
        if result.rotation is Rotation.ADOPTED:
            await self._note("grant.adopted", client, handle)
        grant = result.grant
        return await counter.mint.answer(
            client,
            replace(grant, nonce=None),
            result.facts,
            scope=scope or grant.scope,
            resources=resources or grant.resources,
            id_token=self.id_token(client),
            proof=proof,
        )

    async def _refusal(self, client: Client, handle: Handle, refused: GrantRefused) -> Exception:
        if refused.reason is Refusal.SCOPE:
            return InvalidScope()
        if refused.reason is Refusal.RESOURCE:
            return InvalidTarget()
        if refused.reason is Refusal.REUSED:
            await self._note("grant.reused", client, handle)
        return InvalidGrant(private=f"refresh token: {refused.reason}")

    async def _note(self, kind: str, client: Client, handle: Handle) -> None:
        counter = self._counter
        detail = {"grant": handle.item_id, "generation": handle.generation}
        event = AuditEvent(
            kind, counter.clock.now(), "client", handle.account_id, client.client_id, detail
        )
        await note(counter.audit, event)
