"""Answers, with their headers as they go on the wire.

Cache-Control is not written here: an answer says at most for how long it *could* be kept, and the
route's cache class decides (``broker.web.dispatch``).
"""

import json
import re
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import quote

from starlette.responses import Response

from broker.core.jsontext import encode

Header = tuple[bytes, bytes]

CLOSED_CSP: Final = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
NO_REFERRER: Final = (b"referrer-policy", b"no-referrer")
# No page of ours asks a browser for any of this; passkeys (publickey-credentials) are asked for.
_UNUSED: Final = (
    "camera",
    "display-capture",
    "geolocation",
    "microphone",
    "midi",
    "payment",
    "usb",
)
PERMISSIONS: Final = (b"permissions-policy", ", ".join(f"{one}=()" for one in _UNUSED).encode())
PAGE: Final = (
    NO_REFERRER,
    PERMISSIONS,
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
JSON: Final = (b"content-type", b"application/json")
JWT: Final = (b"content-type", b"application/jwt")
HTML: Final = (b"content-type", b"text/html; charset=utf-8")

# What RFC 3986 lets stand in a URL; everything else, line breaks too, is percent-encoded.
_URL_SAFE: Final = ":/%#?=@[]!$&'()*+,;~-._"

_CLEAN: Final = re.compile(r"[A-Za-z0-9:/%#?=@\[\]!$&'()*+,;~._-]*")


class Answer(Response):
    """A response.

    Args:
        status: HTTP status.
        headers: names in lower case, and values.
        body: the whole body.
        cache: the Cache-Control value it would like, or None for ``no-store``.
    """

    def __init__(
        self, status: int, headers: list[Header], body: bytes = b"", cache: bytes | None = None
    ) -> None:
        self.status_code = status
        self.background = None
        self.body = body
        self.raw_headers = headers
        self.cache = cache


def json_answer(value: Any, status: int = 200, extra: Iterable[Header] = ()) -> Answer:
    """Return a JSON answer."""
    body = encode(value)
    return Answer(status, [JSON, (b"content-length", b"%d" % len(body)), CLOSED_CSP, *extra], body)


def file_answer(name: str, value: Any) -> Answer:
    """Return a JSON document as a file to keep; its name is ours, and needs no escaping."""
    body = json.dumps(value, ensure_ascii=False, indent=2).encode()
    disposition = (b"content-disposition", f'attachment; filename="{name}"'.encode("ascii"))
    length = (b"content-length", b"%d" % len(body))
    return Answer(200, [JSON, length, disposition, CLOSED_CSP, NO_REFERRER], body)


def jwt_answer(token: str, extra: Iterable[Header] = ()) -> Answer:
    """Return a JWT (RFC 7519 §10.3.1)."""
    body = token.encode("ascii")
    return Answer(200, [JWT, (b"content-length", b"%d" % len(body)), CLOSED_CSP, *extra], body)


def empty_answer(status: int = 200, extra: Iterable[Header] = ()) -> Answer:
    """Return an answer without a body."""
    headers = [CLOSED_CSP, *extra]
    if status not in {204, 304}:
        headers.append((b"content-length", b"0"))
    return Answer(status, headers)


def html_answer(text: str, csp: bytes, status: int = 200, extra: Iterable[Header] = ()) -> Answer:
    """Return a page under its own Content-Security-Policy."""
    body = text.encode()
    headers = [
        HTML,
        (b"content-length", b"%d" % len(body)),
        (b"content-security-policy", csp),
        *PAGE,
        *extra,
    ]
    return Answer(status, headers, body)


def redirect_answer(location: str, extra: Iterable[Header] = ()) -> Answer:
    """Return a 303: whatever the method was, the browser goes on with GET (RFC 9700 §4.12)."""
    clean = _CLEAN.fullmatch(location) is not None
    target = (location if clean else quote(location, safe=_URL_SAFE)).encode("ascii")
    return empty_answer(303, ((b"location", target), NO_REFERRER, *extra))
