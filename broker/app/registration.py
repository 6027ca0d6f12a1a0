"""What a client may be registered with: RFC 7591 §2 and OpenID Connect Registration §2, stricter.

Authlib judges the metadata by the specifications and by what our own metadata offers; the rules
here add what this broker demands besides.
"""

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from authlib.oauth2.rfc7591 import ClientMetadataClaims
from authlib.oidc.registration import ClientMetadataClaims as OpenIDClientMetadataClaims
from joserfc.errors import JoseError

from broker.app.algorithms import switched_on
from broker.app.checks import Problem, Refused
from broker.app.settings import Settings
from broker.core import metadata
from broker.core import vocabulary as v
from broker.core.model import Client
from broker.core.redirects import is_loopback

CLIENT_ID: Final = re.compile(r"[A-Za-z0-9._~-]{1,128}", re.ASCII)
PRIVATE_SCHEME: Final = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+", re.ASCII)
FORBIDDEN: Final = re.compile(r"[\s\x00-\x20\x7f\\<>\"`{}|^]")
MAX_URI: Final = 2000
PAGES: Final = ("client_uri", "logo_uri", "policy_uri", "tos_uri")


def check_client(client: Client, settings: Settings) -> None:
    """Check a registration as it is to be.

    Raises:
        Refused: with every problem; each names the option to change.
    """
    problems = [*_names(client), *_redirects(client), *_origins(client), *_rest(client, settings)]
    problems = problems or list(_by_specification(client, settings))
    if problems:
        raise Refused(*problems)


def _by_specification(client: Client, settings: Settings) -> Iterator[Problem]:
    """Yield what Authlib finds wrong with it (RFC 7591 §2, OpenID Connect Registration §2)."""
    web = [uri for uri in client.redirect_uris if uri.startswith("http")]
    claims = {
        "client_name": client.name,
        "redirect_uris": web,
        "token_endpoint_auth_method": client.auth_method,
        "grant_types": list(client.grant_types),
        "response_types": ["code"],
        "scope": " ".join(client.scopes),
        **{name: getattr(client, name) for name in PAGES if getattr(client, name)},
    }
    if not client.disabled:
        claims["id_token_signed_response_alg"] = client.id_token_signed_response_alg
    ours = metadata.provider(settings.public_issuer, algorithms=settings.algorithms)
    for judge in (ClientMetadataClaims, OpenIDClientMetadataClaims):
        try:
            judge(claims, {}, judge.get_claims_options(ours)).validate()
        except JoseError as error:
            yield Problem("client metadata", str(error.description or error))


def _names(client: Client) -> Iterator[Problem]:
    if not CLIENT_ID.fullmatch(client.client_id):
        yield Problem("--client-id", "1 to 128 of letters, digits and . _ ~ -")
    if not client.name.strip() or len(client.name) > 100 or not client.name.isprintable():
        yield Problem("NAME", "1 to 100 printable characters")


def _redirects(client: Client) -> Iterator[Problem]:
    native = client.application_type == v.APPLICATION_NATIVE
    if v.GRANT_CODE in client.grant_types and not client.redirect_uris:
        yield Problem("--redirect-uri", "at least one is needed")
    for uri in client.redirect_uris:
        if reason := _bad_redirect(uri, native=native):
            yield Problem("--redirect-uri", f"{uri}: {reason}")
    for uri in client.post_logout_redirect_uris:
        if reason := _bad_redirect(uri, native=native):
            yield Problem("--post-logout-redirect-uri", f"{uri}: {reason}")


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
        return "must be https; a scheme of the app's own needs --native"
    if not PRIVATE_SCHEME.fullmatch(parts.scheme):
        return "a scheme of the app's own is a domain backwards: com.example.app:/callback"
    return None


def malformed(uri: str) -> str | None:
    """Return what is wrong with the form of an address, or None where it is well-formed."""
    if len(uri) > MAX_URI or FORBIDDEN.search(uri) or not uri.isascii():
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


def _origins(client: Client) -> Iterator[Problem]:
    for origin in client.origins:
        reason = malformed(origin) or _bad_origin(origin)
        if reason:
            yield Problem("--origin", f"{origin}: {reason}")


def _bad_origin(origin: str) -> str | None:
    parts = urlsplit(origin)
    if f"{parts.scheme}://{parts.netloc}" != origin or origin != origin.lower():
        return "scheme, host and port alone, in lower case: https://app.example.org"
    secure = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts))
    return None if secure else "must be https (http for this machine alone)"


def _rest(client: Client, settings: Settings) -> Iterator[Problem]:
    if client.public and not client.require_pkce:
        yield Problem("--no-pkce", "a public client is protected by PKCE alone (RFC 9700 §2.1.1)")
    if client.public and client.secrets:
        yield Problem("--public", "a public client has no secret")
    if not client.disabled:  # so that one whose algorithm is off can be disabled
        yield from switched_on(client.id_token_signed_response_alg, "--id-token-alg", settings)
    if v.SCOPE_OPENID not in client.scopes:
        yield Problem("--scope", "openid is needed: this broker signs people in")
    longest = settings.longest_token_lifetime
    lifetime = client.access_token_lifetime
    if lifetime is not None and not 30 <= lifetime <= longest:
        yield Problem(
            "--access-token-lifetime",
            f"between 30s and BROKER_LONGEST_TOKEN_LIFETIME, which is {longest} s",
        )
    for resource in client.resources:
        reason = malformed(resource)
        if reason:
            yield Problem("--resource", f"{resource}: {reason} (RFC 8707 §2)")
    for name in PAGES:
        uri = getattr(client, name)
        if uri and (malformed(uri) or not uri.startswith("https://")):
            yield Problem(f"--{name.replace('_', '-')}", "must be an https address")


def web_origins(client: Client) -> tuple[str, ...]:
    """Return the origins of a client's http and https redirect URIs."""
    found = [urlsplit(uri) for uri in client.redirect_uris if uri.startswith("http")]
    return tuple(dict.fromkeys(f"{one.scheme}://{one.netloc}".lower() for one in found))
