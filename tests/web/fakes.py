"""The far side of the edge: a core that says what a test wants, and remembers what it was asked."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from broker.core import metadata
from broker.core.account.outcomes import AccountPage, Notice
from broker.core.dpop import Presented
from broker.core.events import Delivery
from broker.core.identities import Identity
from broker.core.model import Client
from broker.core.outcomes import (
    AccessRefusedPage,
    Browser,
    ChoicePage,
    ConsentPage,
    LogoutPage,
    Redirect,
    SelectPage,
    SignedOutPage,
)
from broker.core.parameters import Parameters
from broker.core.policy.model import Reason
from broker.core.policy.words import Obstacle, Obstacles
from broker.web.docs.manual import Manual
from broker.web.edge_config import EdgeConfig, Provider
from broker.web.problems import NoSuchPath
from broker.web.services import Check, Services
from keys.jwks import JwksDocument

ISSUER = "https://id.example"
ORIGIN = "https://app.example"
JWKS = JwksDocument(b'{"keys":[]}', '"jwks-1"')

APP = Client(
    client_id="lantern",
    name="Lantern Board",
    client_uri="https://lantern.example/",
    policy_uri="https://lantern.example/privacy",
    tos_uri="https://lantern.example/terms",
)
CLAIMS = {
    "sub": "8fK2",
    "name": "Ada Lindqvist",
    "preferred_username": "ada.lindqvist",
    "picture": "https://cdn.example/ada.png",
    "email": "ada.lindqvist@example.org",
    "email_verified": True,
    "locale": "sv-SE",
}
CONSENT = ConsentPage(
    request="handle-1",
    csrf="csrf-1",
    client=APP,
    scope=("openid", "profile", "email", "offline_access"),
    claims=CLAIMS,
    redirect_origin="https://lantern.example",
    redirect_host="lantern.example",
    browser="browser-1",
)
SELECT = SelectPage("handle-1", "csrf-1", APP, CLAIMS, "https://lantern.example")
NOT_MEMBER = Obstacle(
    Reason.NOT_MEMBER,
    "You need to be a member of The Lighthouse.",
    "The Lighthouse",
    "https://discord.gg/light",
)
EMAIL = Obstacle(Reason.EMAIL, "You need a verified e-mail address.")
REFUSED = AccessRefusedPage(
    "handle-1", "csrf-1", APP, CLAIMS, "https://lantern.example", Obstacles((NOT_MEMBER, EMAIL))
)
LOGOUT = LogoutPage("csrf-1", CLAIMS, APP, {"state": "s1"}, "https://lantern.example")
SIGNED_OUT = SignedOutPage(APP)
CHOICE = ChoicePage("handle-1", APP, ("discord", "github", "corp"), "browser-1")
ACCOUNT = AccountPage(
    "csrf-1",
    CLAIMS,
    (
        Identity("discord", "1", "ada.lindqvist", 1.0, 2.0, leads=True),
        Identity("gone", "2", "ada", 1.0, 2.0, leads=False),
    ),
    ("github", "corp"),
    ("gone",),
    Notice.LINKED,
)
PROVIDERS = (
    Provider("discord", "Discord", "discord"),
    Provider("github", "GitHub", "github"),
    Provider("corp", "Corp"),
)

MANUAL = Manual(metadata.provider(ISSUER), try_client="docs:try")

Call = tuple[Any, ...]


@dataclass
class Core:
    """Answers every call with ``outcome``, raising it when it is an exception."""

    outcome: Any = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    before: Callable[[], Awaitable[None]] | None = None

    async def _say(self, *call: Any) -> Any:
        self.calls.append(call)
        if self.before is not None:
            await self.before()
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return self.outcome

    async def authorize(self, params: Parameters, browser: Browser, *, posted: bool) -> Any:
        return await self._say("authorize", params, browser, posted)

    async def interact(
        self, handle: str | None, browser: Browser, *, upstream: str | None = None
    ) -> Any:
        chosen = () if upstream is None else (upstream,)
        return await self._say("interact", handle, browser, *chosen)

    async def show(self, notice: str | None, browser: Browser) -> Any:
        return await self._say("show", notice, browser)

    async def decide(self, params: Parameters, browser: Browser) -> Redirect:
        return await self._say("decide", params, browser)

    async def callback(self, upstream: str, params: Parameters, browser: Browser) -> Redirect:
        return await self._say("callback", upstream, params, browser)

    async def answer(
        self, params: Parameters, authorization: str | None, dpop: str | None = None
    ) -> Any:
        proof = () if dpop is None else (dpop,)
        return await self._say("token", params, authorization, *proof)

    async def userinfo(self, shown: Presented) -> Any:
        return await self._say("userinfo", *((shown.token,) if not shown.dpop else (shown,)))

    async def revoke(self, params: Parameters, authorization: str | None) -> None:
        await self._say("revoke", params, authorization)

    async def begin(self, params: Parameters, browser: Browser) -> Any:
        return await self._say("begin", params, browser)

    def ask(self, typed: str | None, browser: Browser) -> Any:
        self.calls.append(("ask", typed, browser))
        return self.outcome

    async def enter(self, params: Parameters, browser: Browser, address: str) -> Any:
        return await self._say("enter", params, browser, address)

    async def done(self, sealed: str | None, browser: Browser) -> Any:
        return await self._say("done", sealed, browser)

    async def admit(self, token: str | None, address: str) -> Any:
        return await self._say("admit", token, address)

    async def register(self, given: dict[str, Any], admission: Any) -> Any:
        return await self._say("register", given)

    async def read(self, client_id: str, token: str | None) -> Any:
        return await self._say("read", client_id, token)

    async def change(self, client_id: str, token: str | None, given: dict[str, Any]) -> Any:
        return await self._say("change", client_id, token, given)

    async def remove(self, client_id: str, token: str | None) -> None:
        await self._say("remove", client_id, token)

    async def take(self, delivery: Delivery) -> None:
        await self._say("take", delivery)

    async def confirm(self, params: Parameters, browser: Browser) -> Any:
        return await self._say("confirm", params, browser)


class Counting:
    """Entropy that counts: identifiers are predictable and differ."""

    def __init__(self) -> None:
        self._count = 0

    def token(self, size: int) -> bytes:
        self._count += 1
        return self._count.to_bytes(size, "big")


async def all_well() -> list[Check]:
    return [Check("redis", ok=True), Check("sql", ok=True)]


@dataclass
class ConsoleOf:
    """The operator console, which answers as the core does; it has no files."""

    core: Core

    async def answer(self, _request: Any, _edge: Any) -> Any:
        return await self.core._say("console")

    async def static(self, _request: Any) -> Any:
        raise NoSuchPath


def services(core: Core, **changes: Any) -> Services:
    """Return services that all lead to one fake core."""
    given: dict[str, Any] = {
        "sign_in": core,
        "token": core,
        "pushed": core,
        "token_info": core,
        "logout": core,
        "introspection": core,
        "account": core,
        "device_authorization": core,
        "device": core,
        "jwks": lambda: (JWKS, 600),
        "ready": all_well,
        "openid_configuration": b'{"issuer":"https://id.example"}',
        "authorization_server": b'{"issuer":"https://id.example","as":true}',
        "allowed_origins": lambda origin: origin == ORIGIN,
        "entropy": Counting(),
        "registration": core,
        "events": core,
        "manual": MANUAL,
        "console": ConsoleOf(core),
    }
    return Services(**(given | changes))


def config(**changes: Any) -> EdgeConfig:
    """Return the settings of an https issuer, changed as told."""
    given: dict[str, Any] = {"issuer": ISSUER, "upstream_origins": lambda: ("https://discord.com",)}
    return EdgeConfig(**(given | changes))
