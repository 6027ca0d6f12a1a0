"""Addresses to listen on, as operators write them: ``host:port``."""

import ipaddress
import re
from typing import Final

_NAME: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_PORT: Final = re.compile(r"[0-9]{1,5}")


def host_and_port(text: str) -> tuple[str, int] | None:
    """Return host and TCP port of ``127.0.0.1:9464``, ``[::1]:9464`` or ``localhost:9464``.

    An IPv6 address needs its brackets (RFC 3986 §3.2.2) and comes back without them. None where
    the text is not of this form.
    """
    host, _, port = text.rpartition(":")
    if not _PORT.fullmatch(port) or not 1 <= int(port) <= 65535:
        return None
    bracketed = host.startswith("[") and host.endswith("]")
    if not (_is_ipv6(host[1:-1]) if bracketed else _is_ipv4_or_name(host)):
        return None
    return (host[1:-1] if bracketed else host), int(port)


def _is_ipv6(host: str) -> bool:
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return True


def _is_ipv4_or_name(host: str) -> bool:
    if host.replace(".", "").isdigit():
        try:
            ipaddress.IPv4Address(host)
        except ValueError:
            return False
        return True
    return _NAME.fullmatch(host) is not None
