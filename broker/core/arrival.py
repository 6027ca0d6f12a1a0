"""What an answer from upstream says: who came, what was granted, what has to be known besides.

Everything is read before anything is written.
"""

from dataclasses import dataclass, replace
from typing import Final

from broker.core import trips
from broker.core.audit import note
from broker.core.community.model import Community
from broker.core.deadlines import Span, TookTooLong
from broker.core.desk import Desk
from broker.core.device.approval import deny
from broker.core.errors import (
    AccessDenied,
    AuthorizationLost,
    BadCallback,
    Declined,
    GrantedTooLittle,
    ServerError,
    TemporarilyUnavailable,
    UpstreamPage,
    UpstreamRejected,
    UpstreamUnavailable,
)
from broker.core.federation import (
    CommunityUpstream,
    IssuerUpstream,
    SignedIn,
)
from broker.core.model import AuditEvent, Client, PendingRequest
from broker.core.parameters import Parameters
from broker.core.responses import refusal

LONGEST: Final = 9.0  # seconds for all that is read; less than a request may take in all
_NOBODYS: Final = Client("", "", scopes=())  # in place of one that is gone: the next page says so


@dataclass(frozen=True, slots=True)
class Arrival:
    """What came of a trip: who it is, and what is known of that person's communities.

    Attributes:
        signed_in: as upstream says.
        began: when upstream was asked. A session begins then: so it ends with an authorization
            that was withdrawn while the answer was on its way.
        community: what was read that has to be known for the request's client, or None.
        asked_later: whether upstream may have to be asked again.
    """

    signed_in: SignedIn
    began: float
    community: Community | None = None
    asked_later: bool = False


async def arrived(desk: Desk, pending: PendingRequest, params: Parameters) -> Arrival | None:
    """Return who came, with what has to be known; None where too little was granted for it."""
    await _must_be_its(desk, pending, params)
    await _refused_upstream(desk, pending, params)
    code = params.one("code")
    if code is None:
        raise BadCallback(private="neither code nor error")
    client = await desk.clients.find(pending.request.client_id)
    try:
        return await Span(LONGEST).within(_read(desk, pending, code, client or _NOBODYS))
    except TookTooLong as error:
        slow = UpstreamUnavailable(private="upstream: too slow")
        raise trips.unavailable(desk, pending, slow) from error
    except UpstreamUnavailable as error:
        raise trips.unavailable(desk, pending, error) from error
    except (UpstreamRejected, AuthorizationLost) as error:
        title = desk.upstreams[pending.upstream].title
        rejected = UpstreamRejected(error.public if error.public != error.title else "")
        raise UpstreamPage(
            trips.said(rejected, title),
            private=error.private,
            links=desk.ways_on(pending),
        ) from error


async def _must_be_its(desk: Desk, pending: PendingRequest, params: Parameters) -> None:
    """Refuse an answer that names another issuer than the one that was asked (RFC 9207)."""
    upstream = desk.upstreams[pending.upstream]
    if not isinstance(upstream, IssuerUpstream):
        return
    try:
        if not await upstream.answered(params.one("iss")):
            raise BadCallback(private="iss is not that of the upstream (RFC 9207)")
    except UpstreamUnavailable as error:
        raise trips.unavailable(desk, pending, error) from error


async def _read(desk: Desk, pending: PendingRequest, code: str, client: Client) -> Arrival | None:
    upstream, access = desk.upstreams[pending.upstream], desk.access
    needs, began = access.needs(client), desk.clock.now()
    signed_in = await upstream.fetch(code=code, verifier=pending.verifier)
    granted = signed_in.authorization
    if granted is None or not isinstance(upstream, CommunityUpstream):
        return Arrival(signed_in, began, asked_later=client.upstream_token)
    if upstream.lacks(granted.scope, needs) and not pending.asked_again:
        return None
    # An address that the person keeps to themselves is no hindrance, unless a policy says so.
    if upstream.lacks(granted.scope, replace(needs, email=False)):
        await _note_too_little(desk, client)
        raise GrantedTooLittle(links=desk.ways_on(pending))
    if not needs.membership:
        return Arrival(signed_in, began, asked_later=client.upstream_token)
    community = await upstream.community(granted.access_token, needs, waiting=True)
    community = await access.recheck.ours(community, client.guilds)
    return Arrival(signed_in, began, community, asked_later=True)


async def _note_too_little(desk: Desk, client: Client) -> None:
    detail = {"reasons": GrantedTooLittle.code}
    event = AuditEvent("access.refused", desk.clock.now(), "person", None, client.client_id, detail)
    await note(desk.audit, event)


async def _refused_upstream(desk: Desk, pending: PendingRequest, params: Parameters) -> None:
    """An error in place of a code (RFC 6749 §4.1.2.1) goes on to the client."""
    request, error = pending.request, params.one("error")
    if error is None:
        return
    await desk.requests.finish(pending.request_id)
    if request.inward is not None:
        why = f"{pending.upstream} answered with error {error[:40]!r}"
        raise Declined(private=why, links=(desk.back_link(pending.request),))
    denied = error == AccessDenied.code
    if denied:
        await deny(desk, request)
        event = AuditEvent("sign_in.declined", desk.clock.now(), "person", None, request.client_id)
        await note(desk.audit, event)
    await desk.client_of(pending)  # nobody is sent to where the client is no more
    if denied:
        raise refusal(request, AccessDenied())
    kind = TemporarilyUnavailable if error == TemporarilyUnavailable.code else ServerError
    cause = kind(private=f"upstream answered with error {error[:40]!r}")
    raise refusal(request, cause)
