"""What a person decides on our pages."""

from contextlib import suppress
from dataclasses import replace

from broker.core import choice, codes, trips
from broker.core.account import leaving
from broker.core.audit import note
from broker.core.authentication import anew
from broker.core.claims import agreed_scope
from broker.core.desk import Desk, form_subject, same_browser
from broker.core.device.approval import deny
from broker.core.entry import Admitted, admit
from broker.core.errors import (
    AccessDenied,
    AuthorizationRefused,
    BadForm,
    InvalidRequest,
    RequestUnknown,
    StoreUnavailable,
    UpstreamUnavailable,
)
from broker.core.handles import Handle
from broker.core.model import AuditEvent, AuthorizationRequest, Client, Facts, PendingRequest
from broker.core.outcomes import Browser, Redirect
from broker.core.parameters import Parameters
from broker.core.responses import refusal
from broker.core.texts import Text


class Decisions:
    """Answers ``POST /interaction``.

    Args:
        desk: what it needs at hand.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def answer(self, params: Parameters, browser: Browser) -> Redirect:
        """Answer ``POST /interaction``: what the person decided on one of our pages.

        Raises:
            BadForm: the form did not come from our page, in this browser, for this account.
            RequestUnknown: it was decided before, or the app was switched off or changed.
            AuthorizationRefused: the person said no, or leaves because the app may not be used.
            StoreUnavailable, UpstreamUnavailable: nothing was decided; the request waits for it as
                before.
        """
        pending = await self._desk.under_way(params.one("request"))
        async with self._desk.telling(pending.request, pending):
            return await self._taken(pending, params, browser)

    async def _taken(
        self, pending: PendingRequest, params: Parameters, browser: Browser
    ) -> Redirect:
        desk = self._desk
        same_browser(pending, browser)
        if pending.keeps is not None:
            return await leaving.decide(desk, pending, params, browser)
        return await self._decided(pending, params, browser)

    async def _decided(
        self, pending: PendingRequest, params: Parameters, browser: Browser
    ) -> Redirect:
        """Take what somebody who is signed in has decided."""
        desk, decision = self._desk, params.one("decision")
        session = desk.session_handle(browser)
        subject = form_subject(pending.request_id, session)
        if session is None or not desk.forms.good(params.one("csrf"), browser.key, subject):
            raise BadForm(links=((Text("Back to the sign-in"), desk.page_url(pending)),))
        client = await desk.client_of(pending)
        if decision == "other":
            return await choice.other(desk, pending, client, browser)
        if decision == "check":
            return await self._checked(pending, client, session, browser)
        if decision == "continue":
            await desk.requests.put(replace(pending, selected=True))
            return Redirect(desk.page_url(pending))
        if decision not in {"allow", "deny", "leave"}:
            raise InvalidRequest(Text("The form holds no decision"))
        if await desk.requests.finish(pending.request_id) is None:
            raise RequestUnknown
        try:
            if decision == "deny":
                raise await self._declined(pending, session)
            if decision == "leave":
                raise await self._left(pending)
            return await self._allowed(pending, client, session)
        except (StoreUnavailable, UpstreamUnavailable) as error:
            with suppress(StoreUnavailable):
                await desk.requests.put(pending)
            again = ((Text("Try again"), desk.page_url(pending)), desk.back_link(pending.request))
            raise type(error)(error.public, error.private, error.retry_after, again) from error

    async def _checked(
        self, pending: PendingRequest, client: Client, session: Handle, browser: Browser
    ) -> Redirect:
        """Ask again whoever can say more of the person; else the request's next page judges."""
        desk = self._desk
        found = await desk.signed_in(session)
        upstream = choice.telling(desk, client, found)
        if upstream is None or found is None:
            return Redirect(desk.page_url(pending))
        return await trips.begin(
            desk, pending, browser, upstream=upstream, prompt="none", known=found[1]
        )

    async def _again(self, pending: PendingRequest) -> Redirect:
        """Begin the request anew, in the same browser: its next page leads to a sign-in."""
        desk = self._desk
        anew = replace(desk.new_pending(pending.request), browser=pending.browser)
        await desk.requests.put(anew)
        return Redirect(desk.page_url(anew))

    async def _allowed(self, pending: PendingRequest, client: Client, session: Handle) -> Redirect:
        """Record the consent, then issue; a session that ended meanwhile signs in again.

        Whoever may not use the app by now is told so on the request's next page, and has agreed to
        nothing.
        """
        desk, request = self._desk, pending.request
        if await desk.signed_in(session) is None:
            return await self._again(pending)
        admitted = await admit(desk, client, session)
        if not isinstance(admitted, Admitted):
            await desk.requests.put(pending)
            return Redirect(desk.page_url(pending))
        scope = agreed_scope(request.scope, request.claims)
        result = await codes.issue(
            desk,
            request,
            admitted,
            required_consent=scope,
            anew=anew(pending, session),
            newer=await self._agreed(request, session, scope),
        )
        if isinstance(result, Redirect):
            return result
        return await self._again(pending)

    async def _agreed(
        self, request: AuthorizationRequest, session: Handle, scope: tuple[str, ...]
    ) -> Facts:
        """Record the consent; return the newer facts."""
        desk, account_id = self._desk, session.account_id
        now, client_id = desk.clock.now(), request.client_id
        newer = await desk.accounts.consent(account_id, client_id, scope, now=now)
        detail = {"scope": " ".join(scope)}
        event = AuditEvent("consent.given", now, "person", account_id, client_id, detail)
        await note(desk.audit, event)
        return newer

    async def _left(self, pending: PendingRequest) -> AuthorizationRefused:
        """Nobody said no but we: that was audited when it was."""
        await deny(self._desk, pending.request)
        return refusal(pending.request, AccessDenied())

    async def _declined(self, pending: PendingRequest, session: Handle) -> AuthorizationRefused:
        desk, request = self._desk, pending.request
        await deny(desk, request)
        now = desk.clock.now()
        event = AuditEvent("consent.declined", now, "person", session.account_id, request.client_id)
        await note(desk.audit, event)
        return refusal(request, AccessDenied())
