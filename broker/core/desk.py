"""What a sign-in needs at hand, and what can be said of a request under way."""

from contextlib import suppress
from dataclasses import dataclass

from broker.core import facts, redirects
from broker.core import vocabulary as v
from broker.core.access import Access
from broker.core.account.own import OwnAccounts
from broker.core.csrf import FormTokens, browser_digest
from broker.core.device.model import Devices
from broker.core.errors import (
    AccessDenied,
    AuthorizationRefused,
    BrokerError,
    ForeignBrowser,
    InvalidGrant,
    PageError,
    RequestExpired,
    RequestUnknown,
    StoreUnavailable,
    Way,
)
from broker.core.federation import Authorizations, Upstream
from broker.core.handles import NOBODY, Handle, Handles, Kind
from broker.core.identities import Identities
from broker.core.model import (
    AuthorizationRequest,
    Client,
    Facts,
    Lifetimes,
    PendingRequest,
    Session,
)
from broker.core.outcomes import Browser, Redirect
from broker.core.ports import (
    Accounts,
    AccountStates,
    Audit,
    Clients,
    Clock,
    Entropy,
    PendingRequests,
    Sessions,
)
from broker.core.request_objects import RequestObjects
from broker.core.responses import respond
from broker.core.signing import SigningAlgorithms
from broker.core.texts import Text
from broker.core.wishes import HintSubject


@dataclass(frozen=True, slots=True)
class Desk:
    """Everything a sign-in needs at hand; made once at start."""

    issuer: str
    clients: Clients
    accounts: Accounts
    states: AccountStates
    sessions: Sessions
    requests: PendingRequests
    audit: Audit
    upstreams: dict[str, Upstream]
    handles: Handles
    forms: FormTokens
    clock: Clock
    entropy: Entropy
    lifetimes: Lifetimes
    hint_subject: HintSubject
    signing: SigningAlgorithms
    devices: Devices
    request_objects: RequestObjects
    access: Access
    authorizations: Authorizations
    identities: Identities
    own: OwnAccounts

    def new_id(self) -> str:
        """Return a fresh identifier: 32 hexadecimal digits."""
        return self.entropy.token(16).hex()

    def request_handle(self, pending: PendingRequest) -> str:
        """Return the text by which pages and addresses name a request under way."""
        return self.handles.make(Kind.REQUEST, Handle(NOBODY, pending.request_id))

    def page_url(self, pending: PendingRequest) -> str:
        """Return the address of the request's next page."""
        return f"/interaction?request={self.request_handle(pending)}"

    def session_handle(self, browser: Browser) -> Handle | None:
        """Return what the session cookie says; None for none, garbage or a dropped secret's."""
        return self.handles.open(Kind.SESSION, browser.session) if browser.session else None

    async def signed_in(self, session: Handle | None) -> tuple[Session, Facts] | None:
        """Return the living session that a cookie names, and its account's facts.

        Facts that Redis has lost are restored from SQL first: a session that goes on must not be
        taken for one that is over.

        Raises:
            StoreUnavailable: a store is out of reach.
        """
        if session is None:
            return None
        place = (session.account_id, session.item_id, session.generation)
        found = await self.sessions.look(*place, now=self.clock.now())
        if found is None:
            try:
                await facts.restore(self.accounts, self.states, session.account_id)
            except InvalidGrant:
                return None
            found = await self.sessions.look(*place, now=self.clock.now())
        return found

    def telling(
        self, request: AuthorizationRequest, pending: PendingRequest | None = None
    ) -> "Telling":
        """Have failures inside told as the app of a request wants: in its languages, its colour.

        What nobody has foreseen a way on from has one all the same: the request can be gone on
        with, or its app be told that it did not happen.

        Args:
            request: proven once, so its app is known.
            pending: its record, where it is stored.
        """
        return Telling(self, request, pending)

    def answer(self, request: AuthorizationRequest, client: Client, code: str) -> Redirect:
        """Return what carries a code to the client (RFC 6749 §4.1.2, RFC 9207 §2)."""
        answer = {"code": code, "state": request.state, "iss": self.issuer}
        mode, locales = request.response_mode, request.ui_locales
        return respond(request.redirect_uri, mode, answer, locales, client)

    def way_back(self, request: AuthorizationRequest) -> Way:
        """Return a way to tell the app that this sign-in did not happen, as it wants to hear it."""
        answer = {"error": AccessDenied.code, "state": request.state, "iss": self.issuer}
        told = respond(request.redirect_uri, request.response_mode, answer)
        return Way(Text("Back to the app"), told.location, told.fields)

    def new_pending(self, request: AuthorizationRequest) -> PendingRequest:
        """Return a record for a request that has to wait for a person; nothing is stored yet."""
        now = self.clock.now()
        return PendingRequest(
            request_id=self.new_id(),
            request=request,
            browser="",
            created_at=now,
            expires_at=now + self.lifetimes.request,
        )

    async def under_way(self, handle: str | None) -> PendingRequest:
        """Return the request that a page or form names.

        Raises:
            RequestUnknown: it is finished, or was never begun.
            RequestExpired: it waited too long; the error leads back to the app.
        """
        opened = self.handles.open(Kind.REQUEST, handle) if handle else None
        pending = await self.requests.get(opened.item_id) if opened else None
        if pending is None:
            raise RequestUnknown
        async with self.telling(pending.request, pending):
            self.must_be_alive(pending)
        return pending

    async def client_of(self, pending: PendingRequest) -> Client:
        """Return the client of a request under way, its redirect URI still its own.

        Raises:
            RequestUnknown: it was switched off meanwhile, may have no codes any more, or does not
                want its people there.
        """
        client = await self.clients.find(pending.request.client_id)
        if client is None or client.disabled:
            raise RequestUnknown(Text("The app was switched off during this sign-in"))
        if pending.request.device is not None:
            if v.GRANT_DEVICE in client.grant_types:
                return client
            raise RequestUnknown(Text("The app was changed during this sign-in"))
        uri, codes = pending.request.redirect_uri, v.GRANT_CODE in client.grant_types
        if not codes or not redirects.registered(client, uri, client.redirect_uris):
            raise RequestUnknown(Text("The app was changed during this sign-in"))
        return client

    def must_be_alive(self, pending: PendingRequest) -> None:
        """Refuse a request that waited longer than its lifetime.

        Raises:
            RequestExpired: with a way back to the app.
        """
        if pending.expires_at <= self.clock.now():
            raise RequestExpired(links=(self.back_link(pending.request),))

    def ways_on(self, pending: PendingRequest) -> tuple[Way, ...]:
        """Return the ways by which a page leads on when a step of a request came to nothing."""
        back = self.back_link(pending.request)
        if pending.request.inward is not None:
            return (back,)
        return (Way(Text("Try again"), self.page_url(pending)), back)

    def back_link(self, request: AuthorizationRequest) -> Way:
        """Return the way by which a page leads back to the app, or to the page it is for."""
        if request.device is not None:
            return Way(Text("Enter a code"), "/device")
        if request.inward == "console":
            return Way(Text("Operator console"), "/admin")
        if request.inward is not None:
            return Way(Text("Your account"), "/account")
        return self.way_back(request)


