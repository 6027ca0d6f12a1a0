"""An address as a client wrote it, taken apart once and strictly; nobody parses it again.

Whatever two parsers could read in two ways (user-info, backslashes, percent signs in the host,
numbers that are IP addresses to some) is refused, not repaired.
"""

import ipaddress
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from broker.core.errors import OutboundRefused

LONGEST: Final = 2048  # characters
PORTS: Final = {"https": 443, "http": 80}

_PRINTABLE: Final = re.compile(r"[\x21-\x7e]+")
_AUTHORITY: Final = re.compile(
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>\d{1,5}))?"
)
_LABEL: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMERIC: Final = re.compile(r"\d+|0[xX][0-9A-Fa-f]*")
_LOCAL: Final = ("localhost", "local", "internal", "home.arpa")  # RFC 6761, 6762, 8375


@dataclass(frozen=True, slots=True)
class Target:
    """Where a call goes.

    Attributes:
        scheme: ``https``, or ``http`` where the operator allows the host.
        host: a host name in lower case, or an IP address without brackets.
        port: TCP port.
        path: path and query, beginning with a slash.
        allowed: whether the operator named the host, so that it may be private.
    """

    scheme: str
    host: str
    port: int
    path: str
    allowed: bool

    @property
    def authority(self) -> str:
        """The ``Host`` header: host, and port where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def literal(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
        """The host where it is an IP address, else None."""
        try:
            return ipaddress.ip_address(self.host)
        except ValueError:
            return None

    def at(self, address: str) -> str:
        """Return the URL that leads to an IP address of the host, and asks no name server."""
        host = f"[{address}]" if ":" in address else address
        return f"{self.scheme}://{host}:{self.port}{self.path}"


def read(url: str, allow: Collection[str]) -> Target:
    """Return where an address leads; nothing is resolved.

    Args:
        url: as the client named it.
        allow: hosts and ``host:port`` entries, lower case, that an operator trusts: they may be
            private and may speak plain http.

    Raises:
        OutboundRefused: it is malformed, ambiguous, not https, or names a local host.
    """
    if len(url) > LONGEST or not _PRINTABLE.fullmatch(url):
        raise OutboundRefused("The address is too long or holds characters that no URL has")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise OutboundRefused("The address is malformed") from None
    if parts.scheme not in PORTS:
        raise OutboundRefused("The address must be https")
    if "#" in url or "\\" in url:
        raise OutboundRefused("The address must have no fragment and no backslash")
    found = _AUTHORITY.fullmatch(parts.netloc)
    if found is None:
        raise OutboundRefused("The address must name a host, and nobody's user name")
    host = _host(found["host"].lower())
    port = int(found["port"] or PORTS[parts.scheme])
    if not 0 < port < 65536:
        raise OutboundRefused("The address has an impossible port")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    bare = f"[{host}]" if ":" in host else host
    if {host, bare, f"{bare}:{port}"}.intersection(allow):
        return Target(parts.scheme, host, port, path, allowed=True)
    if parts.scheme != "https":
        raise OutboundRefused("The address must be https")
    if _is_local(host):
        raise OutboundRefused("The address names a host of a private network")
    return Target(parts.scheme, host, port, path, allowed=False)


def is_entry(text: str) -> bool:
    """Whether a text can allow anything: ``host`` or ``host:port``, IPv6 addresses in brackets."""
    try:
        return read(f"http://{text}/", {text.lower()}).allowed
    except OutboundRefused:
        return False


def _host(text: str) -> str:
    """Return a host: an IP address in its one way of writing, or a name."""
    if text.startswith("["):
        try:
            return str(ipaddress.IPv6Address(text[1:-1]))
        except ValueError:
            raise OutboundRefused("The address has a malformed IPv6 address") from None
    labels = text.split(".")
    if _NUMERIC.fullmatch(labels[-1]):
        # 2130706433, 0x7f.1 and 127.1 are addresses to some resolvers and names to none.
        try:
            return str(ipaddress.IPv4Address(text))
        except ValueError:
            raise OutboundRefused("The address has a malformed IPv4 address") from None
    if len(text) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise OutboundRefused("The address has a malformed host name")
    return text


def _is_local(host: str) -> bool:
    """Whether a name is one of a private network by its very form; IP addresses are not names."""
    if ":" in host:
        return False
    return "." not in host or any(host == name or host.endswith(f".{name}") for name in _LOCAL)
