"""What the edge calls: the core's services, as narrow contracts."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from starlette.requests import Request

from broker.core.account.outcomes import AccountFile, AccountPage, FarewellPage, LeavePage
from broker.core.dpop import Presented
from broker.core.events import Delivery
from broker.core.limits import Limits, Unlimited
from broker.core.outcomes import (
    Browser,
    ChoicePage,
    DeviceCodePage,
    DeviceDonePage,
    LogoutPage,
    Redirect,
    SignedOutPage,
    Step,
)
from broker.core.parameters import Parameters
from broker.core.ports import Entropy
from broker.web.answers import Answer
from broker.web.docs.manual import Manual


class SignIn(Protocol):
    """The authorization endpoint and what a person does there."""

    async def authorize(self, params: Parameters, browser: Browser, /, *, posted: bool) -> Step:
        """Judge an authorization request and say what comes next."""
        ...

    async def interact(
        self, handle: str | None, browser: Browser, /, *, upstream: str | None
    ) -> Step:
        """Go on with a request that is under way, at the upstream that the person has chosen."""
        ...

    async def decide(self, params: Parameters, browser: Browser, /) -> Redirect:
        """Take the person's decision: fields ``request``, ``csrf``, ``decision``."""
        ...

    async def callback(self, upstream: str, params: Parameters, browser: Browser, /) -> Redirect:
        """Take an upstream's answer."""
        ...


class TokenEndpoint(Protocol):
    """The token endpoint."""

    async def answer(
        self, params: Parameters, authorization: str | None, dpop: str | None, /
    ) -> Mapping[str, Any]:
        """Answer a token request; the headers are as they came, or None."""
        ...


class PushedRequests(Protocol):
    """The endpoint where clients push their authorization requests."""

    async def answer(
        self, params: Parameters, authorization: str | None, dpop: str | None, /
    ) -> Mapping[str, Any]:
        """Keep a request; the headers are as they came, or None."""
        ...


class TokenInfo(Protocol):
    """What may be asked and said about tokens."""

    async def userinfo(self, shown: Presented, /) -> Mapping[str, Any] | str:
        """Return the claims that the access token releases; as text where they are signed."""
        ...

    async def revoke(self, params: Parameters, authorization: str | None, /) -> None:
        """End the grant of a token."""
        ...


class Introspection(Protocol):
    """The introspection endpoint."""

    async def answer(self, params: Parameters, authorization: str | None, /) -> Mapping[str, Any]:
        """Say what a token says; ``authorization`` is the header as it came, or None."""
        ...


class Logout(Protocol):
    """RP-initiated logout."""

    async def begin(
        self, params: Parameters, browser: Browser, /
    ) -> Redirect | LogoutPage | SignedOutPage:
        """Sign out at once, or ask."""
        ...

    async def confirm(self, params: Parameters, browser: Browser, /) -> Redirect | SignedOutPage:
        """Take the person's answer: fields ``csrf``, ``confirm`` and those of the question."""
        ...


class AccountPages(Protocol):
    """What a person sees and does about their own account."""

    async def show(
        self, notice: str | None, browser: Browser, /
    ) -> Redirect | ChoicePage | AccountPage:
        """Show the account of who is signed in, or lead to a sign-in."""
        ...

    async def change(
        self, params: Parameters, browser: Browser, /
    ) -> Redirect | ChoicePage | AccountFile | LeavePage | FarewellPage:
        """Take what the person wants: fields ``csrf``, ``action`` and what it is about."""
        ...


class DeviceAuthorization(Protocol):
    """The device authorization endpoint."""

    async def answer(self, params: Parameters, authorization: str | None, /) -> Mapping[str, Any]:
        """Begin a sign-in for a device; ``authorization`` is the header as it came, or None."""
        ...


class DevicePages(Protocol):
    """What a person does for a device."""

    def ask(self, typed: str | None, browser: Browser, /) -> DeviceCodePage:
        """Ask for the code that the device shows."""
        ...

    async def enter(
        self, params: Parameters, browser: Browser, address: str, /
    ) -> Redirect | DeviceCodePage:
        """Take the code: fields ``csrf`` and ``user_code``; ``address`` is whose guess it is."""
        ...

    async def done(self, sealed: str | None, browser: Browser, /) -> DeviceDonePage:
        """Say how it ended."""
        ...


