"""Trips upstream: the way there; the way back is ``broker.core.callback``."""

from dataclasses import replace

from broker.core.community.model import Community
from broker.core.community.needs import Needs
from broker.core.csrf import browser_digest
from broker.core.desk import Desk
from broker.core.errors import BrokerError, UpstreamUnavailable
from broker.core.federation import Upstream
from broker.core.handles import Handle, Kind
from broker.core.model import Facts, PendingRequest
from broker.core.outcomes import Browser, Redirect
from broker.core.pkce import encode
from broker.core.texts import Text


async def begin(
    desk: Desk,
    pending: PendingRequest,
    browser: Browser,
    *,
    upstream: Upstream,
    prompt: str,
    known: Facts | None = None,
) -> Redirect:
    """Begin a trip upstream: a new attempt and a new PKCE verifier, kept with the request.

    No more is asked for than the client needs to be known; of somebody who is signed in, with what
    is known for the sake of other clients: else these would lose it.

    Args:
        desk: what a sign-in needs at hand.
        pending: the request under way.
        browser: what the browser brought.
        upstream: where to; ``broker.core.choice`` finds it.
        prompt: ``none`` or ``consent``.
        known: the facts of who is signed in, or None.

    Raises:
        UpstreamUnavailable: it cannot be found at the moment; the request can be tried again.
    """
    needs = await needs_of(desk, pending)
    key = browser.key or encode(desk.entropy.token(24))
    pending = replace(
        pending,
        browser=browser_digest(key),
        upstream=upstream.name,
        attempt=desk.new_id(),
        verifier=encode(desk.entropy.token(32)),
        trip_at=desk.clock.now(),
        choosing=False,
        asking=prompt != "none",
    )
    await desk.requests.put(pending)
    try:
        location = await upstream.authorization_url(
            state=desk.handles.make(Kind.ATTEMPT, Handle(pending.attempt, pending.request_id)),
            verifier=pending.verifier,
            prompt=prompt,
            login_hint=pending.request.login_hint or "",
            needs=needs if known is None else _with_known(needs, known.community),
        )
    except UpstreamUnavailable as error:
        raise unavailable(desk, pending, error) from error
    return Redirect(location, browser=None if browser.key else key)


async def needs_of(desk: Desk, pending: PendingRequest) -> Needs:
    """Return what has to be known of the person for the client of a request.

    Raises:
        ServerError: the client's policy cannot be read.
        StoreUnavailable: the client cannot be read.
    """
    client = await desk.clients.find(pending.request.client_id)
    return Needs() if client is None else desk.access.needs(client)


def unavailable(
    desk: Desk, pending: PendingRequest, error: UpstreamUnavailable
) -> UpstreamUnavailable:
    """Return the failure of a trip as its page tells it: by name, and with ways on."""
    public = said(error, desk.upstreams[pending.upstream].title)
    ways = desk.ways_on(pending)
    return UpstreamUnavailable(public, error.private, error.retry_after, ways)


def said(error: BrokerError, title: str) -> str:
    """Return what a failure of an upstream tells people, by the name that they know it by."""
    told = error.public
    return told.having(upstream=title) if isinstance(told, Text) and told == error.title else told


def _with_known(needs: Needs, known: Community) -> Needs:
    return Needs(
        needs.standings or tuple(known.standings),
        needs.listing or known.listed is not None,
        needs.email,
    )
