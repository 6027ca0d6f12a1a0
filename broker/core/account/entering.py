"""Signing in to a page of ours, without an app.

It goes the way of every sign-in, as a request of our own (``AuthorizationRequest.inward``) that no
parameter of anybody's makes. No code is written for it, and the only places it leads to are the
account's page and the console's door: no address is part of the request that is followed.
"""

from typing import Final

from broker.core import choice
from broker.core import vocabulary as v
from broker.core.account.outcomes import Notice
from broker.core.desk import Desk, fresh
from broker.core.model import AuthorizationRequest, PendingRequest
from broker.core.outcomes import Browser, ChoicePage, Redirect

PAGE = "/account"
DOOR = "/admin/enter"
ENTER = "enter"
ANEW = "anew"
LINK = "link"
CONSOLE = "console"


def own_request(desk: Desk, purpose: str) -> AuthorizationRequest:
    """Return a request of our own; ``purpose`` is one of those above."""
    return AuthorizationRequest(
        client_id="",
        redirect_uri=f"{desk.issuer}{PAGE}",
        scope=(v.SCOPE_OPENID,),
        inward=purpose,
    )


async def enter(desk: Desk, browser: Browser) -> Redirect | ChoicePage:
    """Begin a sign-in for the account's page.

    Upstream asks who it is: most of what can be done there takes somebody who was seen lately.
    """
    request = own_request(desk, ENTER)
    return await choice.go(desk, desk.new_pending(request), None, browser, prompt="consent")


async def enter_console(desk: Desk, browser: Browser) -> Redirect | ChoicePage:
    """Begin a sign-in for the operator console, asked for anew as far as upstreams can do that."""
    request = own_request(desk, CONSOLE)
    return await choice.go(desk, desk.new_pending(request), None, browser, prompt="consent")


async def resume(
    desk: Desk, pending: PendingRequest, browser: Browser, upstream: str | None
) -> Redirect | ChoicePage:
    """Go on with a request of our own: to the chosen upstream, or to the account's page."""
    request, session = pending.request, desk.session_handle(browser)
    if request.inward == LINK:  # a trip that came to nothing; its page's form begins another
        return Redirect(PAGE)
    if upstream is not None:
        going = await choice.chosen(desk, pending, None, browser, upstream)
        if going is not None:
            return going
    if fresh(pending, session) and await desk.signed_in(session):
        await desk.requests.finish(pending.request_id)
        return Redirect(_PLACES.get(request.inward or "", PAGE))
    return await choice.go(desk, pending, None, browser, prompt="consent")


def shown(notice: Notice) -> str:
    """Return the address of the account's page as it says what has just happened."""
    return f"{PAGE}?notice={notice}"


_PLACES: Final = {ANEW: shown(Notice.SIGNED_IN), CONSOLE: DOOR}
