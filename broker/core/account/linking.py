"""Linking and unlinking identities, with a fresh sign-in to both.

A link is a trip upstream that belongs to one session of one browser: that session's own sign-in was
a moment ago, and the trip is the other identity's. Nobody's e-mail address plays a part in it, and
an identity of another account stays there.
"""

from contextlib import suppress
from dataclasses import replace
from typing import Final

from broker.core import choice, trips
from broker.core.account.entering import ANEW, LINK, own_request, shown
from broker.core.account.outcomes import Notice
from broker.core.desk import Desk
from broker.core.errors import (
    IdentityOccupied,
    IdentityTaken,
    LastIdentity,
    RequestUnknown,
    SignInRefused,
    StoreUnavailable,
    Way,
)
from broker.core.federation import CommunityUpstream, Upstream
from broker.core.identities import Linked, NotLinked, NotUnlinked
from broker.core.model import Facts, PendingRequest, Profile, Session
from broker.core.outcomes import Browser, ChoicePage, Redirect
from broker.core.texts import Text

FRESH: Final = 300.0  # seconds for which a sign-in is fresh enough to change how one signs in
BACK: Final = (Way(Text("Your account"), "/account"),)


def is_fresh(desk: Desk, session: Session) -> bool:
    """Whether the person has signed in a moment ago."""
    return session.auth_time >= desk.clock.now() - FRESH


async def sign_in_anew(desk: Desk, session: Session, browser: Browser) -> Redirect | ChoicePage:
    """Have the person sign in again first, where they did before if that is still possible."""
    pending = desk.new_pending(own_request(desk, ANEW))
    upstream = desk.upstreams.get(session.upstream)
    if upstream is not None:
        return await trips.begin(desk, pending, browser, upstream=upstream, prompt="consent")
    return await choice.go(desk, pending, None, browser, prompt="consent")


async def begin(desk: Desk, session: Session, upstream: Upstream, browser: Browser) -> Redirect:
    """Begin the trip of the identity that is to be linked; it is asked who it is."""
    place = (session.account_id, session.sid, session.generation)
    pending = replace(desk.new_pending(own_request(desk, LINK)), session=place)
    return await trips.begin(desk, pending, browser, upstream=upstream, prompt="consent")


async def complete(
    desk: Desk, pending: PendingRequest, profile: Profile, browser: Browser
) -> Redirect:
    """Link the identity that has come back, to the account of the session that sent it.

    Raises:
        RequestUnknown: that session is over, or another's or a newer one is here by now.
        IdentityTaken, IdentityOccupied, SignInRefused: it cannot be linked.
        StoreUnavailable: SQL is out of reach; nothing was linked.
    """
    await desk.requests.finish(pending.request_id)
    session = desk.session_handle(browser)
    here = session and (session.account_id, session.item_id, session.generation)
    if session is None or here != pending.session or await desk.signed_in(session) is None:
        raise RequestUnknown(
            Text("Nothing was linked: you are not signed in as before"), links=BACK
        )
    found = await desk.identities.link(session.account_id, profile, now=desk.clock.now())
    title = desk.upstreams[pending.upstream].title
    if found is NotLinked.TAKEN:
        raise IdentityTaken(
            Text("This %(upstream)s account belongs to another account here", upstream=title),
            links=BACK,
        )
    if found is NotLinked.OCCUPIED:
        raise IdentityOccupied(
            Text("Another %(upstream)s account is linked already", upstream=title), links=BACK
        )
    if found is NotLinked.BANNED:
        raise SignInRefused(links=BACK)
    if isinstance(found, Linked):
        await _tell(desk, session.account_id, found.facts)
    return Redirect(shown(Notice.LINKED))


async def unlink(desk: Desk, session: Session, upstream: str) -> Redirect:
    """Part with an identity: what we may do for it is given back, what it vouched for ends.

    Raises:
        LastIdentity: nobody could sign in to the account after that.
        RequestUnknown: it is not linked (any more).
        StoreUnavailable: SQL is out of reach; nothing was unlinked.
    """
    account_id, now = session.account_id, desk.clock.now()
    kept = await desk.authorizations.get(account_id, upstream)
    usable = tuple(desk.upstreams)
    found = await desk.identities.unlink(account_id, upstream, usable=usable, now=now)
    if found is NotUnlinked.LAST:
        raise LastIdentity(links=BACK)
    if not isinstance(found, Facts):
        raise RequestUnknown(Text("It is not linked any more"), links=BACK)
    await _tell(desk, account_id, found)
    with suppress(StoreUnavailable):  # the outbox will have it carried out
        await desk.sessions.end_vouched(account_id, upstream, until=now)
    place = desk.upstreams.get(upstream)
    if kept is not None and not kept.lost and isinstance(place, CommunityUpstream):
        authorization = kept.authorization
        await place.revoke(authorization.refresh_token or authorization.access_token)
    if session.upstream == upstream:
        return Redirect("/logout", end_session=True)
    return Redirect(shown(Notice.UNLINKED))


async def _tell(desk: Desk, account_id: str, facts: Facts) -> None:
    """Put the newer facts where tokens are made; the outbox does it if this fails."""
    with suppress(StoreUnavailable):
        await desk.states.put_facts(account_id, facts)
