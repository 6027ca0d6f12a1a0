"""An authorization request on its way: sign-in and consent as states of one record.

::

    /authorize ──▶ signed in, agreed, nothing asked ──────────────────────▶ code
        │
        ├─▶ upstream ──▶ /login/…/callback ──┐
        └────────────────────────────────────┴──▶ /interaction (consent, account) ──▶ code
"""

from dataclasses import replace

from broker.core import authorize, codes, pushed, redirects, trips
from broker.core import vocabulary as v
from broker.core.claims import agreed_scope, released
from broker.core.csrf import browser_digest
from broker.core.decisions import Decisions
from broker.core.desk import Desk, form_subject, fresh, same_browser, upstream_prompt
from broker.core.device.approval import shown_code
from broker.core.errors import ConsentRequired, LoginRequired
from broker.core.handles import Handle
from broker.core.model import AuthorizationRequest, Client, Facts, PendingRequest, Session
from broker.core.outcomes import AccessRefusedPage, Browser, ConsentPage, Redirect, SelectPage
from broker.core.parameters import Parameters
from broker.core.pkce import encode
from broker.core.ports import CodeRefused, Refusal
from broker.core.responses import refusal
from broker.core.subjects import subject_for

Step = Redirect | ConsentPage | SelectPage | AccessRefusedPage

_NEEDS_LOGIN = frozenset(
    (
        Refusal.NO_SESSION,
        Refusal.STALE_LOGIN,
        Refusal.OTHER_SUBJECT,
        Refusal.DISABLED,
        Refusal.NO_FACTS,
    )
)


