"""The refresh token grant (RFC 6749 §6, RFC 9700 §4.14, OpenID Connect Core §12)."""

from dataclasses import replace
from typing import Any, Final

from broker.core import dpop
from broker.core import vocabulary as v
from broker.core.access import reasons
from broker.core.audit import note
from broker.core.errors import (
    AuthorizationLost,
    InvalidGrant,
    InvalidRequest,
    InvalidScope,
    InvalidTarget,
)
from broker.core.grants import Counter
from broker.core.handles import Handle, Kind
from broker.core.model import AuditEvent, Client
from broker.core.parameters import Parameters
from broker.core.policy.rules import Rules
from broker.core.ports import GrantAlive, GrantRefused, Proof, RefreshRequest, Refusal, Rotation

_SIGN_IN_AGAIN: Final = "What the app needs to know is not told any more: sign in again"
# What the client's own developer reads; another client's token is as good as none.
_TOLD: Final = {
    Refusal.EXPIRED: "The refresh token has expired: sign in again",
    Refusal.REUSED: "The refresh token was used before: all that came of it has been revoked; "
    "keep the newest one",
    Refusal.NO_SESSION: "The sign-in that it came from is over: sign in again",
}


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
                than the grace time ago ends its grant; so does a policy that refuses the person.
                Where the person has to sign in again at Discord, the grant waits for that.
            UpstreamUnavailable: Discord does not answer, and what was last known of the person is
                too old; nothing was spent.
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
        if "" in scope or (scope and not set(scope).intersection(client.scopes)):
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
            offline=v.SCOPE_OFFLINE in client.scopes,
        )
        rules = counter.access.rules(client)
        result = await self._step(wanted, rules)
        if isinstance(result, GrantRefused):
            raise dpop.refusal(result.reason, proof) or await self._refusal(client, handle, result)
        if result.rotation is Rotation.ADOPTED:
            await self._note("grant.adopted", client, handle)
        if rules is not None:
            await self._must_be_let_in(client, rules, handle, result)
        grant = result.grant
        return await counter.mint.answer(
            client,
            grant,
            await counter.told(client, scope or grant.scope, result),
            scope=scope or grant.scope,
            resources=resources or grant.resources,
            id_token=self.id_token(client),
            proof=proof,
        )

    async def _step(self, wanted: RefreshRequest, rules: Rules | None) -> GrantAlive | GrantRefused:
        """Take the step; what is known of the person is read again first where it is too old."""
        counter, account_id = self._counter, wanted.account_id
        if rules is None:
            return await counter.step(account_id, lambda: counter.grants.refresh(wanted))

        async def take(read_after: float) -> GrantAlive | GrantRefused | None:
            step = replace(wanted, community=rules.wanted(read_after))
            result = await counter.step(account_id, lambda: counter.grants.refresh(step))
            stale = isinstance(result, GrantRefused) and result.reason is Refusal.STALE_FACTS
            return None if stale else result

        try:
            return await counter.access.recheck.fresh(account_id, rules.needs, take)
        except AuthorizationLost as error:
            raise InvalidGrant(_SIGN_IN_AGAIN, error.private) from None

    async def _must_be_let_in(
        self, client: Client, rules: Rules, handle: Handle, alive: GrantAlive
    ) -> None:
        """End the grant of somebody whom the policies that hold for the client refuse by now."""
        counter, now = self._counter, self._counter.clock.now()
        verdict = rules.judge(alive.facts, now)
        if verdict.allowed:
            return
        account_id, grant_id, client_id = handle.account_id, handle.item_id, client.client_id
        await counter.grants.end(account_id, grant_id, client_id)
        detail = {"grant": grant_id, "reasons": reasons(verdict.all())}
        event = AuditEvent("access.ended", now, "system", account_id, client_id, detail)
        await note(counter.audit, event)
        raise InvalidGrant("This person may not use the app any more", "the policy refuses")

    async def _refusal(self, client: Client, handle: Handle, refused: GrantRefused) -> Exception:
        if refused.reason is Refusal.SCOPE:
            return InvalidScope()
        if refused.reason is Refusal.RESOURCE:
            return InvalidTarget()
        if refused.reason is Refusal.REUSED:
            await self._note("grant.reused", client, handle)
        return InvalidGrant(_TOLD.get(refused.reason, ""), f"refresh token: {refused.reason}")

    async def _note(self, kind: str, client: Client, handle: Handle) -> None:
        counter = self._counter
        detail = {"grant": handle.item_id, "generation": handle.generation}
        event = AuditEvent(
            kind, counter.clock.now(), "client", handle.account_id, client.client_id, detail
        )
        await note(counter.audit, event)
