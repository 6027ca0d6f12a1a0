"""Rules about addresses: the issuer's, the console's, proxies', clients' and the metrics'."""

import ipaddress
from collections.abc import Iterator
from urllib.parse import SplitResult, urlsplit

from broker.app.addresses import host_and_port
from broker.app.problems import Problem
from broker.app.settings import Settings
from broker.app.sources import variable


def issuer_form(settings: Settings) -> Iterator[Problem]:
    """The issuer is an https address without query, fragment or credentials (Discovery §3)."""
    name, parts = variable("issuer"), parts_of(settings.public_issuer)
    if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname:
        yield Problem(name, "must be an absolute address, such as https://login.example.org")
        return
    if "?" in settings.public_issuer or "#" in settings.public_issuer:
        yield Problem(name, "must have no query and no fragment (OpenID Connect Discovery §3)")
    if "@" in parts.netloc:
        yield Problem(name, "must hold no credentials")
    if parts.path:
        yield Problem(
            name,
            "must end with its host or port: no path and no trailing slash; verifiers compare it "
            "character by character",
        )
    if parts.netloc != parts.netloc.lower() or _default_port(parts):
        yield Problem(name, "must be in lower case and without its scheme's usual port")


def issuer_https(settings: Settings) -> Iterator[Problem]:
    """Plain http carries sessions and codes in clear: it is for this machine alone."""
    parts = parts_of(settings.public_issuer)
    if parts is not None and parts.scheme == "http" and not settings.loopback:
        yield Problem(
            variable("issuer"), "plain http is for this machine alone; a public issuer needs https"
        )


def console_has_a_name(settings: Settings) -> Iterator[Problem]:
    """Passkeys belong to a host name (Web Authentication §5.1.2, RP ID), never to an address."""
    parts = parts_of(settings.public_issuer)
    if settings.admin == "off" or parts is None or not parts.hostname:
        return
    try:
        ipaddress.ip_address(parts.hostname)
    except ValueError:
        return
    yield Problem(
        variable("admin"),
        "passkeys belong to a host name, and the issuer has none; on this machine set "
        f"{variable('issuer')}=http://localhost:{parts.port or 80}",
    )


def proxies_named(settings: Settings) -> Iterator[Problem]:
    """Proxies are trusted by address; trusting everybody would let anybody forge theirs."""
    for entry in settings.trusted_proxies:
        try:
            network = ipaddress.ip_network(entry)
        except ValueError:
            yield Problem(
                variable("trusted_proxies"), f"{entry!r} is no address and no network (10.0.0.0/8)"
            )
            continue
        if network.prefixlen == 0:
            yield Problem(variable("trusted_proxies"), f"{entry} trusts the whole world")


def allowed_hosts_named(settings: Settings) -> Iterator[Problem]:
    """Hosts that clients may name are allowed one by one; what allows nothing is a mistake."""
    if not settings.outbound_allow:
        return
    from broker.upstream.outbound.targets import is_entry  # noqa: PLC0415 - with the HTTP client

    for entry in settings.outbound_allow:
        if not is_entry(entry):
            reason = f"{entry!r} is no host and no host:port (10.0.0.5, hooks.internal:8443, [::1])"
            yield Problem(variable("outbound_allow"), reason)


def metrics_apart(settings: Settings) -> Iterator[Problem]:
    """Metrics are for the operator: they have an address of their own, apart from the public's."""
    if not settings.metrics_address:
        return
    name, found = variable("metrics_address"), host_and_port(settings.metrics_address)
    if found is None:
        yield Problem(
            name,
            f"{settings.metrics_address!r} is no host:port, such as 127.0.0.1:9464 or [::1]:9464",
        )
    elif found[1] == settings.port:
        yield Problem(
            name,
            f"port {settings.port} is the public one ({variable('port')}); metrics need their own",
        )


def parts_of(url: str) -> SplitResult | None:
    """Return the parts of an address, or None where it is malformed."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return None if any(c.isspace() for c in url) else parts


def _default_port(parts: SplitResult) -> bool:
    return parts.port == {"http": 80, "https": 443}[parts.scheme]