class Telling:
    """What ``Desk.telling`` returns: nearly every sign-in passes it, nearly none fails in it."""

    __slots__ = ("_desk", "_pending", "_request")

    def __init__(
        self, desk: Desk, request: AuthorizationRequest, pending: PendingRequest | None
    ) -> None:
        self._desk = desk
        self._request = request
        self._pending = pending

    async def __aenter__(self) -> None:
        """Begin."""

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Say on a failure of ours whose it is, and the way on; it goes on as it was raised."""
        if not isinstance(error, BrokerError):
            return
        desk, request, pending = self._desk, self._request, self._pending
        error.ui_locales = error.ui_locales or request.ui_locales
        if request.inward is None:
            with suppress(StoreUnavailable):
                error.client = error.client or await desk.clients.find(request.client_id)
        if not error.links and not isinstance(error, PageError | AuthorizationRefused):
            error.links = desk.ways_on(pending) if pending else (desk.back_link(request),)


def same_browser(pending: PendingRequest, browser: Browser) -> None:
    """Refuse a handle in any browser but the one that began the request (CVE-2022-39222).

    Raises:
        ForeignBrowser: it is another one.
    """
    if not browser.key or pending.browser != browser_digest(browser.key):
        raise ForeignBrowser


def form_subject(request_id: str, session: Handle | None) -> str:
    """Return what a form of ours is about: this request, decided by this account."""
    return f"{request_id} {session.account_id if session else ''}"


def fresh(pending: PendingRequest, session: Handle | None) -> bool:
    """Whether the person signed in during this very request, into this very session."""
    if session is None or not pending.fresh:
        return False
    return pending.session == (session.account_id, session.item_id, session.generation)
