"""The upstreams of an installation: made out of its settings, in the order of its pages."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlsplit

from broker.app.settings import Settings
from broker.app.upstream_settings import DISCORD, UpstreamSettings
from broker.core.errors import UpstreamUnavailable
from broker.core.federation import Upstream
from broker.core.ports import Clock
from broker.core.resting import rest
from broker.log import structlog
from broker.upstream.base import BoundedTransport
from broker.upstream.budget import ProcessBudget
from broker.upstream.discord import Discord, DiscordSettings
from broker.upstream.github import SITE, GitHub, GitHubSettings
from broker.upstream.line import Line
from broker.upstream.oidc import SCOPES, OpenIdProvider, ProviderSettings
from broker.upstream.pacing import NoTally, Wire
from broker.web.edge_config import Provider

FOLLOWED: Final = 600.0  # seconds between two looks at discovery documents
# Hosts of issuers whose mark we draw; any other has its initial.
MARKS: Final = {
    "accounts.google.com": "google",
    "login.microsoftonline.com": "microsoft",
    "gitlab.com": "gitlab",
}

_log = structlog.get_logger("broker.app")


def upstreams_of(settings: Settings, wire: Wire, clock: Clock) -> dict[str, Upstream]:
    """Return every upstream by its name; Discord first, where it is set up.

    Args:
        settings: checked before.
        wire: how their calls leave this process.
        clock: time.
    """
    found: dict[str, Upstream] = {}
    if settings.discord_client_id:
        found[DISCORD] = Discord(discord_settings(settings), wire, clock)
    for one in settings.upstreams:
        found[one.name] = _made(one, settings, Line(one.name, wire, clock))
    return found


@asynccontextmanager
async def reaching(settings: Settings, clock: Clock) -> AsyncIterator[dict[str, Upstream]]:
    """Yield every upstream by its name, for a process that asks them now and then: a command."""
    transport = BoundedTransport()
    try:
        yield upstreams_of(settings, Wire(transport, ProcessBudget(clock), NoTally()), clock)
    finally:
        await transport.shut()


def _made(one: UpstreamSettings, settings: Settings, line: Line) -> Upstream:
    secret = one.client_secret.get_secret_value()
    redirect_uri = callback(settings, one.name)
    if one.kind == "github":
        site = one.issuer or SITE
        return GitHub(
            GitHubSettings(
                one.name, one.title, one.client_id, secret, redirect_uri, site, one.scopes
            ),
            line,
        )
    given = ProviderSettings(
        one.name, one.title, one.issuer, one.client_id, secret, redirect_uri, one.scopes or SCOPES
    )
    return OpenIdProvider(given, line)


def callback(settings: Settings, name: str) -> str:
    """Return the address to which an upstream sends people back."""
    return f"{settings.public_issuer}/login/{name}/callback"


def discord_settings(settings: Settings) -> DiscordSettings:
    """Return how to reach Discord, and as whom."""
    return DiscordSettings(
        client_id=settings.discord_client_id,
        client_secret=settings.discord_client_secret.get_secret_value(),
        redirect_uri=callback(settings, DISCORD),
        authorize_url=settings.discord_authorize_url,
        api_url=settings.discord_api_url.rstrip("/"),
        cdn_url=settings.discord_cdn_url.rstrip("/"),
        timeout=settings.discord_timeout,
    )


def providers(settings: Settings) -> tuple[Provider, ...]:
    """Return them as pages show them."""
    discord = (Provider(DISCORD, "Discord", DISCORD),) if settings.discord_client_id else ()
    return discord + tuple(Provider(one.name, one.title, _mark(one)) for one in settings.upstreams)


def _mark(one: UpstreamSettings) -> str:
    if one.kind == "github":
        return "github"
    host = urlsplit(one.issuer).hostname or ""
    return MARKS.get(host, "gitlab" if host.startswith("gitlab.") else "")


def origins(settings: Settings, upstreams: Mapping[str, Upstream]) -> tuple[str, ...]:
    """Return where browsers may be sent to sign in, as far as it is known by now (origins)."""
    found = [_origin(settings.discord_authorize_url)] if DISCORD in upstreams else []
    for one in upstreams.values():
        if isinstance(one, OpenIdProvider | GitHub):
            found += one.origins
    return tuple(dict.fromkeys(found))


async def follow(upstreams: Mapping[str, Upstream], stop: asyncio.Event) -> None:
    """Keep the discovery documents read until ``stop`` is set, so that no sign-in waits for one."""
    while not stop.is_set():
        for one in upstreams.values():
            if isinstance(one, OpenIdProvider):
                try:
                    await one.look()
                except UpstreamUnavailable as error:
                    _log.warning("upstream.not_ready", upstream=one.name, reason=error.private)
        await rest(stop, FOLLOWED)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
