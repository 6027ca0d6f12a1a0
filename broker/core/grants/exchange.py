"""Token exchange (RFC 8693): a service that was called calls another in the person's name.

Impersonation (§1.1): the new token speaks of the subject, as if the subject had come itself.
Delegation: it says in ``act`` (§4.1) who acts, and who acted before. Which of the two a client may
do is in its registration, and both are noted in the audit log.

What is exchanged are access tokens of ours, by those whom they are for: clients that are their
audience, or that serve an API which is (``introspected_by``). The new token is never more than the
old one: not wider in scope, not longer alive, not freed from a key that binds it, and dead with
the grant behind it. It opens APIs, never the person's profile here: no scope of OpenID Connect is
carried over; roles are, as old as they are, where the scope says so. Its ``sub`` is the subject
token's, so a pairwise one stays what its client knew.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from broker.core import vocabulary as v
from broker.core.apis import served_by
from broker.core.audit import note_soon
from broker.core.claims import authorizing
from broker.core.errors import (
    InvalidRequest,
    InvalidScope,
    InvalidTarget,
    InvalidToken,
    UnauthorizedClient,
)
from broker.core.grants import Counter
from broker.core.handles import NOBODY, Handle
from broker.core.living import alive
from broker.core.minted import AccessToken, seconds
from broker.core.model import AuditEvent, Client
from broker.core.parameters import Parameters
from broker.core.ports import Proof
from broker.core.tokens import confirmation

IMPERSONATION: Final = "impersonation"
DELEGATION: Final = "delegation"
TYPE_ACCESS: Final = "urn:ietf:params:oauth:token-type:access_token"
TYPE_JWT: Final = "urn:ietf:params:oauth:token-type:jwt"
MOST_ACTORS: Final = 4

_OF_PROFILE: Final = frozenset((*v.SCOPES, v.SCOPE_GUILDS))


@dataclass(frozen=True, slots=True)
class _Given:
    """What is exchanged: the token of whom it is about, and of who is to act, if anybody."""

    subject: AccessToken
    actor: AccessToken | None = None

    @property
    def all(self) -> tuple[AccessToken, ...]:
        """Each of them."""
        return (self.subject,) if self.actor is None else (self.subject, self.actor)


class ExchangeGrant:
    """Exchanges access tokens.

    Args:
        counter: what the token endpoint has at hand.
    """

    def __init__(self, counter: Counter) -> None:
        self._counter = counter

    def id_token(self, client: Client) -> bool:
        """Return False: only access tokens are given (RFC 8693 §3)."""
        del client
        return False

    async def answer(
        self, client: Client, params: Parameters, proof: Proof | None = None
    ) -> dict[str, Any]:
        """Return the new token (RFC 8693 §2.2.1). One Redis round trip, two at once with an actor.

        Raises:
            UnauthorizedClient: the client may not exchange in this way.
            InvalidRequest: a token is not one of ours, not alive, not for this client, or bound to
                a key that was not proven; or another type of token is asked for.
            InvalidDpopProof: the proof was used before.
            InvalidScope, InvalidTarget: more than the subject token or the client may have.
        """
        way = DELEGATION if "actor_token" in params else IMPERSONATION
        if client.public or way not in client.exchange:
            raise UnauthorizedClient(f"This client may not exchange tokens for {way}")
        _types(params)
        given = _Given(await self._presented(client, params, "subject_token", proof))
        if way == DELEGATION:
            actor = await self._presented(client, params, "actor_token", proof)
            given = replace(given, actor=actor)
        act = _acting(given)
        targets, scope = targeted(client, params), _scope(client, given.subject, params)
        await self._living(given, proof)
        more = confirmation(proof) | ({} if act is None else {"act": act})
        answer = await self._issue(client, given, more, targets, scope)
        self._note(client, given, targets)
        return {"issued_token_type": TYPE_ACCESS, **answer}

    async def _presented(
        self, client: Client, params: Parameters, name: str, proof: Proof | None
    ) -> AccessToken:
        """Return a token that this client may present: ours, and meant for it (RFC 8693 §2.1)."""
        token = params.one(name)
        if token is None:
            raise InvalidRequest(f"{name} is missing")
        try:
            found = self._counter.mint.access_token(token)
        except InvalidToken as error:
            raise unusable(name, error.private) from None
        apis = await self._counter.mint.signing.apis.registered()
        own = name == "actor_token" and found.client_id == client.client_id
        if not own and not served_by(apis, found.audience, client):
            raise unusable(name, "not for this client")
        bound(found, proof, name)
        return found

    async def _living(self, given: _Given, proof: Proof | None) -> None:
        """Both are looked at in the same moment; the proof is used up with the subject's."""
        looks = [self._alive("subject_token", given.subject, proof)]
        if given.actor is None:
            await looks[0]
            return
        looks.append(self._alive("actor_token", given.actor, None))
        for outcome in await asyncio.gather(*looks, return_exceptions=True):
            if outcome is not None:
                raise outcome

    async def _alive(self, name: str, token: AccessToken, proof: Proof | None) -> None:
        try:
            await alive(self._counter, token, proof)
        except InvalidToken as error:
            raise unusable(name, error.private) from None

    async def _issue(
        self,
        client: Client,
        given: _Given,
        more: Mapping[str, Any],
        targets: tuple[str, ...],
        scope: tuple[str, ...],
    ) -> dict[str, Any]:
        mint, subject = self._counter.mint, given.subject
        claims = subject.claims
        kept = {name: claims[name] for name in ("auth_time", "acr") if name in claims}
        kept |= authorizing(claims, scope)
        # Never the handle of a token which a client got for itself: that one has ORIGINAL.
        handle = Handle(subject.account_id, subject.grant_id, mint.unique() | 1)
        until = min([seconds(token.claims.get("exp")) for token in given.all])
        return await mint.access_answer(
            client,
            handle,
            str(claims["sub"]),
            scope=scope,
            resources=targets,
            more={**kept, **more},
            until=until,
        )

    def _note(self, client: Client, given: _Given, targets: tuple[str, ...]) -> None:
        subject, actor = given.subject, given.actor
        detail: dict[str, Any] = {
            "way": IMPERSONATION if actor is None else DELEGATION,
            "from": subject.client_id,
            "for": " ".join(targets),
        }
        if actor is not None:
            detail["actor"] = str(actor.claims["sub"])
        account = None if subject.account_id == NOBODY else subject.account_id
        now = self._counter.clock.now()
        event = AuditEvent("token.exchanged", now, "client", account, client.client_id, detail)
        note_soon(self._counter.audit, event)


