"""Token exchange of an upstream's access token for ours (RFC 8693): apps without a redirect.

Discord's Activities run inside Discord, bots have no browser: what they hold is an access token of
Discord for the person. ``subject_issuer`` (Keycloak's name for it) says whose token it is. In this
order:

1. *count*: whoever keeps offering worthless tokens is turned away before Discord is asked; good
   ones cost nothing;
2. *owner*: the token has to be one for our application. Any other application has tokens of the
   same people, and could come by ours with them (token substitution);
3. *read*: the profile, and what of communities the client has to know and the token reaches;
4. *sign in*: as at the end of a trip to Discord: the account, a session of its own, the policies
   that hold for the client;
5. *grant*: a code is written in that session and redeemed at once, by the steps of every sign-in.
   A crash before the redemption leaves a session that no browser knows of, and no grant. The grant
   is named as the session: by that the steps know that the session is there for it alone, and
   end it with the grant.

Nobody is asked for consent on a page of ours, for there is no browser: an operator has given the
client this way, and the person has let our application in at Discord.
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from broker.core import dpop
from broker.core import vocabulary as v
from broker.core.audit import note
from broker.core.claims import UNKNOWN
from broker.core.desk import Desk
from broker.core.entry import Admitted, NotAdmitted, admit
from broker.core.errors import (
    AccessDenied,
    InvalidRequest,
    InvalidScope,
    SignInRefused,
    StoreUnavailable,
    UnauthorizedClient,
)
from broker.core.federation import CommunityUpstream, UpstreamAuthorization
from broker.core.grants import Counter
from broker.core.grants.exchange import TYPE_ACCESS, targeted, unusable
from broker.core.grants.offered import Offered, OfferedTokens, Offers
from broker.core.handles import Handle
from broker.core.model import AuditEvent, AuthorizationRequest, Client, Session
from broker.core.parameters import Parameters
from broker.core.ports import (
    CodeIssued,
    CodeRedemption,
    CodeRequest,
    GrantAlive,
    GrantRefused,
    Proof,
)

UPSTREAM: Final = "upstream"
LONGEST: Final = 2048  # characters of a token
_PLACE: Final = v.GRANT_EXCHANGE  # stands where a code has a redirect URI; nobody is sent there


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is asked for, proven to be the client's to ask."""

    scope: tuple[str, ...]
    resources: tuple[str, ...]


