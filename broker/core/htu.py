"""Whether two addresses are the same request's (RFC 9449 §4.3, RFC 3986 §6.2)."""

import re
from typing import Final
from urllib.parse import urlsplit

_PORTS: Final = {"http": 80, "https": 443}
_ESCAPE: Final = re.compile(r"%([0-9A-Fa-f]{2})")
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_UNRESERVED: Final = re.compile(r"[A-Za-z0-9\-._~]")


def same_address(found: str, ours: str) -> bool:
    """Whether ``htu`` is the address of a request (RFC 9449 §4.3).

    Query and fragment do not count. Both are normalised as RFC 3986 §6.2.2 and §6.2.3 say: case of
    scheme and host, default port, escapes of what needs none, dot-segments, an empty path.
    """
    return found == ours or (_normal(found) is not None and _normal(found) == _normal(ours))


def _normal(address: str) -> tuple[str, str, int, str] | None:
    """Return scheme, host, port and path, normalised; None for what is no such address."""
    if not address.isascii() or not address.isprintable() or {" ", "\\"} & set(address):
        return None
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    default = _PORTS.get(parts.scheme)
    if default is None or not host or "@" in parts.netloc or _BAD_ESCAPE.search(parts.path):
        return None
    path = _ESCAPE.sub(_unescaped, parts.path)
    return parts.scheme, host, default if port is None else port, _without_dots(path)


def _unescaped(escape: re.Match[str]) -> str:
    """RFC 3986 §6.2.2.2: decode what needs no escape; others in upper case."""
    plain = chr(int(escape[1], 16))
    return plain if _UNRESERVED.match(plain) else escape[0].upper()


def _without_dots(path: str) -> str:
    """RFC 3986 §5.2.4."""
    segments, kept = path.split("/")[1:], list[str]()
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments and segments[-1] in {".", ".."}:
        kept.append("")
    return "/" + "/".join(kept)
