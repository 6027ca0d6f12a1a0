"""What this broker demands of a client's registration besides what the specifications do."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from broker.app import community_rules
from broker.app.algorithms import switched_on
from broker.app.branding import accent_fault
from broker.app.settings import DAY, Settings
from broker.core import client_keys, translations
from broker.core import vocabulary as v
from broker.core.errors import OutboundRefused
from broker.core.model import Client
from broker.core.redirects import is_loopback
from broker.upstream.outbound import Outbound
from keys.algorithms import ALGORITHMS

CLIENT_ID: Final = re.compile(r"[A-Za-z0-9._~-]{1,128}", re.ASCII)
PRIVATE_SCHEME: Final = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+", re.ASCII)
FORBIDDEN: Final = re.compile(r"[\s\x00-\x20\x7f\\<>\"`{}|^]")
SCOPE: Final = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]{1,128}")  # RFC 6749 §3.3
MAX_URI: Final = 2000
SHORTEST: Final = 30  # seconds that a token lives at least
SHORTEST_GRANT: Final = 300
LONGEST_GRANT: Final = 1098 * DAY

MAIL: Final = re.compile(r"mailto:[^@]+@[^@]+")
PAGES: Final = (
    "client_uri", "logo_uri", "policy_uri", "tos_uri", "support_uri", "initiate_login_uri"
)  # fmt: skip
CALLED: Final = ("jwks_uri", "sector_identifier_uri", "backchannel_logout_uri")
SIGNED_WITH: Final = ("id_token_signed_response_alg", "userinfo_signed_response_alg")
SIGNS_WITH: Final = ("token_endpoint_auth_signing_alg", "request_object_signing_alg")
SIGNS_IN: Final = "upstream"
EXCHANGES: Final = ("impersonation", "delegation", SIGNS_IN)
AUTHENTICATED: Final = frozenset((v.GRANT_CLIENT, v.GRANT_EXCHANGE))


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a registration is refused.

    Attributes:
        field: of ``Client``: the one to change.
        reason: in words.
    """

    field: str
    reason: str


def faults(client: Client, settings: Settings) -> Iterator[Fault]:
    """Yield all that is wrong with a registration as it is to be."""
    yield from _names(client)
    yield from _redirects(client)
    yield from _origins(client)
    yield from _kind(client)
    yield from _exchange(client)
    yield from _keys(client)
    yield from _algorithms(client, settings)
    yield from _scopes(client)
    yield from _lifetimes(client, settings)
    yield from _addresses(client, settings)
    yield from _looks(client)
    yield from _translations(client, settings)
    yield from _sector(client)
    yield from (Fault(*wrong) for wrong in community_rules.faults(client, settings))


def _names(client: Client) -> Iterator[Fault]:
    if not CLIENT_ID.fullmatch(client.client_id):
        yield Fault("client_id", "1 to 128 of letters, digits and . _ ~ -")
    if reason := _unnamed(client.name):
        yield Fault("name", reason)


def _unnamed(text: str) -> str | None:
    """Return why people cannot be shown a name, or None."""
    fits = bool(text.strip()) and len(text) <= 100 and text.isprintable()
    return None if fits else "1 to 100 printable characters"


def _unseemly(field: str, text: str, settings: Settings) -> str | None:
    """Return why people cannot be led to an address, or None.

    Where the issuer is this machine alone, so may be the app.
    """
    fits = text.startswith("https://") or (field == "support_uri" and bool(MAIL.fullmatch(text)))
    if text.startswith("http://") and settings.public_issuer.startswith("http://"):
        fits = not malformed(text) and is_loopback(urlsplit(text))
    if fits and not malformed(text):
        return None
    return f"must be an https {'or mailto ' if field == 'support_uri' else ''}address"


def _redirects(client: Client) -> Iterator[Fault]:
    native = client.application_type == v.APPLICATION_NATIVE
    if v.GRANT_CODE in client.grant_types and not client.redirect_uris:
        yield Fault("redirect_uris", "at least one is needed")
    for field in ("redirect_uris", "post_logout_redirect_uris"):
        for uri in getattr(client, field):
            if reason := _bad_redirect(uri, native=native):
                yield Fault(field, f"{uri}: {reason}")