class UpstreamExchange:
    """Signs people in by tokens that an upstream gave to our application.

    Args:
        desk: what a sign-in has at hand.
        counter: what the token endpoint has at hand.
        offers: counts worthless tokens.
    """

    def __init__(self, desk: Desk, counter: Counter, offers: Offers) -> None:
        self._desk = desk
        self._counter = counter
        self._tokens = OfferedTokens(desk, offers)

    async def answer(
        self, client: Client, params: Parameters, proof: Proof | None
    ) -> dict[str, Any]:
        """Return the first tokens of a grant, as for a code (RFC 8693 §2.2.1).

        Raises:
            UnauthorizedClient: the client may not exchange in this way.
            InvalidRequest: the token is not good, is another application's or nobody's, or the
                account behind it is switched off: always the same words.
            AccessDenied: the policies that hold for the client refuse the person.
            InvalidScope, InvalidTarget: more than the client may have.
            InvalidDpopProof: the proof was used before.
            TooManyRequests: too many worthless tokens came from there.
            UpstreamUnavailable: the upstream does not answer; nothing was changed.
        """
        if UPSTREAM not in client.exchange:
            raise UnauthorizedClient(f"This client may not exchange tokens for {UPSTREAM}")
        _types(params)
        upstream = self._upstream(client, params.one("subject_issuer"))
        wanted = _Wanted(_scope(client, params), targeted(client, params))
        token = params.one("subject_token", longest=LONGEST)
        if token is None:
            raise InvalidRequest("subject_token is missing")
        began = self._desk.clock.now()
        offered = await self._tokens.read(client, params.asker(), upstream, token)
        session = await self._signed_in(client, offered, began)
        try:
            alive = await self._granted(client, session, wanted, proof)
        except Exception:
            await self._end(session)
            raise
        await self._note(client, session, wanted, alive)
        answer = await self._counter.mint.answer(
            client,
            alive.grant,
            await self._counter.told(client, alive.grant.scope, alive),
            scope=alive.grant.scope,
            resources=alive.grant.resources,
            id_token=True,
            proof=proof,
        )
        return {"issued_token_type": TYPE_ACCESS, **answer}

    def _upstream(self, client: Client, name: str | None) -> CommunityUpstream:
        """Return whose token it is."""
        found = self._desk.upstreams.get(name or "")
        if not isinstance(found, CommunityUpstream) or (
            client.upstreams and found.name not in client.upstreams
        ):
            raise InvalidRequest("subject_issuer names nobody whose tokens are taken here")
        return found

    async def _signed_in(self, client: Client, offered: Offered, began: float) -> Session:
        """Make or find the account, and open a session of its own.

        It begins with the question to the upstream: so it ends with an authorization that was
        withdrawn while the answer was on its way.
        """
        desk, profile = self._desk, offered.profile
        try:
            account_id, facts = await desk.accounts.sign_in(
                profile, now=desk.clock.now(), community=offered.community
            )
        except SignInRefused as error:
            event = AuditEvent(
                "sign_in.refused", desk.clock.now(), "person", None, client.client_id
            )
            await note(desk.audit, event)
            raise unusable("subject_token", error.private) from error
        session = Session(
            account_id=account_id,
            sid=desk.new_id(),
            generation=0,
            created_at=began,
            auth_time=UNKNOWN,  # an upstream tells of its token, not of its person
            expires_at=began + desk.lifetimes.session,
            upstream=profile.upstream,
            device=client.name,
        )
        opened = not facts.disabled and await desk.sessions.open(
            session, facts, now=desk.clock.now(), idle=desk.lifetimes.session_idle
        )
        kind = "sign_in" if opened else "sign_in.refused"
        event = AuditEvent(kind, desk.clock.now(), "person", account_id, client.client_id)
        await note(desk.audit, event)
        if not opened:
            raise unusable(
                "subject_token", "the account is switched off, or was signed out meanwhile"
            )
        await self._keep(client, offered, account_id)
        return session

    async def _keep(self, client: Client, offered: Offered, account_id: str) -> None:
        """Keep the token where the upstream may have to be asked again, unless there is a better.

        One that can be renewed, which a sign-in has brought, gives way to none that reaches less.
        """
        desk, upstream, scope = self._desk, offered.profile.upstream, offered.owner.scope
        if not (client.upstream_token or desk.access.needs(client).membership):
            return
        kept = await desk.authorizations.get(account_id, upstream)
        if kept is not None and not kept.lost:
            known = kept.authorization
            less, more = set(known.scope) - set(scope), set(scope) - set(known.scope)
            if less or (known.refresh_token is not None and not more):
                return
        brought = UpstreamAuthorization(offered.token, None, scope, offered.owner.expires_at)
        await desk.authorizations.keep(account_id, upstream, brought, now=desk.clock.now())

    async def _granted(
        self, client: Client, session: Session, wanted: _Wanted, proof: Proof | None
    ) -> GrantAlive:
        """Judge the person as at every sign-in, then write a code and redeem it."""
        desk = self._desk
        handle = Handle(session.account_id, session.sid, session.generation)
        admitted = await admit(desk, client, handle)
        if isinstance(admitted, NotAdmitted):
            raise AccessDenied("This person may not use the app", "the policy refuses")
        if not isinstance(admitted, Admitted):
            raise InvalidRequest(
                "The subject_token does not tell what has to be known", private=admitted.reason
            )
        code_id = desk.new_id()
        issued = await desk.sessions.issue_code(
            CodeRequest(
                account_id=session.account_id,
                sid=session.sid,
                generation=session.generation,
                code_id=code_id,
                request=AuthorizationRequest(
                    client.client_id, _PLACE, wanted.scope, resources=wanted.resources
                ),
                now=desk.clock.now(),
                code_lifetime=desk.lifetimes.code,
                session_idle=desk.lifetimes.session_idle,
            )
        )
        if not isinstance(issued, CodeIssued):
            raise unusable("subject_token", f"no code: {issued.reason}")
        return await self._redeemed(client, session, code_id, proof)

    async def _redeemed(
        self, client: Client, session: Session, code_id: str, proof: Proof | None
    ) -> GrantAlive:
        counter = self._counter
        wanted = CodeRedemption(
            account_id=session.account_id,
            code_id=code_id,
            client_id=client.client_id,
            redirect_uri=_PLACE,
            code_challenge=None,
            grant_id=session.sid,
            now=counter.clock.now(),
            grant_lifetime=client.grant_lifetime or counter.lifetimes.grant,
            grant_idle=client.grant_idle or counter.lifetimes.grant_idle,
            proof=proof,
            bind=client.public,
            community=counter.access.wanted(client),
        )
        result = await counter.step(session.account_id, lambda: counter.grants.redeem(wanted))
        if isinstance(result, GrantRefused):
            raise dpop.refusal(result.reason, proof) or unusable(
                "subject_token", f"no grant: {result.reason}"
            )
        return result

    async def _end(self, session: Session) -> None:
        """End a session that came to nothing; where that fails, nobody holds a way into it."""
        now = self._desk.clock.now()
        with suppress(StoreUnavailable):
            await self._desk.sessions.end(session.account_id, session.sid, now=now)

    async def _note(
        self, client: Client, session: Session, wanted: _Wanted, alive: GrantAlive
    ) -> None:
        detail = {
            "way": UPSTREAM,
            "from": session.upstream,
            "for": " ".join(wanted.resources),
            "grant": alive.grant.grant_id,
        }
        now, account_id = self._desk.clock.now(), session.account_id
        event = AuditEvent("token.exchanged", now, "client", account_id, client.client_id, detail)
        await note(self._desk.audit, event)


def _types(params: Parameters) -> None:
    """RFC 8693 §2.1, §3: an access token goes in, nobody acts for anybody, one comes out."""
    if params.one("subject_token_type") != TYPE_ACCESS:
        raise InvalidRequest("subject_token_type must be that of an access token")
    if "actor_token" in params or "actor_token_type" in params:
        raise InvalidRequest("Nobody acts for a person whose token is an upstream's")
    if params.one("requested_token_type") not in {None, TYPE_ACCESS}:
        raise InvalidRequest("Only access tokens are given for others")


def _scope(client: Client, params: Parameters) -> tuple[str, ...]:
    """Return what is asked for; all that the client may have where nothing is.

    Only ``offline_access``, a grant that outlives its session, has to be asked for.
    """
    asked = params.words("scope")
    if not set(asked) <= set(client.scopes):
        raise InvalidScope("The scope is unknown, or this client is not registered for it")
    return asked or tuple(word for word in client.scopes if word != v.SCOPE_OFFLINE)
