"""Which upstream a sign-in goes to: the only one there is, the one that is hinted at, or a choice.

::

    offered = those of the client (``Client.upstreams``), or all
              ─▶ one ─────────────────────────────────────────▶ trip
              ─▶ several, and ``idp_hint`` names one of them ──▶ trip
              ─▶ several ─▶ page ─▶ GET /interaction?upstream=… ▶ trip
"""

from dataclasses import replace

from broker.core import trips
from broker.core.csrf import browser_digest
from broker.core.desk import Desk
from broker.core.errors import UPSTREAM, ServerError
from broker.core.federation import CommunityUpstream, Upstream
from broker.core.model import Client, Facts, PendingRequest, Session
from broker.core.outcomes import Browser, ChoicePage, Redirect
from broker.core.pkce import encode
from broker.core.responses import refusal


def offered(desk: Desk, client: Client | None) -> dict[str, Upstream]:
    """Return the upstreams whose people may use a client, in the order of the settings.

    Where a client names none and has to know of communities, those that tell of them are enough:
    nobody else would get in.

    Args:
        desk: what a sign-in needs at hand.
        client: which, or None for a page of ours.
    """
    if client is None:
        return desk.upstreams
    if client.upstreams:
        return {name: one for name, one in desk.upstreams.items() if name in client.upstreams}
    tells = _telling(desk) if desk.access.needs(client).membership else {}
    return tells or desk.upstreams


async def go(
    desk: Desk,
    pending: PendingRequest,
    client: Client | None,
    browser: Browser,
    *,
    prompt: str,
    known: Facts | None = None,
) -> Redirect | ChoicePage:
    """Begin a trip upstream, or ask where to.

    Args:
        desk: what a sign-in needs at hand.
        pending: the request under way.
        client: who asks, or None for a page of ours.
        browser: what the browser brought.
        prompt: ``none`` or ``consent``.
        known: the facts of who is signed in, as ``trips.begin`` wants them.

    Raises:
        AuthorizationRefused: none of the client's upstreams is set up here (any more).
    """
    doors = offered(desk, client)
    if not doors:
        cause = ServerError(private="none of the client's upstreams is set up")
        raise refusal(pending.request, cause)
    hinted = doors.get(pending.request.idp_hint or "")
    only = hinted or (next(iter(doors.values())) if len(doors) == 1 else None)
    if only is not None:
        return await trips.begin(desk, pending, browser, upstream=only, prompt=prompt, known=known)
    return await _ask(desk, replace(pending, prompt=prompt), client, browser, tuple(doors))


async def chosen(
    desk: Desk, pending: PendingRequest, client: Client | None, browser: Browser, name: str
) -> Redirect | None:
    """Go where the person has chosen to; None where that is not offered, or nobody was asked.

    What is known of somebody who is signed in is asked for along with it, unless somebody else is
    to sign in. A choice that no page has offered would pass by what the request asks for: a sign-in
    anew, or no page at all.
    """
    upstream, prompt = offered(desk, client).get(name), pending.prompt
    if upstream is None or not prompt:
        return None
    signed_in = await desk.signed_in(desk.session_handle(browser)) if prompt == "none" else None
    known = signed_in[1] if signed_in else None
    return await trips.begin(desk, pending, browser, upstream=upstream, prompt=prompt, known=known)


async def other(desk: Desk, pending: PendingRequest, client: Client, browser: Browser) -> Redirect:
    """Let somebody else sign in; where there is a choice, on the request's next page."""
    doors = offered(desk, client)
    if len(doors) == 1:
        (upstream,) = doors.values()
        return await trips.begin(desk, pending, browser, upstream=upstream, prompt="consent")
    await desk.requests.put(replace(pending, choosing=True, prompt="consent"))
    return Redirect(desk.page_url(pending))


def telling(desk: Desk, client: Client, who: tuple[Session, Facts] | None) -> Upstream | None:
    """Return the upstream that can say more of somebody who is signed in; None where none can.

    Of communities only one that tells of them, and knows the person; of all else the one that
    vouched.
    """
    if who is None:
        return None
    session, known = who
    doors = offered(desk, client)
    if not desk.access.needs(client).membership:
        return doors.get(session.upstream)
    tells = _telling(desk)
    return next((doors[name] for name in tells if name in doors and name in known.identities), None)


def teller(desk: Desk) -> str:
    """Return how people call the upstream that tells of communities."""
    return next((one.title for one in _telling(desk).values()), UPSTREAM)


def vouched(client: Client, session: Session) -> bool:
    """Whether the client takes the word of the upstream that vouched for a session."""
    return not client.upstreams or session.upstream in client.upstreams


async def _ask(
    desk: Desk,
    pending: PendingRequest,
    client: Client | None,
    browser: Browser,
    doors: tuple[str, ...],
) -> ChoicePage:
    key = browser.key or encode(desk.entropy.token(24))
    pending = replace(pending, browser=browser_digest(key))
    await desk.requests.put(pending)
    cookie = None if browser.key else key
    locales = pending.request.ui_locales
    return ChoicePage(desk.request_handle(pending), client, doors, cookie, locales)


def _telling(desk: Desk) -> dict[str, Upstream]:
    return {n: one for n, one in desk.upstreams.items() if isinstance(one, CommunityUpstream)}