def _bad_redirect(uri: str, *, native: bool) -> str | None:
    """Return why an address cannot be returned to, or None (RFC 9700 §2.1, RFC 8252 §7)."""
    reason = malformed(uri)
    if reason:
        return reason
    parts = urlsplit(uri)
    if parts.scheme == "https":
        return None if parts.hostname else "an https address needs a host"
    if parts.scheme == "http":
        return None if is_loopback(parts) else "plain http is for this machine alone; use https"
    if not native:
        return "must be https; a scheme of the app's own is for native apps"
    if not PRIVATE_SCHEME.fullmatch(parts.scheme):
        return "a scheme of the app's own is a domain backwards: com.example.app:/callback"
    return None


def malformed(uri: str) -> str | None:
    """Return what is wrong with the form of an address, or None where it is well-formed."""
    if not uri.isascii():
        return "must be ASCII: an international host name in its xn-- form, a path in %-escapes"
    if len(uri) > MAX_URI or FORBIDDEN.search(uri):
        return f"longer than {MAX_URI} characters, or with one that no address may hold"
    try:
        parts = urlsplit(uri)
        _ = parts.port
    except ValueError:
        return "is malformed"
    found = {
        "must be absolute": not parts.scheme,
        "must have no fragment (RFC 6749 §3.1.2)": "#" in uri,
        "must hold no credentials": "@" in parts.netloc,
        "wildcards are not understood; register each address": "*" in uri,
        "must have no dot segments": {".", ".."} & set(parts.path.split("/")),
    }
    return next((reason for reason, bad in found.items() if bad), None)


def _origins(client: Client) -> Iterator[Fault]:
    for origin in client.origins:
        reason = malformed(origin) or _bad_origin(origin)
        if reason:
            yield Fault("origins", f"{origin}: {reason}")


def _bad_origin(origin: str) -> str | None:
    parts = urlsplit(origin)
    if f"{parts.scheme}://{parts.netloc}" != origin or origin != origin.lower():
        return "scheme, host and port alone, in lower case: https://app.example.org"
    secure = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts))
    return None if secure else "must be https (http for this machine alone)"


def _kind(client: Client) -> Iterator[Fault]:
    """What a client that cannot keep a secret must not have."""
    yield from _one_of(client, "application_type", (v.APPLICATION_WEB, v.APPLICATION_NATIVE))
    if not client.public:
        return
    if not client.require_pkce:
        yield Fault("require_pkce", "a public client is protected by PKCE alone (RFC 9700 §2.1.1)")
    if client.secrets:
        yield Fault("auth_method", "a public client has no secret")
    if not client.rotate_refresh_tokens and not client.dpop_bound_access_tokens:
        yield Fault(
            "rotate_refresh_tokens",
            "those of a public client are spent at each refresh, or bound by DPoP "
            "(RFC 9700 §2.2.2)",
        )
    # Whoever holds a token of Discord proves by it whom it is about, and nothing of the client.
    only_signs_in = client.exchange == (SIGNS_IN,)
    for grant_type in client.grant_types:
        if grant_type in AUTHENTICATED and not (grant_type == v.GRANT_EXCHANGE and only_signs_in):
            yield Fault("grant_types", f"{grant_type} is for clients that authenticate")


def _exchange(client: Client) -> Iterator[Fault]:
    """RFC 8693 §1.1: the ways there are, for whoever may exchange at all."""
    for way in client.exchange:
        if way not in EXCHANGES:
            yield Fault("exchange", f"{way!r} is none of: {', '.join(EXCHANGES)}")
    if client.exchange and v.GRANT_EXCHANGE not in client.grant_types:
        yield Fault("exchange", "is for clients with the grant type of token exchange")
    if not client.upstream_token:
        return
    if client.public:
        yield Fault("upstream_token", "is for clients that authenticate")
    if v.GRANT_EXCHANGE not in client.grant_types:
        yield Fault("upstream_token", "is for clients with the grant type of token exchange")


def _keys(client: Client) -> Iterator[Fault]:
    """A client's own keys: known where it signs (RFC 7591 §2)."""
    if client.jwks is not None and client.jwks_uri is not None:
        yield Fault("jwks_uri", "not together with jwks (RFC 7591 §2)")
    for reason in () if client.jwks is None else client_keys.faults(client.jwks):
        yield Fault("jwks", reason)
    signs = client.auth_method == v.AUTH_KEY or client.require_signed_request_object
    if signs and client.jwks is None and client.jwks_uri is None:
        yield Fault("jwks", "the keys it signs with are needed: jwks or jwks_uri")


