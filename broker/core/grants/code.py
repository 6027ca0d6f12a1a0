"""The authorization code grant (RFC 6749 §4.1.3, OpenID Connect Core §3.1.3, RFC 7636 §4.6)."""

from typing import Any, Final

from broker.core import dpop, pkce
from broker.core.audit import note
from broker.core.errors import InvalidGrant, InvalidRequest, InvalidTarget
from broker.core.grants import Counter
from broker.core.handles import Kind
from broker.core.model import AuditEvent, Client
from broker.core.parameters import Parameters
from broker.core.ports import CodeRedemption, GrantRefused, Proof, Refusal

# What the client's own developer reads. It is told to the code's own client alone, and of use to
# nobody else: who lacks the verifier cannot come by it.
_TOLD: Final = {
    Refusal.MISMATCH: "The redirect_uri or the code_verifier is missing, or not that of the request"
    " which the code answers",
    Refusal.EXPIRED: "The code has expired: redeem it as soon as it comes",
    Refusal.REPLAYED: "The code was used before; the tokens that it led to have been revoked",
}
_MALFORMED: Final = "code_verifier must be 43 to 128 letters, digits or - . _ ~ (RFC 7636 §4.1)"


class CodeGrant:
    """Spends a code, makes its grant.

    Args:
        counter: what the token endpoint has at hand.
    """

    def __init__(self, counter: Counter) -> None:
        self._counter = counter

    def id_token(self, client: Client) -> bool:
        """Return True: the first answer holds one (OpenID Connect Core §3.1.3.3)."""
        del client
        return True

    async def answer(
        self, client: Client, params: Parameters, proof: Proof | None
    ) -> dict[str, Any]:
        """Return the first tokens of a grant.

        Raises:
            InvalidGrant: the code is unknown, foreign, expired, spent, or its redirect URI or
                verifier differ. Spent by this very client, its grant ends (RFC 6749 §4.1.2).
            InvalidTarget: a resource that the client is not registered for (RFC 8707 §2.2).
            InvalidDpopProof: the code is bound to a key, and no proof came; or the proof was used.
        """
        counter = self._counter
        code = params.one("code")
        if code is None:
            raise InvalidRequest("code is missing")
        resources = params.many("resource")
        if not set(resources) <= set(client.resources):
            raise InvalidTarget("This client is not registered for the resource")
        handle = counter.handles.open(Kind.CODE, code)
        if handle is None:
            raise InvalidGrant(private="not a code of ours")
        wanted = CodeRedemption(
            account_id=handle.account_id,
            code_id=handle.item_id,
            client_id=client.client_id,
            redirect_uri=params.one("redirect_uri") or _only(client),
            code_challenge=_challenge(params.one("code_verifier")),
            resources=resources,
            grant_id=counter.entropy.token(16).hex(),
            now=counter.clock.now(),
            grant_lifetime=client.grant_lifetime or counter.lifetimes.grant,
            grant_idle=client.grant_idle or counter.lifetimes.grant_idle,
            proof=proof,
            bind=client.public,
            community=counter.access.wanted(client),
        )
        result = await counter.step(handle.account_id, lambda: counter.grants.redeem(wanted))
        if isinstance(result, GrantRefused):
            await self._refused(client, handle.account_id, result)
            raise dpop.refusal(result.reason, proof) or (
                InvalidTarget
                if result.reason is Refusal.RESOURCE
                else InvalidGrant(_TOLD.get(result.reason, ""), f"code: {result.reason}")
            )
        grant = result.grant
        return await counter.mint.answer(
            client,
            grant,
            await counter.told(client, grant.scope, result),
            scope=grant.scope,
            resources=resources or grant.resources,
            id_token=True,
            proof=proof,
        )

    async def _refused(self, client: Client, account_id: str, refused: GrantRefused) -> None:
        if refused.reason is not Refusal.REPLAYED:
            return
        counter = self._counter
        event = AuditEvent(
            "code.replayed",
            counter.clock.now(),
            "client",
            account_id,
            client.client_id,
            {"grant": refused.ended or ""},
        )
        await note(counter.audit, event)


def _only(client: Client) -> str | None:
    """The one registered redirect URI need not be named (OpenID Connect Core §3.1.3.2)."""
    return client.redirect_uris[0] if len(client.redirect_uris) == 1 else None


def _challenge(verifier: str | None) -> str | None:
    """RFC 7636 §4.6; a malformed verifier is only a wrong one."""
    if verifier is None:
        return None
    challenge = pkce.challenge_of(verifier)
    if challenge is None:
        raise InvalidGrant(_MALFORMED, "malformed code_verifier")
    return challenge
