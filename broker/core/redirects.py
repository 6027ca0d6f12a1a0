"""Redirect URIs: which are registered, and how an answer is written onto one.

Sources: RFC 6749 §3.1.2, RFC 9700 §2.1 and §4.1 (exact comparison), RFC 8252 §7.3 (loopback
ports of native apps), RFC 9207 (``iss`` in every answer).
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Final
from urllib.parse import SplitResult, quote_plus, urlsplit

from broker.core.errors import BadAuthorizationRequest
from broker.core.model import Client
from broker.core.texts import Text
from broker.core.vocabulary import APPLICATION_NATIVE

LOOPBACK_ADDRESSES = ("127.0.0.1", "[::1]")
_PLAIN: Final = re.compile(r"[A-Za-z0-9_.~-]*")  # what stands in a query as it is


def resolve(client: Client, wanted: str | None) -> str:
    """Return the redirect URI to use (RFC 6749 §3.1.2.3).

    Raises:
        BadAuthorizationRequest: it is not registered, or it was omitted and is not the only one.
    """
    if wanted is None:
        if len(client.redirect_uris) == 1:
            return client.redirect_uris[0]
        raise BadAuthorizationRequest("The link does not say where the app wants you back")
    if not registered(client, wanted, client.redirect_uris):
        raise BadAuthorizationRequest(
            "The address the app wants you back at is not registered",
            private=f"client {client.client_id} asked for redirect_uri {wanted!r}",
        )
    return wanted


def registered(client: Client, wanted: str, known: Iterable[str]) -> bool:
    """Whether ``wanted`` equals one of ``known``, character by character (RFC 9700 §4.1.3).

    The port of a native app's loopback address may differ (RFC 8252 §7.3).
    """
    known = tuple(known)
    if wanted in known:
        return True
    if client.application_type != APPLICATION_NATIVE:
        return False
    portless = _without_loopback_port(wanted)
    return portless is not None and any(portless == _without_loopback_port(uri) for uri in known)


def _without_loopback_port(uri: str) -> str | None:
    """Return the URI without its port if it is plain http to a loopback address, else None."""
    for address in LOOPBACK_ADDRESSES:
        start = f"http://{address}"
        if not uri.startswith(start):
            continue
        rest = uri[len(start) :]
        if rest.startswith(":"):
            digits = len(rest) - len(rest[1:].lstrip("0123456789")) - 1
            port = rest[1 : 1 + digits]
            # Longer ones are no ports, and Python makes no number of thousands of digits.
            if not 1 <= len(port) <= 5 or int(port) > 65535:
                return None
            rest = rest[1 + digits :]
        return start + rest if rest[:1] in {"", "/", "?"} else None
    return None


@lru_cache(maxsize=1024)
def proves_client(uri: str) -> bool:
    """Whether only the client can receive what is sent there: https, and not to this machine.

    Loopback and custom-scheme redirects can be claimed by any local app (RFC 8252 §8.6).
    """
    parts = urlsplit(uri)
    return parts.scheme == "https" and not is_loopback(parts)


def is_loopback(parts: SplitResult) -> bool:
    """Whether the host is this machine."""
    host = (parts.hostname or "").rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def origin(uri: str) -> str:
    """Return the CSP source that covers the address: its origin, or ``scheme:`` for an app's."""
    parts = urlsplit(uri)
    if parts.scheme in {"http", "https"}:
        return f"{parts.scheme}://{parts.netloc}"
    return f"{parts.scheme}:"


def answer_url(redirect_uri: str, answer: Mapping[str, str | None]) -> str:
    """Return the redirect URI with the answer in its query, its own query kept (RFC 6749 §4.1.2).

    Members that are None are left out; their names are ours, and need no encoding.
    """
    given = [(name, value) for name, value in answer.items() if value is not None]
    query = "&".join([f"{name}={_encoded(value)}" for name, value in given])
    if not query:
        return redirect_uri
    return f"{redirect_uri}{'&' if '?' in redirect_uri else '?'}{query}"


def _encoded(value: str) -> str:
    return value if _PLAIN.fullmatch(value) else quote_plus(value)


def shown_host(uri: str) -> str:
    """Return what to show a person of where the browser goes next."""
    parts = urlsplit(uri)
    if parts.scheme in {"http", "https"}:
        return parts.netloc
    return Text("an app on this device (%(scheme)s:)", scheme=parts.scheme)


def web_origins(client: Client) -> tuple[str, ...]:
    """Return the origins of a client's http and https redirect URIs; of malformed ones none."""
    found = []
    for uri in client.redirect_uris:
        try:
            parts = urlsplit(uri)
        except ValueError:
            continue
        if parts.scheme in {"http", "https"} and parts.netloc:
            found.append(f"{parts.scheme}://{parts.netloc}".lower())
    return tuple(dict.fromkeys(found))
