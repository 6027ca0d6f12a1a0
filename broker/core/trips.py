"""Trips upstream: the way there, and the way back with a session of ours."""

from dataclasses import replace

from broker.core.audit import note
from broker.core.community.needs import Needs
from broker.core.csrf import browser_digest
from broker.core.desk import Desk
from broker.core.device.approval import deny
from broker.core.errors import (
    AccessDenied,
    BadCallback,
    ServerError,
    SignInRefused,
    StoreUnavailable,
    TemporarilyUnavailable,
    UpstreamPage,
    UpstreamRejected,
    UpstreamUnavailable,
    Way,
)
from broker.core.federation import SignedIn
from broker.core.handles import Handle, Kind
from broker.core.model import AuditEvent, Facts, PendingRequest, Profile, Session
from broker.core.outcomes import Browser, Redirect
from broker.core.parameters import Parameters
from broker.core.pkce import encode
from broker.core.responses import refusal

DEVICE_LENGTH = 160


async def begin(desk: Desk, pending: PendingRequest, browser: Browser, *, prompt: str) -> Redirect:
    """Begin a trip upstream: a new attempt and a new PKCE verifier, kept with the request."""
    upstream = next(iter(desk.upstreams.values()))
    key = browser.key or encode(desk.entropy.token(24))
    pending = replace(
        pending,
        browser=browser_digest(key),
        upstream=upstream.name,
        attempt=desk.new_id(),
        verifier=encode(desk.entropy.token(32)),
        trip_at=desk.clock.now(),
    )
    await desk.requests.put(pending)
    location = await upstream.authorization_url(
        state=desk.handles.make(Kind.ATTEMPT, Handle(pending.attempt, pending.request_id)),
        verifier=pending.verifier,
        prompt=prompt,
        login_hint=pending.request.login_hint or "",
        needs=Needs(email=True),
    )
    return Redirect(location, browser=None if browser.key else key)


class Callback:
    """Answers ``GET /login/{upstream}/callback``.

    Args:
        desk: what it needs at hand.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def answer(self, upstream: str, params: Parameters, browser: Browser) -> Redirect:
        """Spend the trip, read the profile, open a session and go on with the request.

        Raises:
            BadCallback: no, a foreign or a used ``state`` (login CSRF, RFC 9700 §4.7).
            AuthorizationRefused: the person said no upstream.
            UpstreamUnavailable, UpstreamPage: upstream failed; the request can be tried again.
            StoreUnavailable: a store did; the same.
            SignInRefused: the account is switched off.
        """
        desk = self._desk
        pending = await self._spend(upstream, params, browser)
        desk.must_be_alive(pending)
        arrived = await self._fetch(pending, params)
        try:
            return await self._signed_in(pending, arrived.profile, browser)
        except StoreUnavailable as error:
            raise StoreUnavailable(
                error.public, error.private, error.retry_after, self._again(pending)
            ) from error

    async def _signed_in(
        self, pending: PendingRequest, profile: Profile, browser: Browser
    ) -> Redirect:
        """Make or find the account, open a session, and lead on to the request's next page."""
        desk = self._desk
        account_id, facts = await desk.accounts.sign_in(profile, now=desk.clock.now())
        session = await self._open_session(pending, profile, account_id, facts, browser)
        handle = Handle(account_id, session.sid, session.generation)
        cookie = desk.handles.make(Kind.SESSION, handle)
        pending = replace(
            pending,
            attempt="",
            verifier="",
            fresh=True,
            session=(account_id, session.sid, session.generation),
        )
        await desk.requests.put(pending)
        return Redirect(desk.page_url(pending), session=cookie)

    def _again(self, pending: PendingRequest) -> tuple[Way, ...]:
        """Return the links by which a page leads on when the trip came to nothing."""
        return (Way("Try again", self._desk.page_url(pending)), self._desk.back_link(pending))

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
        if pending.upstream != upstream:
            raise BadCallback(private="state belongs to another upstream")
        spent = await desk.requests.spend_attempt(pending.request_id, opened.account_id)
        if spent is None:
            raise BadCallback(private="state was used before")
        return spent

    async def _fetch(self, pending: PendingRequest, params: Parameters) -> SignedIn:
        desk = self._desk
        await self._refused_upstream(pending, params)
        code = params.one("code")
        if code is None:
            raise BadCallback(private="neither code nor error")
        again = self._again(pending)
        try:
            return await desk.upstreams[pending.upstream].fetch(
                code=code, verifier=pending.verifier
            )
        except UpstreamUnavailable as error:
            raise UpstreamUnavailable(
                error.public, error.private, error.retry_after, again
            ) from error
        except UpstreamRejected as error:
            raise UpstreamPage(error.public, private=error.private, links=again) from error

    async def _refused_upstream(self, pending: PendingRequest, params: Parameters) -> None:
        """An error in place of a code (RFC 6749 §4.1.2.1) goes on to the client."""
        desk, request, error = self._desk, pending.request, params.one("error")
        if error is None:
            return
        await desk.requests.finish(pending.request_id)
        if error == AccessDenied.code:
            await deny(desk, request)
            event = AuditEvent(
                "sign_in.declined", desk.clock.now(), "person", None, request.client_id
            )
            await note(desk.audit, event)
            raise refusal(request, AccessDenied())
        kind = TemporarilyUnavailable if error == TemporarilyUnavailable.code else ServerError
        cause = kind(private=f"upstream answered with error {error[:40]!r}")
        raise refusal(request, cause)

    async def _open_session(
        self,
        pending: PendingRequest,
        profile: Profile,
        account_id: str,
        facts: Facts,
        browser: Browser,
    ) -> Session:
        """Open the session, with a cookie that nobody could know before (session fixation).

        Signing in again as the same account goes on with the same session; another account's
        session in this browser ends, since nobody could end it from here any more.
        """
        desk, now = self._desk, self._desk.clock.now()
        before = await self._alive(desk.session_handle(browser))
        same = before is not None and before.account_id == account_id
        session = Session(
            account_id=account_id,
            sid=before.item_id if before and same else desk.new_id(),
            generation=before.generation + 1 if before and same else 0,
            created_at=now,
            auth_time=now,
            expires_at=now + desk.lifetimes.session,
            upstream=profile.upstream,
            device=browser.device[:DEVICE_LENGTH],
        )
        opened = not facts.disabled and await desk.sessions.open(
            session, facts, now=now, idle=desk.lifetimes.session_idle
        )
        client_id = pending.request.client_id
        kind = "sign_in" if opened else "sign_in.refused"
        await note(desk.audit, AuditEvent(kind, now, "person", account_id, client_id))
        if not opened:
            await desk.requests.finish(pending.request_id)
            raise SignInRefused(links=(desk.back_link(pending),))
        if before is not None and not same:
            await desk.sessions.end(before.account_id, before.item_id, now=now)
        return session

    async def _alive(self, session: Handle | None) -> Handle | None:
        """Return the handle if its session still lives: the sid of a dead one is never reused."""
        return session if await self._desk.signed_in(session) else None
