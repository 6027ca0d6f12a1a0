"""What counts as this machine talking to itself.

The simulated Discord lets anybody sign in as anybody, so nothing of it may be
reachable from, or useful to, another machine.
"""

import ipaddress
from urllib.parse import urlsplit


class NotLoopbackError(ValueError):
    """An address of the demonstration would be reachable from another machine."""


def is_loopback_host(host: str) -> bool:
    """Say whether a host name or IP address (no port, no brackets) is this machine alone."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def require_loopback_host(host: str) -> str:
    """Return the host to listen on.

    Raises:
        NotLoopbackError: the host is not a loopback address.
    """
    if not is_loopback_host(host):
        raise NotLoopbackError(f"the demonstration listens on loopback only, not on {host!r}")
    return host


def require_loopback_url(url: str) -> str:
    """Return a URL whose host is this machine.

    Raises:
        NotLoopbackError: the host is absent or not a loopback address.
    """
    if not is_loopback_host(urlsplit(url).hostname or ""):
        raise NotLoopbackError(f"the demonstration serves loopback addresses only, not {url!r}")
    return url
