"""What Discord demands of an OpenID provider, before it takes ID tokens for provisional accounts.

Source: Discord's developer documentation, "Configuring Identity Providers", OIDC Integration
Requirements. Each function judges one line of it.
"""

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from broker.doctor.checks.documents import advertised
from broker.doctor.model import Finding, Trip, counted, fail, ok, quoted, warn

SUPPORTED: Final = (
    "RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512",
)  # fmt: skip
RESERVED: Final = (".local", ".arpa", ".internal", ".localhost")
_PORTAL: Final = "give Discord the public address that is BROKER_ISSUER"


def scheme(configured: str) -> Finding:
    """Judge the scheme: https and nothing else, on loopback too."""
    if configured.startswith("https://"):
        return ok("scheme", "https")
    cure = "serve it over https, and set BROKER_ISSUER to the https address"
    return fail("scheme", f"{configured} is not https", cure)


def form(configured: str) -> Finding:
    """Judge that the address is bare: no query, fragment, credentials, nor a slash at the end."""
    parts = urlsplit(configured)
    found = {
        "a query (?)": "?" in configured,
        "a fragment (#)": "#" in configured,
        "credentials (@)": "@" in parts.netloc,
        "a slash at its end": parts.path.endswith("/"),
    }
    wrong = [name for name, there in found.items() if there]
    if wrong:
        return fail("form", f"{quoted(configured)} has {', '.join(wrong)}", _PORTAL)
    return ok("form", "no query, fragment, credentials, nor a slash at its end")


def host(configured: str) -> Finding:
    """Judge the host: a public name of two parts or more, no IP address."""
    name = (urlsplit(configured).hostname or "").rstrip(".")
    if _is_address(name):
        return fail("host", f"{name} is an IP address", f"{_PORTAL}: it has to be a name")
    if "." not in name:
        return fail("host", f"{quoted(name)} is a bare name", f"{_PORTAL}, such as id.example.org")
    if name.endswith(RESERVED):
        cure = f"{_PORTAL}: names under {', '.join(RESERVED)} are nobody's in public"
        return fail("host", f"{name} is a private name", cure)
    return ok("host", name)


def public(addresses: Sequence[str]) -> Finding:
    """Judge where the name leads: Discord comes from outside."""
    if not addresses:
        return fail("addresses", "the name does not resolve", "publish it in DNS")
    private = [one for one in addresses if not ipaddress.ip_address(one).is_global]
    if private:
        seen = f"{', '.join(private)}: not reachable from outside"
        cure = "look whether it is another address in public DNS; from there Discord comes"
        return warn("addresses", seen, cure)
    return ok("addresses", ", ".join(addresses))


def redirects(trip: Trip) -> Finding:
    """Judge that there is no redirect: Discord follows none."""
    if not trip.hops:
        return ok("redirects", "none on the way")
    places = [trip.hops[0].url, *(hop.header("location") or "?" for hop in trip.hops)]
    seen = f"{counted(len(trip.hops), 'redirect')}: {' → '.join(places)}"
    return fail("redirects", seen, "Discord follows none: answer at the first address itself")


def issuer(metadata: Mapping[str, Any], configured: str) -> Finding:
    """Judge `issuer`: the URL that Discord was given, to the letter."""
    found = metadata.get("issuer")
    if found == configured:
        return ok("issuer", "names itself exactly as it was asked")
    seen = f"names itself {quoted(found)}, given was {quoted(configured)}"
    if isinstance(found, str) and found.rstrip("/").lower() == configured.rstrip("/").lower():
        return fail("issuer", seen, f"compared to the letter: give Discord {found}")
    return fail("issuer", seen, "set BROKER_ISSUER to the address that Discord was given")


def jwks_uri(metadata: Mapping[str, Any]) -> Finding:
    """Judge `jwks_uri`: there, and https."""
    found = metadata.get("jwks_uri")
    if isinstance(found, str) and found.startswith("https://"):
        return ok("jwks_uri", found)
    seen = "missing" if found is None else f"{quoted(found)} is no https address"
    return fail("jwks_uri", seen, "set BROKER_ISSUER to the https address")


def algorithms(metadata: Mapping[str, Any]) -> Finding:
    """Judge `id_token_signing_alg_values_supported`: one that Discord knows is among them."""
    found = advertised(metadata)
    known = [alg for alg in found if alg in SUPPORTED]
    if known:
        return ok("algorithms", f"{', '.join(known)}, of {', '.join(found)}")
    cure = "hand on the broker's own document: RS256 is always in it"
    return fail("algorithms", f"none that Discord knows: {', '.join(found) or 'none at all'}", cure)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
