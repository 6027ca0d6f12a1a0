"""Pages of a sign-in: what is asked of a person, or told, before a request can go on."""

from dataclasses import replace

from broker.core import redirects
from broker.core import vocabulary as v
from broker.core.authentication import anew
from broker.core.claims import agreed_scope, released
from broker.core.csrf import browser_digest
from broker.core.desk import Desk, form_subject
from broker.core.device.approval import shown_code
from broker.core.entry import NotAdmitted
from broker.core.handles import Handle
from broker.core.model import AuthorizationRequest, Client, Facts, PendingRequest, Session
from broker.core.outcomes import AccessRefusedPage, Browser, ConsentPage, SelectPage
from broker.core.pkce import encode
from broker.core.policy.words import obstacles

Asked = tuple[PendingRequest, str, str | None]
"""A request kept with the browser that is asked, its form's token, and the cookie to set."""


def wanted(
    request: AuthorizationRequest, pending: PendingRequest | None, *, seen_now: bool
) -> bool:
    """Whether a page must be seen even by a person who agreed before (RFC 8252 §8.6)."""
    selected = seen_now or (pending is not None and pending.selected)
    return (
        request.device is not None
        or not redirects.proves_client(request.redirect_uri)
        or v.PROMPT_CONSENT in request.prompt
        or (v.PROMPT_SELECT in request.prompt and not selected)
    )


async def asked(desk: Desk, pending: PendingRequest, session: Session, browser: Browser) -> Asked:
    """Keep the request for this browser, and make a form's token for it and the account."""
    key = browser.key or encode(desk.entropy.token(24))
    pending = replace(pending, browser=browser_digest(key))
    await desk.requests.put(pending)
    csrf = desk.forms.make(key, form_subject(pending.request_id, handle_of(session)))
    return pending, csrf, None if browser.key else key


async def question(
    desk: Desk,
    pending: PendingRequest,
    client: Client,
    who: tuple[Session, Facts],
    browser: Browser,
) -> ConsentPage | SelectPage:
    """Return the page that asks which account, or whether the app may know the person."""
    (session, known), request = who, pending.request
    pending, csrf, cookie = await asked(desk, pending, session, browser)
    origin = redirects.origin(request.redirect_uri)
    selected = pending.selected or anew(pending, handle_of(session))
    if v.PROMPT_SELECT in request.prompt and not selected:
        handle, locales = desk.request_handle(pending), request.ui_locales
        return SelectPage(handle, csrf, client, known.claims, origin, cookie, locales)
    scope = agreed_scope(request.scope, request.claims)
    told = await desk.access.told(client, scope, known)
    return ConsentPage(
        request=desk.request_handle(pending),
        csrf=csrf,
        client=client,
        scope=scope,
        claims=released(told.claims, (*scope, v.SCOPE_PROFILE)),
        redirect_origin=origin,
        redirect_host=redirects.shown_host(request.redirect_uri),
        browser=cookie,
        user_code=shown_code(desk, request),
        ui_locales=request.ui_locales,
    )


async def refusal(
    desk: Desk,
    pending: PendingRequest,
    client: Client,
    refused: NotAdmitted,
    browser: Browser,
) -> AccessRefusedPage:
    """Return the page that says why the person may not use the app."""
    told = obstacles(refused.verdict, await desk.access.guilds.registered())
    pending, csrf, cookie = await asked(desk, pending, refused.session, browser)
    return AccessRefusedPage(
        request=desk.request_handle(pending),
        csrf=csrf,
        client=client,
        claims=refused.facts.claims,
        redirect_origin=redirects.origin(pending.request.redirect_uri),
        obstacles=told,
        device=pending.request.device is not None,
        browser=cookie,
        ui_locales=pending.request.ui_locales,
    )


def handle_of(session: Session) -> Handle:
    """Return the session as its cookie names it."""
    return Handle(session.account_id, session.sid, session.generation)