class Registration(Protocol):
    """Clients that register themselves; what lets them in is what ``admit`` returned."""

    async def admit(self, token: str | None, address: str, /) -> Any:
        """Let somebody register a client, before anything of what they send is read."""
        ...

    async def register(self, given: Mapping[str, Any], admission: Any, /) -> Mapping[str, Any]:
        """Register a client."""
        ...

    async def read(self, client_id: str, token: str | None, /) -> Mapping[str, Any]:
        """Return a client's registration to itself."""
        ...

    async def change(
        self, client_id: str, token: str | None, given: Mapping[str, Any], /
    ) -> Mapping[str, Any]:
        """Replace a client's registration as it asks."""
        ...

    async def remove(self, client_id: str, token: str | None, /) -> None:
        """Remove a client for good."""
        ...


class Events(Protocol):
    """Takes events that Discord sends."""

    async def take(self, delivery: Delivery, /) -> None:
        """Do what an event asks for, if Discord has signed it."""
        ...


class Console(Protocol):
    """The operator console, which is made of a library's pages."""

    async def answer(self, request: Request, edge: Any, /) -> Answer:
        """Answer what is asked under /admin; ``edge`` is what endpoints are handed."""
        ...

    async def static(self, request: Request, /) -> Answer:
        """Return a file of its pages."""
        ...


class Document(Protocol):
    """A document that was built before anybody asked for it."""

    @property
    def body(self) -> bytes:
        """The document."""
        ...

    @property
    def etag(self) -> str:
        """Its strong entity tag, quotes included."""
        ...


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that the service needs in order to work.

    Attributes:
        name: what it is, ``redis``.
        ok: whether it is there.
        reason: why it is not; safe to show.
    """

    name: str
    ok: bool
    reason: str = ""


Observe = Callable[[str, str, int, float | None], None]
"""Is told of each answer: route (empty for none), method, status, seconds (None: not measured)."""


@dataclass(frozen=True, slots=True)
class Services:
    """Everything the edge calls.

    Attributes:
        sign_in: the authorization endpoint.
        token: the token endpoint.
        pushed: takes authorization requests from clients themselves.
        token_info: userinfo and revocation.
        introspection: what tokens say, for those whom they concern.
        logout: RP-initiated logout.
        account: a person's own account.
        device_authorization: where devices begin.
        device: what a person does for them.
        jwks: returns the JWKS and for how many seconds it may be kept; 0 for not at all.
        ready: looks at all that is needed.
        openid_configuration: the discovery document (OpenID Connect Discovery §4), as sent.
        authorization_server: the metadata of RFC 8414 §3, as sent.
        allowed_origins: whether a web origin is registered by any client.
        entropy: begins request identifiers.
        registration: clients that register themselves; None where they may not.
        events: takes events that Discord sends; None without the key that proves them.
        console: the operator console; None where it is off.
        dpop_nonce: returns the nonce for a client's next DPoP proof, or None.
        limits: how often an address may ask.
        observe: is told of each answer, where anything counts them.
        manual: what the integrator's pages tell; None where there are none.
    """

    sign_in: SignIn
    token: TokenEndpoint
    pushed: PushedRequests
    token_info: TokenInfo
    introspection: Introspection
    logout: Logout
    account: AccountPages
    device_authorization: DeviceAuthorization
    device: DevicePages
    jwks: Callable[[], tuple[Document, int]]
    ready: Callable[[], Awaitable[Sequence[Check]]]
    openid_configuration: bytes
    authorization_server: bytes
    allowed_origins: Callable[[str], bool | Awaitable[bool]]
    entropy: Entropy
    registration: Registration | None = None
    events: Events | None = None
    console: Console | None = None
    dpop_nonce: Callable[[], str | None] = lambda: None
    limits: Limits = field(default_factory=Unlimited)
    observe: Observe | None = None
    manual: Manual | None = None