def _types(params: Parameters) -> None:
    """RFC 8693 §2.1, §3: access tokens of ours go in, called that or JWTs; one comes out."""
    if params.one("subject_token_type") not in {TYPE_ACCESS, TYPE_JWT}:
        raise InvalidRequest("subject_token_type must be that of an access token of ours")
    given, kind = "actor_token" in params, params.one("actor_token_type")
    if (given and kind not in {TYPE_ACCESS, TYPE_JWT}) or (not given and kind is not None):
        raise InvalidRequest("actor_token_type must be that of an access token, beside one")
    if params.one("requested_token_type") not in {None, TYPE_ACCESS}:
        raise InvalidRequest("Only access tokens are given for others")


def bound(token: AccessToken, proof: Proof | None, name: str) -> None:
    """Refuse a token that is bound to a key which was not proven (RFC 9449 §7.1).

    Raises:
        InvalidRequest: it is; ``name`` is the parameter it came in.
    """
    if "cnf" in token.claims and (proof is None or token.claims["cnf"] != {"jkt": proof.jkt}):
        raise unusable(name, "bound to a key that was not proven")


def _acting(given: _Given) -> Mapping[str, Any] | None:
    """Return ``act`` (RFC 8693 §4.1): the actor, and inside it who acted before."""
    before: Mapping[str, Any] | None = given.subject.claims.get("act")
    actor = given.actor
    if actor is None:
        return before
    if "act" in actor.claims:
        raise unusable("actor_token", "its bearer acts for somebody else")
    act: dict[str, Any] = {"sub": actor.claims["sub"], "client_id": actor.client_id}
    if before is not None:
        act["act"] = before
    if _depth(act) > MOST_ACTORS:
        raise InvalidRequest(f"More than {MOST_ACTORS} would act for one another")
    return act


def _depth(act: object) -> int:
    depth = 0
    while isinstance(act, dict):
        depth, act = depth + 1, act.get("act")
    return depth


def targeted(client: Client, params: Parameters) -> tuple[str, ...]:
    """Return whom the new token is for; ``resource`` and ``audience`` alike name registered APIs.

    Raises:
        InvalidTarget: it names what the client is not registered for.
    """
    wanted = tuple(dict.fromkeys((*params.many("resource"), *params.many("audience"))))
    if not set(wanted) <= set(client.resources):
        raise InvalidTarget("This client is not registered for the resource or audience")
    return wanted


def _scope(client: Client, subject: AccessToken, params: Parameters) -> tuple[str, ...]:
    """What both the subject token and the client have, or the part of it that is asked for."""
    may = set(client.scopes) - _OF_PROFILE
    most = tuple(word for word in subject.scope if word in may)
    asked = params.words("scope")
    if not set(asked) <= set(most):
        raise InvalidScope("The scope is more than the subject token and the client have")
    return asked or most


def unusable(name: str, why: str) -> InvalidRequest:
    """Return the error of a token that may not be exchanged: the same words whatever is wrong.

    RFC 8693 §2.2.2. ``name`` is the parameter it came in, ``why`` is for the log.
    """
    return InvalidRequest(f"The {name} is not one that may be exchanged here", private=why)
