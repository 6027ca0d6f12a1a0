"""The address of a deployment: what operators paste, as an issuer."""

import ipaddress
from typing import Final
from urllib.parse import SplitResult, urlsplit, urlunsplit

WELL_KNOWN: Final = "/.well-known/"
DISCOVERY: Final = "/.well-known/openid-configuration"
_PORTS: Final = {"https": 443, "http": 80}


class NotAnAddressError(ValueError):
    """What was given cannot be an issuer; the text says why."""


def issuer_of(text: str) -> str:
    """Return the issuer that is meant (OpenID Connect Discovery §4.3).

    A missing scheme is https; a slash at the end, or the address of a well-known document, is
    taken off.

    Args:
        text: what the operator gave.

    Raises:
        NotAnAddressError: it is no http or https URL, or has a user, a query or a fragment.
    """
    given = text.strip()
    whole = given if "://" in given else f"https://{given}"
    try:
        parts = urlsplit(whole)
        port = parts.port
    except ValueError as error:
        raise NotAnAddressError(f"not a URL: {error}") from None
    _refuse_oddities(parts)
    host = (parts.hostname or "").lower()
    shown = f"[{host}]" if ":" in host else host
    at = shown if port is None or port == _PORTS[parts.scheme] else f"{shown}:{port}"
    path = parts.path.partition(WELL_KNOWN)[0].rstrip("/")
    return f"{parts.scheme}://{at}{path}"


def _refuse_oddities(parts: SplitResult) -> None:
    if parts.scheme not in _PORTS:
        raise NotAnAddressError("an issuer begins with https:// (http:// on loopback)")
    if not parts.hostname or any(one.isspace() for one in parts.netloc):
        raise NotAnAddressError("there is no host in it")
    if parts.username is not None or parts.password is not None:
        raise NotAnAddressError("an issuer has no user or password in it")
    if parts.query or parts.fragment:
        raise NotAnAddressError("an issuer has no query and no fragment")


def configured(text: str) -> str:
    """Return an issuer as it is given to a relying party, which compares it to the letter.

    A missing scheme is https; the address of a well-known document is taken off. Whatever else is
    wrong with it stays, to be judged.

    Args:
        text: what the operator gave.

    Raises:
        NotAnAddressError: nothing could be asked of it: no http or https URL, or without a host.
    """
    given = text.strip()
    whole = given if "://" in given else f"https://{given}"
    issuer_of(bare(whole))
    return whole.partition(WELL_KNOWN)[0]


def bare(url: str) -> str:
    """Return a URL without query, fragment, credentials and slashes at its end.

    Raises:
        NotAnAddressError: it is malformed.
    """
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise NotAnAddressError(f"not a URL: {error}") from None
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))


def is_loopback(url: str) -> bool:
    """Say whether a URL's host is this machine alone."""
    host = (urlsplit(url).hostname or "").lower()
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_safe(url: str) -> bool:
    """Say whether a URL is https, or plain http that does not leave this machine."""
    scheme = urlsplit(url).scheme
    return scheme == "https" or (scheme == "http" and is_loopback(url))


def origin(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port (RFC 6454 §4)."""
    parts = urlsplit(url)
    port = parts.port or _PORTS.get(parts.scheme, 0)
    return parts.scheme, (parts.hostname or "").lower(), port