def _algorithms(client: Client, settings: Settings) -> Iterator[Fault]:
    for field in () if client.disabled else SIGNED_WITH:  # so that one whose alg is off can be off
        alg = getattr(client, field)
        for problem in () if alg is None else switched_on(alg, "", settings):
            yield Fault(field, problem.reason)
    for field in SIGNS_WITH:
        if getattr(client, field) is not None:
            yield from _one_of(client, field, tuple(ALGORITHMS))


def _one_of(client: Client, field: str, known: Collection[str]) -> Iterator[Fault]:
    if getattr(client, field) not in known:
        yield Fault(field, f"{getattr(client, field)!r} is none of: {', '.join(known)}")


def _scopes(client: Client) -> Iterator[Fault]:
    if v.SCOPE_OPENID not in client.scopes and {v.GRANT_CODE, v.GRANT_DEVICE}.intersection(
        client.grant_types
    ):
        yield Fault("scopes", "openid is needed: this broker signs people in")
    for scope in client.scopes:
        if not SCOPE.fullmatch(scope):
            yield Fault("scopes", f'{scope!r}: 1 to 128 visible ASCII characters but " and \\')
    for resource in client.resources:
        reason = malformed(resource)
        if reason:
            yield Fault("resources", f"{resource}: {reason} (RFC 8707 §2)")


def _lifetimes(client: Client, settings: Settings) -> Iterator[Fault]:
    longest = settings.longest_token_lifetime
    named = f"BROKER_LONGEST_TOKEN_LIFETIME, which is {longest} s"
    for field in ("access_token_lifetime", "id_token_lifetime"):
        lifetime = getattr(client, field)
        if lifetime is not None and not SHORTEST <= lifetime <= longest:
            yield Fault(field, f"between {SHORTEST}s and {named}")
    for field in ("grant_lifetime", "grant_idle"):
        lifetime = getattr(client, field)
        if lifetime is not None and not SHORTEST_GRANT <= lifetime <= LONGEST_GRANT:
            yield Fault(field, f"between 5m and {LONGEST_GRANT // DAY}d")


def _addresses(client: Client, settings: Settings) -> Iterator[Fault]:
    for field in PAGES:
        uri = getattr(client, field)
        if uri and (reason := _unseemly(field, uri, settings)):
            yield Fault(field, reason)
    outbound = None
    for field in CALLED:
        uri = getattr(client, field)
        if uri is None:
            continue
        outbound = outbound or Outbound(settings.outbound_allow)
        try:
            outbound.check(uri)
        except OutboundRefused as error:
            yield Fault(field, f"{error.public[:1].lower()}{error.public[1:]}")


def _looks(client: Client) -> Iterator[Fault]:
    if client.brand_accent is not None and (reason := accent_fault(client.brand_accent)):
        yield Fault("brand_accent", reason)


def _translations(client: Client, settings: Settings) -> Iterator[Fault]:
    """RFC 7591 §2.2: what holds for a member holds for it in every language."""
    found = client.translations or {}
    reasons = list(translations.faults(found))
    for name, text in () if reasons else found.items():
        field, _ = translations.parts(name)
        reason = _unnamed(text) if field == "name" else _unseemly(field, text, settings)
        reasons += [f"{name}: {reason}"] if reason else []
    yield from (Fault("translations", reason) for reason in reasons)


def _sector(client: Client) -> Iterator[Fault]:
    """OpenID Connect Core §8.1: what pairwise identifiers are made for must be one thing."""
    yield from _one_of(client, "subject_type", (v.SUBJECT_PUBLIC, v.SUBJECT_PAIRWISE))
    if client.subject_type != v.SUBJECT_PAIRWISE or client.sector_identifier_uri is not None:
        return
    if len({urlsplit(uri).hostname for uri in client.redirect_uris if not malformed(uri)}) > 1:
        yield Fault(
            "sector_identifier_uri",
            "is needed: its redirect URIs have several hosts (OpenID Connect Core §8.1)",
        )
