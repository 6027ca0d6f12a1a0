"""The edge's own settings."""

from collections.abc import Callable
from dataclasses import dataclass, field

from broker.web.branding import Look


@dataclass(frozen=True, slots=True)
class Provider:
    """Where people sign in, as pages show it.

    Attributes:
        name: the upstream's.
        title: what people call it.
        mark: which mark of ours stands for it; empty for its initial.
    """

    name: str
    title: str
    mark: str = ""


@dataclass(frozen=True, slots=True)
class EdgeConfig:
    """The edge's settings; lifetimes and time-outs in seconds, sizes in bytes.

    Attributes:
        issuer: the issuer, without a path.
        secure: whether the issuer is https; False only for a plain-http loopback issuer.
        brand: the service's name, as people read it.
        look: its logo, its colour, and where it leads people.
        providers: where people sign in, in the order in which pages name them.
        upstream_origins: returns the origins that a sign-in may pass through (CSP form-action).
        trusted_proxies: addresses or networks whose ``X-Forwarded-For`` counts.
        body_limit: largest request body.
        query_limit: longest query string.
        body_timeout: how long a body may take once it has begun to arrive.
        deadline: how long a request may take in all.
        session_lifetime: how long a browser keeps the session cookie.
        browser_lifetime: how long a browser keeps the binding cookie.
        discovery_lifetime: cache lifetime of the discovery documents.
    """

    issuer: str
    secure: bool = True
    brand: str = "Token Broker"
    look: Look = field(default_factory=Look)
    providers: tuple[Provider, ...] = (Provider("discord", "Discord", "discord"),)
    upstream_origins: Callable[[], tuple[str, ...]] = tuple
    trusted_proxies: tuple[str, ...] = ()
    body_limit: int = 65536
    query_limit: int = 16384
    body_timeout: float = 10.0
    deadline: float = 10.0
    session_lifetime: int = 30 * 86400
    browser_lifetime: int = 30 * 86400
    discovery_lifetime: int = 600
