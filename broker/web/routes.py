"""THE table of every URL of the broker."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from starlette.requests import Request

from broker.web.answers import Answer
from broker.web.edge import Edge
from broker.web.endpoints import (
    browser,
    console,
    device,
    documents,
    introspection,
    program,
    registration,
    webhooks,
)

Endpoint = Callable[[Request, Edge], Awaitable[Answer]]


class Cache(StrEnum):
    """Whether anybody may keep an answer."""

    NEVER = "never"  # no-store, whatever the endpoint says
    PUBLIC = "public"  # as the document says; its errors are no-store


class Cors(StrEnum):
    """Which pages of other origins may read an answer; never with credentials."""

    NONE = "none"
    ANY = "any"  # public documents
    CLIENTS = "clients"  # origins registered by a client


class Voice(StrEnum):
    """To whom an error speaks."""

    PAGE = "page"  # a person: HTML
    OAUTH = "oauth"  # a program: RFC 6749 §5.2
    RESOURCE = "resource"  # a program with an access token: RFC 6750 §3


@dataclass(frozen=True, slots=True)
class Entry:
    """One URL.

    Attributes:
        path: literal, or with ``{parameters}``.
        methods: what it takes; HEAD only where a GET changes nothing.
        endpoint: what answers.
        voice: to whom its errors speak.
        cache: its cache class.
        cors: its CORS class.
        counted: whether its requests count towards the limit of their address.
        needs: the service without which there is nothing at this address; empty for none.
    """

    path: str
    methods: tuple[str, ...]
    endpoint: Endpoint
    voice: Voice = Voice.PAGE
    cache: Cache = Cache.NEVER
    cors: Cors = Cors.NONE
    needs: str = ""
    counted: bool = True

    @property
    def limited(self) -> bool:
        """Whether an address may ask too often: verifiers are never kept from public documents."""
        return self.counted and self.cache is Cache.NEVER


_READ: Final = ("GET", "HEAD")
_BOTH: Final = ("GET", "POST")
_OWN: Final = ("GET", "PUT", "DELETE")

ROUTES: Final = (
    # programs
    Entry("/token", ("POST",), program.token, Voice.OAUTH, cors=Cors.CLIENTS),
    Entry("/par", ("POST",), program.par, Voice.OAUTH, cors=Cors.CLIENTS),
    Entry("/userinfo", _BOTH, program.userinfo, Voice.RESOURCE, cors=Cors.CLIENTS),
    Entry("/revoke", ("POST",), program.revoke, Voice.OAUTH, cors=Cors.CLIENTS),
    Entry("/introspect", ("POST",), introspection.introspect, Voice.OAUTH),
    Entry(
        "/device_authorization", ("POST",), device.authorization, Voice.OAUTH, cors=Cors.CLIENTS
    ),
    Entry(
        "/register", ("POST",), registration.register, Voice.RESOURCE, needs="registration"
    ),
    Entry(
        "/register/{client_id}", _OWN, registration.manage, Voice.RESOURCE, needs="registration"
    ),
    Entry("/webhooks/discord", ("POST",), webhooks.discord, Voice.OAUTH, needs="events"),
    # people
    Entry("/authorize", _BOTH, browser.authorize),
    Entry("/interaction", _BOTH, browser.interaction),
    Entry("/login/{upstream}/callback", ("GET",), browser.callback),
    Entry("/account", _BOTH, browser.account),
    Entry("/logout", _BOTH, browser.logout),
    Entry("/device", _BOTH, device.page),
    Entry("/device/done", ("GET",), device.done),
    Entry("/device/qr/{code}.svg", _READ, device.qr),
    Entry("/", _READ, browser.landing),
    # operators
    Entry("/admin", _BOTH, console.console, needs="console"),
    Entry("/admin/enter", _BOTH, console.console, needs="console"),
    Entry("/admin/static/{path:path}", _READ, console.static, cache=Cache.PUBLIC, needs="console"),
    Entry("/admin/{path:path}", _BOTH, console.console, needs="console"),
    # documents
    Entry("/.well-known/jwks.json", _READ, documents.jwks, Voice.OAUTH, Cache.PUBLIC, Cors.ANY),
    Entry(
        "/.well-known/openid-configuration",
        _READ, documents.openid_configuration, Voice.OAUTH, Cache.PUBLIC, Cors.ANY,
    ),
    Entry(
        "/.well-known/oauth-authorization-server",
        _READ, documents.authorization_server, Voice.OAUTH, Cache.PUBLIC, Cors.ANY,
    ),
    Entry("/static/{name}", _READ, documents.static, Voice.PAGE, Cache.PUBLIC),
    Entry("/docs", _READ, documents.docs, Voice.PAGE, Cache.PUBLIC, needs="manual"),
    Entry("/docs/{name}", _READ, documents.docs, Voice.PAGE, Cache.PUBLIC, needs="manual"),
    # probes
    Entry("/livez", _READ, documents.livez, Voice.OAUTH, counted=False),
    Entry("/readyz", _READ, documents.readyz, Voice.OAUTH, counted=False),
)  # fmt: skip
