"""An authorization request on its way: sign-in and consent as states of one record.

::

    /authorize ──▶ signed in, agreed, nothing asked ──────────────────────▶ code
        │
        ├─▶ upstream ──▶ /login/…/callback ──┐
        └────────────────────────────────────┴──▶ /interaction (consent, account) ──▶ code
"""

from dataclasses import replace

from broker.core import asking, authentication, authorize, choice, codes, pushed, redirects, trips
from broker.core import vocabulary as v
from broker.core.account import entering, leaving
from broker.core.callback import Callback
from broker.core.claims import agreed_scope
from broker.core.csrf import browser_digest
from broker.core.decisions import Decisions
from broker.core.desk import Desk, fresh, same_browser
from broker.core.entry import Admitted, NotAdmitted, admit, demanding
from broker.core.errors import (
    AccessDenied,
    ConsentRequired,
    InteractionRequired,
    LoginRequired,
    ProtocolError,
    TemporarilyUnavailable,
    UpstreamUnavailable,
)
from broker.core.handles import Handle
from broker.core.model import AuthorizationRequest, Client, PendingRequest
from broker.core.outcomes import Browser, ChoicePage, Redirect, Step
from broker.core.parameters import Parameters
from broker.core.ports import CodeRefused, Refusal
from broker.core.responses import refusal
from broker.core.subjects import subject_for

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
        self.callback = Callback(desk).answer

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
        async with desk.telling(request):
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
        async with desk.telling(request):
            if posted:
                pending = desk.new_pending(request)
                await desk.requests.put(pending)
                return Redirect(desk.page_url(pending))
            step = await self.advance(request, client, browser, None)
        if isinstance(step, Redirect):
            return step
        return Redirect(f"/interaction?request={step.request}", browser=step.browser)

    async def interact(
        self, handle: str | None, browser: Browser, *, upstream: str | None = None
    ) -> Step:
        """Answer ``GET /interaction``: whatever the request waits for now.

        Args:
            handle: names the request.
            browser: what the browser brought.
            upstream: where the person has chosen to sign in, or None.

        Raises:
            RequestUnknown, RequestExpired, ForeignBrowser: it cannot go on here.
            AuthorizationRefused: the answer to the client is an error.
        """
        pending = await self._desk.under_way(handle)
        async with self._desk.telling(pending.request, pending):
            return await self._next(pending, browser, upstream)

    async def _next(self, pending: PendingRequest, browser: Browser, upstream: str | None) -> Step:
        if pending.browser:
            same_browser(pending, browser)
        if pending.keeps is not None:
            return await leaving.question(self._desk, pending, browser)
        if pending.request.inward is not None:
            return await entering.resume(self._desk, pending, browser, upstream)
        client = await self._desk.client_of(pending)
        if upstream is not None:
            going = await choice.chosen(self._desk, pending, client, browser, upstream)
            if going is not None:
                return going
        if pending.choosing:
            return await choice.go(self._desk, pending, client, browser, prompt=pending.prompt)
        return await self.advance(pending.request, client, browser, pending)

    async def advance(
        self,
        request: AuthorizationRequest,
        client: Client,
        browser: Browser,
        pending: PendingRequest | None,
    ) -> Step:
        """Issue a code if nothing stands in the way, else ask for the first thing that does."""
        desk, session = self._desk, self._desk.session_handle(browser)
        try:
            result = await self._try_code(request, client, session, pending)
        except UpstreamUnavailable as error:
            raise self._unavailable(request, error) from error
        if isinstance(result, Redirect):
            if pending is not None:
                await desk.requests.finish(pending.request_id)
            return result
        if v.PROMPT_NONE in request.prompt:
            raise refusal(request, _silent(request, result))
        pending = self._bound(pending or desk.new_pending(request), browser)
        if isinstance(result, NotAdmitted):
            return await asking.refusal(desk, pending, client, result, browser)
        if result.reason is Refusal.STALE_FACTS or result.reason in _NEEDS_LOGIN:
            return await self._go_upstream(pending, client, browser, result)
        if result.session is None or result.facts is None:
            return await self._go_upstream(pending, client, browser, result)
        who = result.session, result.facts
        return await asking.question(desk, pending, client, who, browser)

    async def _go_upstream(
        self,
        pending: PendingRequest,
        client: Client,
        browser: Browser,
        refused: CodeRefused,
    ) -> Redirect | ChoicePage:
        """Begin a trip for what only upstream can mend."""
        desk, request, known = self._desk, pending.request, refused.facts
        if refused.reason is Refusal.STALE_FACTS:
            return await self._read_again(pending, client, browser, refused)
        if refused.reason is Refusal.STALE_LOGIN and authentication.in_vain(
            pending, desk.session_handle(browser)
        ):
            raise refusal(request, LoginRequired(private="upstream let the person pass"))
        prompt = authentication.upstream_prompt(request, browser)
        if refused.reason is Refusal.OTHER_SUBJECT:
            if fresh(pending, desk.session_handle(browser)):
                raise refusal(request, LoginRequired())
            # Discord would vouch for the same person again, if it were not to ask who it is.
            prompt = "consent"
        return await choice.go(desk, pending, client, browser, prompt=prompt, known=known)

    async def _read_again(
        self,
        pending: PendingRequest,
        client: Client,
        browser: Browser,
        refused: CodeRefused,
    ) -> Redirect:
        """Go where the person's communities are known, unless that was done a moment ago."""
        desk, alive, known = self._desk, refused.session, refused.facts
        who = None if alive is None or known is None else (alive, known)
        upstream = choice.telling(desk, client, who)
        just_now = fresh(pending, desk.session_handle(browser))
        if upstream is None or (just_now and alive and alive.upstream == upstream.name):
            cause = UpstreamUnavailable(private="what was read at the sign-in is gone")
            raise self._unavailable(pending.request, cause)
        return await trips.begin(
            desk, pending, browser, upstream=upstream, prompt="none", known=known
        )

    def _unavailable(self, request: AuthorizationRequest, error: UpstreamUnavailable) -> Exception:
        """Return what says that upstream would have to be asked, and does not answer."""
        if v.PROMPT_NONE in request.prompt:
            return refusal(request, TemporarilyUnavailable(private=error.private))
        back = self._desk.back_link(request)
        public = trips.said(error, choice.teller(self._desk))
        return UpstreamUnavailable(public, error.private, error.retry_after, (back,))

    async def _try_code(
        self,
        request: AuthorizationRequest,
        client: Client,
        session: Handle | None,
        pending: PendingRequest | None,
    ) -> Redirect | CodeRefused | NotAdmitted:
        """One atomic step where no page is wanted and nobody is judged; else look first."""
        if session is None:
            return CodeRefused(Refusal.NO_SESSION)
        seen_now = authentication.anew(pending, session)
        if v.PROMPT_LOGIN in request.prompt and not seen_now:
            return CodeRefused(Refusal.STALE_LOGIN)
        page = asking.wanted(request, pending, seen_now=seen_now)
        standing = CodeRefused(Refusal.NO_CONSENT)
        if page or demanding(self._desk, client):
            standing = await self._who(request, client, session, seen_now=seen_now)
        # An app that cannot be told from another learns nothing silently: nobody is judged for it.
        hidden = page and v.PROMPT_NONE in request.prompt
        if hidden or standing.reason is not Refusal.NO_CONSENT:
            return standing
        admitted = await admit(self._desk, client, session)
        if not isinstance(admitted, Admitted):
            return admitted
        if page:
            return replace(standing, facts=admitted.facts or standing.facts)
        return await self._issue(request, admitted, seen_now=seen_now)

    async def _issue(
        self, request: AuthorizationRequest, admitted: Admitted, *, seen_now: bool
    ) -> Redirect | CodeRefused:
        scope = agreed_scope(request.scope, request.claims)
        result = await codes.issue(
            self._desk,
            request,
            admitted,
            required_consent=None if admitted.client.first_party else scope,
            anew=seen_now,
        )
        if isinstance(result, Redirect) or result.facts is None or admitted.facts is None:
            return result
        return replace(result, facts=admitted.facts)  # which tell of communities too

    async def _who(
        self,
        request: AuthorizationRequest,
        client: Client,
        session: Handle,
        *,
        seen_now: bool,
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
        if not seen_now and alive.auth_time < authentication.least(request, now):
            return CodeRefused(Refusal.STALE_LOGIN, alive, known)
        return CodeRefused(Refusal.NO_CONSENT, alive, known)

    def _bound(self, pending: PendingRequest, browser: Browser) -> PendingRequest:
        return replace(pending, browser=browser_digest(browser.key)) if browser.key else pending


def _silent(request: AuthorizationRequest, refused: CodeRefused | NotAdmitted) -> ProtocolError:
    """OpenID Connect Core §3.1.2.6: what ``prompt=none`` answers with.

    An app that cannot be told from another learns nothing, not even who is signed in.
    """
    if not redirects.proves_client(request.redirect_uri):
        return ConsentRequired()
    if isinstance(refused, NotAdmitted):
        return AccessDenied("The person who is signed in may not use this app")
    if refused.reason is Refusal.NO_CONSENT:
        return ConsentRequired()
    return InteractionRequired() if refused.reason is Refusal.STALE_FACTS else LoginRequired()
