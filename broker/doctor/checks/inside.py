"""What only an operator can see: settings and credentials."""

import stat
from collections.abc import Iterator, Sequence

from broker.app.settings import Settings
from broker.app.upstream_settings import DISCORD
from broker.core.errors import UpstreamRejected, UpstreamUnavailable
from broker.core.federation import Upstream
from broker.doctor.model import Finding, fail, ok, warn
from broker.upstream.base import BoundedTransport
from broker.upstream.discord import DiscordSettings
from broker.upstream.discord_credentials import credentials_fault
from broker.upstream.oidc import OpenIdProvider


def settings(found: Settings, unknown: Sequence[str]) -> Iterator[Finding]:
    """Judge what is allowed but may not be meant."""
    for name in unknown:
        yield warn("unknown setting", f"{name} sets nothing", "see broker config for the names")
    if found.loopback:
        seen = f"{found.public_issuer} is this machine alone"
        yield warn("issuer", seen, "set BROKER_ISSUER to the public https address")
    elif found.public_issuer.startswith("https:"):  # else it is refused
        yield ok("issuer", found.public_issuer)
        if not found.trusted_proxies:
            yield warn(
                "proxies",
                "none is trusted, so all requests seem to come from what ends TLS",
                "set BROKER_TRUSTED_PROXIES to its address: limits and the log go by it",
            )
    if found.secrets:
        yield ok("secrets", f"{len(found.secrets)} of the operator's, the first is used")
    else:
        yield _own_secret(found)


def _own_secret(found: Settings) -> Finding:
    place = found.data_dir / "secret"
    if not place.exists():
        return ok("secrets", f"one will be made in {found.data_dir}")
    mode = stat.S_IMODE(place.stat().st_mode)
    if mode & 0o077:
        cure = f"chmod 600 {place}"
        return fail("secrets", f"{place} can be read by others (mode {mode:o})", cure)
    return ok("secrets", f"one of its own in {found.data_dir}: back it up")


async def discord(application: DiscordSettings, transport: BoundedTransport) -> list[Finding]:
    """Judge the application at Discord."""
    callback = f"{application.redirect_uri} has to be among its redirects"
    try:
        fault = await credentials_fault(application, transport)
    except UpstreamUnavailable as error:
        return [warn("Discord", f"no answer ({error.private})", "check the way to Discord's API")]
    if fault is not None:
        cure = "copy both again from OAuth2 in the developer portal"
        return [fail("application", fault, f"{cure}: BROKER_DISCORD_CLIENT_ID and its secret")]
    return [
        ok("application", f"Discord knows {application.client_id} and its secret"),
        ok("callback", callback),
    ]


async def upstream(place: Upstream, callback: str) -> list[Finding]:
    """Judge another place to sign in, as far as it can be told without a person; Discord apart.

    Args:
        place: which.
        callback: our address, to which it sends people back.
    """
    if place.name == DISCORD:
        return []
    seen = f"{callback} has to be among its redirects"
    if not isinstance(place, OpenIdProvider):
        return [ok(place.name, seen)]
    try:
        provider = await place.look()
    except (UpstreamUnavailable, UpstreamRejected) as error:
        cure = "compare the issuer in BROKER_UPSTREAMS with what it calls itself"
        return [fail(place.name, error.private, cure)]
    signs = ", ".join(sorted(provider.algorithms))
    return [ok(place.name, f"{provider.issuer} is read, and signs with {signs}; {seen}")]
