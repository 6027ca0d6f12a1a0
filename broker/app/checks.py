"""What may not be combined: the broker refuses to start insecurely and names the setting.

Each rule is a function of the settings that yields its problems; ``RULES`` lists them all.
"""

import math
from collections import Counter
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Final

from broker.app.address_rules import (
    allowed_hosts_named,
    console_has_a_name,
    issuer_form,
    issuer_https,
    metrics_apart,
    parts_of,
    proxies_named,
)
from broker.app.branding import look_faults
from broker.app.data_dir import DEMO_MARK, DEMO_SETTINGS
from broker.app.key_checks import key_place_faults
from broker.app.policies import deployment_policy
from broker.app.problems import Problem, Refused, Rule
from broker.app.settings import Settings
from broker.app.sources import FILE_NAMED_BY, variable
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


def demonstration_known(settings: Settings) -> Iterator[Problem]:
    """A demonstration is operated by its own settings: its apps live at addresses of theirs."""
    kept = settings.data_dir / DEMO_SETTINGS
    if (settings.data_dir / DEMO_MARK).exists() and not settings.issuer and kept.exists():
        reason = f"{settings.data_dir} belongs to a demonstration, with settings of its own"
        yield Problem(
            variable("data_dir"), f"{reason}: in its place set {FILE_NAMED_BY}={kept.resolve()}"
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
        parts = parts_of(url)
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


def key_times(settings: Settings) -> Iterator[Problem]:
    """A successor is known to every cache before it signs; the arithmetic is the keys' own."""
    try:
        settings.key_policy.validate()
    except PolicyImpossible as error:
        yield Problem(variable(POLICY_SETTINGS.get(error.field, error.field)), str(error))


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
    """The logo is there, text in the accent colour can be read (WCAG 2.2 AA), and so the notice."""
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
    demonstration_known,
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


def _bits(text: str) -> float:
    """Return how many bits a text holds at the most, by the frequency of its characters."""
    counts = Counter(text).values()
    return -sum(n * math.log2(n / len(text)) for n in counts)
