"""What may not be combined: the broker refuses to start insecurely and names the setting.

Each rule is a function of the settings that yields its problems; ``RULES`` lists them all.
"""

import ipaddress
import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Final
from urllib.parse import SplitResult, urlsplit

from broker.app.addresses import host_and_port
from broker.app.branding import look_faults
from broker.app.key_checks import key_place_faults
from broker.app.policies import deployment_policy
from broker.app.settings import Settings
from broker.app.sources import variable
from broker.app.upstream_settings import faults, is_loopback
from broker.core.documents import BadDocument
from keys.algorithms import ALGORITHMS
from keys.errors import PolicyImpossible

SECRET_BYTES: Final = 32
SECRET_BITS: Final = 96.0  # estimated from how often each character occurs
PLACEHOLDERS: Final = ("changeme", "change-me", "change_me", "example", "password", "default")
POLICY_SETTINGS: Final = {
    "period": "key_period",
    "cache_lifetime": "jwks_cache",
    "poll_interval": "keys_poll",
    "skew": "clock_skew",
    "longest_token": "longest_token_lifetime",
    "hint_retention": "session_lifetime",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """Why the settings are refused; ``setting`` is the environment variable to change."""

    setting: str
    reason: str

    def __str__(self) -> str:
        return f"{self.setting}: {self.reason}"


class Refused(Exception):
    """The settings are refused.

    Args:
        problems: every reason, at least one.
    """

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


Rule = Callable[[Settings], Iterator[Problem]]


def check(settings: Settings) -> None:
    """Check what every command needs to be right.

    Raises:
        Refused: with all the problems at once.
    """
    _run(RULES, settings)


def check_serving(settings: Settings) -> None:
    """Check what serving needs besides.

    Raises:
        Refused: with all the problems at once.
    """
    _run((*RULES, discord_application), settings)


def _run(rules: tuple[Rule, ...], settings: Settings) -> None:
    problems = [problem for rule in rules for problem in rule(settings)]
    if problems:
        raise Refused(*problems)


def issuer_form(settings: Settings) -> Iterator[Problem]:
    """The issuer is an https address without query, fragment or credentials (Discovery §3)."""
    name, parts = variable("issuer"), _parts(settings.public_issuer)
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
    parts = _parts(settings.public_issuer)
    if parts is not None and parts.scheme == "http" and not settings.loopback:
        yield Problem(
            variable("issuer"), "plain http is for this machine alone; a public issuer needs https"
        )


def console_has_a_name(settings: Settings) -> Iterator[Problem]:
    """Passkeys belong to a host name (Web Authentication §5.1.2, RP ID), never to an address."""
    parts = _parts(settings.public_issuer)
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


def secrets_strong(settings: Settings) -> Iterator[Problem]:
    """Secrets are long, unguessable and different from one another."""
    name, texts = variable("secrets"), [one.get_secret_value() for one in settings.secrets]
    how = "make one with: openssl rand -base64 48"
    for number, text in enumerate(texts, start=1):
        if len(text.encode()) < SECRET_BYTES:
            yield Problem(name, f"secret {number} is shorter than {SECRET_BYTES} bytes; {how}")
        elif any(word in text.lower() for word in PLACEHOLDERS):
            yield Problem(name, f"secret {number} looks like a placeholder; {how}")
        elif _bits(text) < SECRET_BITS:
            yield Problem(name, f"secret {number} is easy to guess; {how}")
    if len(set(texts)) != len(texts):
        yield Problem(name, "the same secret is listed twice")


def secrets_shared(settings: Settings) -> Iterator[Problem]:
    """Processes on several machines need the same secrets, so they cannot be made on one."""
    external = [name for name in ("database_url", "redis_url") if getattr(settings, name)]
    if external and not settings.loopback and not settings.secrets:
        yield Problem(
            variable("secrets"),
            f"needed with {variable(external[0])} and a public issuer: every machine must have "
            "the same ones; make one with: openssl rand -base64 48",
        )


def stores_together(settings: Settings) -> Iterator[Problem]:
    """The addresses of stores are of a kind that the broker speaks."""
    if settings.redis_url is not None:
        scheme = settings.redis_url.get_secret_value().partition("://")[0]
        if scheme not in REDIS_SCHEMES:
            yield Problem(variable("redis_url"), f"begins with one of {', '.join(REDIS_SCHEMES)}")
    if settings.database_url is not None:
        scheme = settings.database_url.get_secret_value().partition("://")[0]
        if scheme not in DATABASE_SCHEMES:
            yield Problem(
                variable("database_url"), "begins with postgresql:// (or sqlite+aiosqlite://)"
            )


REDIS_SCHEMES: Final = (
    "redis",
    "rediss",
    "unix",
    "redis+sentinel",
    "rediss+sentinel",
    "redis+cluster",
    "rediss+cluster",
)
DATABASE_SCHEMES: Final = ("postgresql", "postgres", "postgresql+asyncpg", "sqlite+aiosqlite")


def simulated_discord(settings: Settings) -> Iterator[Problem]:
    """A Discord on this machine lets anybody be anybody, so it never serves a public issuer."""
    for field in ("discord_authorize_url", "discord_api_url"):
        url = getattr(settings, field)
        parts = _parts(url)
        if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname:
            yield Problem(variable(field), "must be an absolute https address")
        elif is_loopback(url):
            if not settings.loopback:
                yield Problem(
                    variable(field),
                    f"a Discord on this machine is a simulated one; it may not serve the public "
                    f"issuer {settings.public_issuer}",
                )
        elif parts.scheme != "https":
            yield Problem(variable(field), "must be https: it carries the client secret and codes")


def upstreams_sound(settings: Settings) -> Iterator[Problem]:
    """Other places to sign in are described whole, and are reached by everybody's browser."""
    for reason in faults(settings.upstreams, loopback=settings.loopback):
        yield Problem(variable("upstreams"), reason)


def events_provable(settings: Settings) -> Iterator[Problem]:
    """Discord's events are taken where a key proves them: a wrong one would refuse them all."""
    if not settings.discord_public_key:
        return
    from broker.core.events import public_key  # noqa: PLC0415 - with the cryptography

    try:
        public_key(settings.discord_public_key)
    except ValueError as error:
        yield Problem(variable("discord_public_key"), str(error))


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


def key_times(settings: Settings) -> Iterator[Problem]:
    """A successor is known to every cache before it signs; the arithmetic is the keys' own."""
    try:
        settings.key_policy.validate()
    except PolicyImpossible as error:
        yield Problem(variable(POLICY_SETTINGS.get(error.field, error.field)), str(error))


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


def traces_possible(settings: Settings) -> Iterator[Problem]:
    """Traces need libraries that are an extra."""
    if settings.traces == "on" and not _installed("opentelemetry.exporter.otlp.proto.http"):
        how = "traces need a library that is not installed: pip install 'token-broker[otel]'"
        yield Problem(variable("traces"), how)


def algorithms_known(settings: Settings) -> Iterator[Problem]:
    """Only algorithms that keys can be made for are switched on."""
    for name in settings.signing_algorithms:
        if name not in ALGORITHMS:
            yield Problem(
                variable("signing_algorithms"),
                f"{name!r} is not one of {', '.join(ALGORITHMS)}",
            )


def keys_placed(settings: Settings) -> Iterator[Problem]:
    """The places of keys exist, and an HSM is described whole."""
    for field, reason in key_place_faults(settings):
        yield Problem(variable(field), reason)


def look_readable(settings: Settings) -> Iterator[Problem]:
    """The logo is there, and text in the accent colour can be read (WCAG 2.2 AA)."""
    for field, reason in look_faults(settings):
        yield Problem(variable(field), reason)


def lifetimes_ordered(settings: Settings) -> Iterator[Problem]:
    """A thing does not idle longer than it lives, nor a token longer than the longest."""
    pairs = (
        ("session_idle", "session_lifetime"),
        ("grant_idle", "grant_lifetime"),
        ("membership_fresh", "membership_stale"),
        ("access_token_lifetime", "longest_token_lifetime"),
        ("id_token_lifetime", "longest_token_lifetime"),
    )
    for shorter, longer in pairs:
        short, long = getattr(settings, shorter), getattr(settings, longer)
        if short > long:
            yield Problem(
                variable(shorter), f"is {short} s, more than {variable(longer)} with {long} s"
            )


def policy_sound(settings: Settings) -> Iterator[Problem]:
    """A policy that cannot be read would let everybody in, or nobody."""
    try:
        deployment_policy(settings)
    except BadDocument as error:
        yield Problem(variable("policy"), str(error))


def discord_application(settings: Settings) -> Iterator[Problem]:
    """Nobody can sign in without an application at Discord, or somewhere else to sign in."""
    secret = settings.discord_client_secret.get_secret_value()
    if settings.upstreams and not settings.discord_client_id and not secret:
        return
    where = "create an application at https://discord.com/developers/applications"
    if not settings.discord_client_id:
        yield Problem(variable("discord_client_id"), f"not set; {where}, or try: broker demo")
    if not secret:
        yield Problem(variable("discord_client_secret"), f"not set; {where}, OAuth2 page")


RULES: Final[tuple[Rule, ...]] = (
    issuer_form,
    issuer_https,
    console_has_a_name,
    secrets_strong,
    secrets_shared,
    stores_together,
    simulated_discord,
    upstreams_sound,
    events_provable,
    proxies_named,
    allowed_hosts_named,
    key_times,
    algorithms_known,
    keys_placed,
    look_readable,
    lifetimes_ordered,
    metrics_apart,
    traces_possible,
    policy_sound,
)


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # one above it is not there
        return False


def _parts(url: str) -> SplitResult | None:
    """Return the parts of an address, or None where it is malformed."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return None if any(c.isspace() for c in url) else parts


def _default_port(parts: SplitResult) -> bool:
    return parts.port == {"http": 80, "https": 443}[parts.scheme]


def _bits(text: str) -> float:
    """Return how many bits a text holds at the most, by the frequency of its characters."""
    counts = Counter(text).values()
    return -sum(n * math.log2(n / len(text)) for n in counts)