class SignIn:
    """Leads a person through a sign-in.

    Args:
        desk: what it needs at hand.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.decide = Decisions(desk).answer
        self.callback = trips.Callback(desk).answer

    async def authorize(self, params: Parameters, browser: Browser, *, posted: bool) -> Step:
        """Answer ``/authorize`` (OpenID Connect Core §3.1.2).

        A POST, perhaps from another site, is answered with a GET by handle, so that our
        ``SameSite=Lax`` cookies are seen.

        Raises:
            BadAuthorizationRequest, AuthorizationRefused: as ``authorize.validate`` says.
            PushedRequestGone: as ``pushed.take`` says.
            StoreUnavailable: a store is out of reach.
        """
        desk = self._desk
        uri = pushed.named(params)
        if uri is not None:
            return await self._pushed(params, uri, browser, posted=posted)
        request, client = await authorize.validate(
            desk.clients, params, desk.hint_subject, desk.signing, desk.request_objects
        )
        if posted:
            pending = self._desk.new_pending(request)
            await desk.requests.put(pending)
            return Redirect(desk.page_url(pending))
        return await self.advance(request, client, browser, None)

    async def _pushed(
        self, params: Parameters, uri: str, browser: Browser, *, posted: bool
    ) -> Step:
        """Go on with a pushed request; a page is shown at an address that can be loaded again."""
        desk = self._desk
        request, client = await pushed.take(desk, params, uri)
        if posted:
            pending = desk.new_pending(request)
            await desk.requests.put(pending)
            return Redirect(desk.page_url(pending))
        step = await self.advance(request, client, browser, None)
        if isinstance(step, Redirect):
            return step
        return Redirect(f"/interaction?request={step.request}", browser=step.browser)

    async def interact(self, handle: str | None, browser: Browser) -> Step:
        """Answer ``GET /interaction``: whatever the request waits for now.

        Raises:
            RequestUnknown, RequestExpired, ForeignBrowser: it cannot go on here.
            AuthorizationRefused: the answer to the client is an error.
        """
        pending = await self._desk.under_way(handle)
        if pending.browser:
            same_browser(pending, browser)
        client = await self._desk.client_of(pending)
        return await self.advance(pending.request, client, browser, pending)

    async def advance(
        self,
        request: AuthorizationRequest,
        client: Client,
        browser: Browser,
        pending: PendingRequest | None,
    ) -> Step:
        """Issue a code if nothing stands in the way, else ask for the first thing that does."""
        session = self._desk.session_handle(browser)
        result = await self._try_code(request, client, session, pending)
        if isinstance(result, Redirect):
            if pending is not None:
                await self._desk.requests.finish(pending.request_id)
            return result
        if v.PROMPT_NONE in request.prompt:
            raise refusal(request, _silent(request, result))
        pending = self._bound(pending or self._desk.new_pending(request), browser)
        if result.reason in _NEEDS_LOGIN or result.session is None or result.facts is None:
            if result.reason is Refusal.OTHER_SUBJECT and fresh(pending, session):
                raise refusal(request, LoginRequired())
            # Discord would vouch for the same person again, if it were not to ask who it is.
            other = result.reason is Refusal.OTHER_SUBJECT
            prompt = "consent" if other else upstream_prompt(request, browser)
            return await trips.begin(self._desk, pending, browser, prompt=prompt)
        return await self._page(pending, client, result.session, result.facts, browser)

    async def _try_code(
        self,
        request: AuthorizationRequest,
        client: Client,
        session: Handle | None,
        pending: PendingRequest | None,
    ) -> Redirect | CodeRefused:
        """One atomic step where no page is wanted; otherwise look only at who is signed in."""
        if session is None:
            return CodeRefused(Refusal.NO_SESSION)
        signed_in_now = pending is not None and fresh(pending, session)
        if v.PROMPT_LOGIN in request.prompt and not signed_in_now:
            return CodeRefused(Refusal.STALE_LOGIN)
        if _page_wanted(request, pending, signed_in_now=signed_in_now):
            return await self._who(request, client, session, signed_in_now=signed_in_now)
        return await codes.issue(
            self._desk,
            request,
            client,
            session,
            required_consent=None
            if client.first_party
            else agreed_scope(request.scope, request.claims),
            signed_in_now=signed_in_now,
        )

    async def _who(
        self,
        request: AuthorizationRequest,
        client: Client,
        session: Handle,
        *,
        signed_in_now: bool,
    ) -> CodeRefused:
        desk = self._desk
        now = desk.clock.now()
        found = await desk.signed_in(session)
        if found is None:
            return CodeRefused(Refusal.NO_SESSION)
        alive, known = found
        called = subject_for(client, session.account_id, known.sub)
        if request.hint_sub not in {None, called}:
            return CodeRefused(Refusal.OTHER_SUBJECT, alive, known)
        if (
            not signed_in_now
            and request.max_age is not None
            and alive.auth_time < now - request.max_age
        ):
            return CodeRefused(Refusal.STALE_LOGIN, alive, known)
        return CodeRefused(Refusal.NO_CONSENT, alive, known)

    async def _page(
        self,
        pending: PendingRequest,
        client: Client,
        session: Session,
        known: Facts,
        browser: Browser,
    ) -> ConsentPage | SelectPage:
        desk, request = self._desk, pending.request
        key = browser.key or encode(desk.entropy.token(24))
        pending = replace(pending, browser=browser_digest(key))
        await desk.requests.put(pending)
        handle = Handle(session.account_id, session.sid, session.generation)
        csrf = desk.forms.make(key, form_subject(pending.request_id, handle))
        origin = redirects.origin(request.redirect_uri)
        cookie = None if browser.key else key
        selected = pending.selected or fresh(pending, handle)
        if v.PROMPT_SELECT in request.prompt and not selected:
            return SelectPage(
                desk.request_handle(pending), csrf, client, known.claims, origin, cookie
            )
        scope = agreed_scope(request.scope, request.claims)
        return ConsentPage(
            request=desk.request_handle(pending),
            csrf=csrf,
            client=client,
            scope=scope,
            claims=released(known.claims, (*scope, v.SCOPE_PROFILE)),
            redirect_origin=origin,
            redirect_host=redirects.shown_host(request.redirect_uri),
            browser=cookie,
            user_code=shown_code(desk, request),
        )

    def _bound(self, pending: PendingRequest, browser: Browser) -> PendingRequest:
        return replace(pending, browser=browser_digest(browser.key)) if browser.key else pending


def _page_wanted(
    request: AuthorizationRequest, pending: PendingRequest | None, *, signed_in_now: bool
) -> bool:
    """Whether a page must be seen even by a person who agreed before (RFC 8252 §8.6)."""
    selected = signed_in_now or (pending is not None and pending.selected)
    return (
        request.device is not None
        or not redirects.proves_client(request.redirect_uri)
        or v.PROMPT_CONSENT in request.prompt
        or (v.PROMPT_SELECT in request.prompt and not selected)
    )


def _silent(request: AuthorizationRequest, refused: CodeRefused) -> LoginRequired | ConsentRequired:
    """OpenID Connect Core §3.1.2.6: what ``prompt=none`` answers with.

    An app that cannot be told from another learns nothing, not even who is signed in.
    """
    hidden = not redirects.proves_client(request.redirect_uri)
    return ConsentRequired() if hidden or refused.reason is Refusal.NO_CONSENT else LoginRequired()
