"""Back from a trip upstream: who came, what was granted, and a session of ours."""

from dataclasses import replace
from typing import Final

from broker.core import authentication, trips
from broker.core.account import leaving, linking
from broker.core.account.entering import LINK
from broker.core.arrival import Arrival, arrived
from broker.core.audit import note
from broker.core.csrf import browser_digest
from broker.core.desk import Desk
from broker.core.errors import (
    BadCallback,
    SignInRefused,
)
from broker.core.federation import (
    UpstreamAuthorization,
)
from broker.core.handles import Handle, Kind
from broker.core.model import AuditEvent, Facts, PendingRequest, Session
from broker.core.outcomes import Browser, Redirect
from broker.core.parameters import Parameters

DEVICE_LENGTH: Final = 160


class Callback:
    """Answers ``GET /login/{upstream}/callback``.

    Args:
        desk: what it needs at hand.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def answer(self, upstream: str, params: Parameters, browser: Browser) -> Redirect:
        """Spend the trip, read what is needed, open a session and go on with the request.

        Everything is read before anything is written. Whoever has granted too little is asked once
        more.

        Raises:
            BadCallback: no, a foreign or a used ``state`` (login CSRF, RFC 9700 §4.7).
            AuthorizationRefused: the person said no upstream.
            GrantedTooLittle: the person was asked twice.
            Declined: the same, and it was no app that asked.
            UpstreamUnavailable, UpstreamPage: upstream failed; the request can be tried again.
            StoreUnavailable: a store did; the same.
            SignInRefused: the account is switched off, or was when it was deleted.
            IdentityTaken, IdentityOccupied, RequestUnknown: the identity cannot be linked.
        """
        pending = await self._spend(upstream, params, browser)
        async with self._desk.telling(pending.request, pending):
            return await self._back(pending, params, browser)

    async def _back(
        self, pending: PendingRequest, params: Parameters, browser: Browser
    ) -> Redirect:
        """Go on with the request whose trip this answer has closed."""
        desk = self._desk
        desk.must_be_alive(pending)
        arrival = await arrived(desk, pending, params)
        if arrival is None:
            asked = replace(pending, asked_again=True)
            place = desk.upstreams[pending.upstream]
            return await trips.begin(desk, asked, browser, upstream=place, prompt="consent")
        if pending.request.inward == LINK:
            return await linking.complete(desk, pending, arrival.signed_in.profile, browser)
        return await self._signed_in(pending, arrival, browser)

    async def _signed_in(
        self, pending: PendingRequest, arrival: Arrival, browser: Browser
    ) -> Redirect:
        """Make or find the account, open a session, and lead on to the request's next page."""
        desk = self._desk
        try:
            account_id, facts = await desk.accounts.sign_in(
                arrival.signed_in.profile, now=desk.clock.now(), community=arrival.community
            )
        except SignInRefused as error:
            raise await self._refused(pending, None, error.private) from error
        if facts.leaving_at is not None:
            return await leaving.waiting(desk, pending, account_id, facts)
        await self._keep(pending, arrival, account_id)
        session = await self._open_session(pending, arrival, account_id, facts, browser)
        handle = Handle(account_id, session.sid, session.generation)
        cookie = desk.handles.make(Kind.SESSION, handle)
        pending = replace(
            pending,
            attempt="",
            verifier="",
            fresh=True,
            seen=self._seen(pending, arrival),
            session=(account_id, session.sid, session.generation),
        )
        await desk.requests.put(pending)
        return Redirect(desk.page_url(pending), session=cookie)

    async def _spend(self, upstream: str, params: Parameters, browser: Browser) -> PendingRequest:
        """Return the request whose open trip this ``state`` names, and close the trip."""
        desk = self._desk
        state = params.one("state")
        opened = desk.handles.open(Kind.ATTEMPT, state) if state else None
        pending = await desk.requests.get(opened.item_id) if opened else None
        if opened is None or pending is None or not browser.key:
            raise BadCallback(private="state is missing, garbage or of a finished request")
        if pending.browser != browser_digest(browser.key):
            raise BadCallback(private="state belongs to another browser")
        if pending.upstream != upstream or upstream not in desk.upstreams:
            raise BadCallback(private="state belongs to another upstream")
        spent = await desk.requests.spend_attempt(pending.request_id, opened.account_id)
        if spent is None:
            raise BadCallback(private="state was used before")
        return spent

    async def _keep(self, pending: PendingRequest, arrival: Arrival, account_id: str) -> None:
        """Keep the authorization where upstream may have to be asked again; else it is let go.

        One that reaches further and is not known to be lost stays: it serves for this one too.
        """
        desk, granted = self._desk, arrival.signed_in.authorization
        if granted is None or not arrival.asked_later:
            return
        name = pending.upstream
        kept = await desk.authorizations.get(account_id, name)
        if kept is None or kept.lost or not _wider(kept.authorization, granted):
            await desk.authorizations.keep(account_id, name, granted, now=desk.clock.now())

    async def _open_session(
        self,
        pending: PendingRequest,
        arrival: Arrival,
        account_id: str,
        facts: Facts,
        browser: Browser,
    ) -> Session:
        """Open the session, with a cookie that nobody could know before (session fixation).

        Signing in again as the same account goes on with the same session; another account's
        session in this browser ends, since nobody could end it from here any more.
        """
        desk, now = self._desk, self._desk.clock.now()
        alive = await desk.signed_in(desk.session_handle(browser))
        before = alive[0] if alive else None  # the sid of a dead one is never used again
        same = before is not None and before.account_id == account_id
        seen = authentication.seen(pending, arrival.signed_in, began=arrival.began)
        session = Session(
            account_id=account_id,
            sid=before.sid if before and same else desk.new_id(),
            generation=before.generation + 1 if before and same else 0,
            created_at=arrival.began,
            auth_time=max(seen, before.auth_time) if before and same else seen,
            expires_at=now + desk.lifetimes.session,
            upstream=arrival.signed_in.profile.upstream,
            device=browser.device[:DEVICE_LENGTH],
        )
        opened = not facts.disabled and await desk.sessions.open(
            session, facts, now=now, idle=desk.lifetimes.session_idle
        )
        client_id = pending.request.client_id or None
        if not opened:
            raise await self._refused(pending, account_id, "the account is switched off")
        detail = {"upstream": session.upstream}
        await note(desk.audit, AuditEvent("sign_in", now, "person", account_id, client_id, detail))
        if before is not None and not same:
            await desk.sessions.end(before.account_id, before.sid, now=now)
        return session

    async def _refused(
        self, pending: PendingRequest, account_id: str | None, why: str
    ) -> SignInRefused:
        """Return the page for somebody who may not sign in; the request is over."""
        desk, client_id = self._desk, pending.request.client_id or None
        detail = {"upstream": pending.upstream}
        event = AuditEvent(
            "sign_in.refused", desk.clock.now(), "person", account_id, client_id, detail
        )
        await note(desk.audit, event)
        await desk.requests.finish(pending.request_id)
        return SignInRefused(private=why, links=(desk.back_link(pending.request),))

    def _seen(self, pending: PendingRequest, arrival: Arrival) -> bool:
        """Whether the person was seen to authenticate on the trip."""
        when = authentication.seen(pending, arrival.signed_in, began=arrival.began)
        return authentication.on_trip(pending, when, skew=self._desk.lifetimes.skew)


def _wider(kept: UpstreamAuthorization, granted: UpstreamAuthorization) -> bool:
    return set(kept.scope) > set(granted.scope)
