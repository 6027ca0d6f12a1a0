"""Documents that are built once and sent many times: discovery, JWKS, stylesheet."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Final

from starlette.requests import Request

from broker.web.answers import CLOSED_CSP, JSON, Answer, Header
from broker.web.branding import Look, accented, readable
from broker.web.edge_config import EdgeConfig
from broker.web.services import Document, Services

IMMUTABLE: Final = b"public, max-age=31536000, immutable"
_TYPES: Final = {
    ".css": b"text/css; charset=utf-8",
    ".svg": b"image/svg+xml",
    ".js": b"text/javascript; charset=utf-8",
    ".png": b"image/png",
}
_BEGINS_WITH: Final = {"docs.css": "broker.css"}
SHEET: Final = "broker.css"
# The stylesheet of pages in an app's colour: with its digest, and the colour that makes it.
_COLOURED: Final = re.compile(r"broker\.[0-9a-f]{12}-([0-9a-f]{6})\.css", re.ASCII)
COLOURS: Final = 64  # stylesheets that are kept made


@dataclass(frozen=True, slots=True)
class Prebuilt:
    """A document and its headers.

    Attributes:
        body: the bytes to send.
        etag: strong entity tag, quotes included.
        cache: the Cache-Control value.
        headers: what a 200 carries.
        policy: its Content-Security-Policy, which a 304 repeats: caches take over what that says.
    """

    body: bytes
    etag: str
    cache: bytes
    headers: tuple[Header, ...]
    policy: Header = CLOSED_CSP

    def answer(self, request: Request) -> Answer:
        """Answer a GET or HEAD: 304 where the asker has it already (RFC 9110 §13.1.2)."""
        known = request.headers.get("if-none-match")
        if known is not None and _names(known, self.etag):
            return Answer(304, [(b"etag", self.etag.encode()), self.policy], cache=self.cache)
        return Answer(200, list(self.headers), self.body, cache=self.cache)


def prebuilt(
    body: bytes,
    cache: bytes,
    kind: Header = JSON,
    etag: str = "",
    *,
    policy: Header = CLOSED_CSP,
    more: tuple[Header, ...] = (),
) -> Prebuilt:
    """Build a document; without an ``etag`` it gets one made of its digest.

    Args:
        body: the bytes to send.
        cache: the Cache-Control value.
        kind: the Content-Type header.
        etag: strong entity tag, quotes included.
        policy: the Content-Security-Policy header.
        more: what else a 200 carries.
    """
    tag = etag or f'"{hashlib.sha256(body).hexdigest()[:22]}"'
    length = (b"content-length", b"%d" % len(body))
    headers = (kind, length, (b"etag", tag.encode()), policy, *more)
    return Prebuilt(body, tag, cache, headers, policy)


class Jwks:
    """The JWKS, built anew only when it or its cache lifetime changes.

    Args:
        source: returns the document and for how many seconds it may be kept.
    """

    def __init__(self, source: Callable[[], tuple[Document, int]]) -> None:
        self._source = source
        self._seen: tuple[Document, int] | None = None
        self._built = prebuilt(b"", b"no-cache")

    def current(self) -> Prebuilt:
        """Return the document of this moment."""
        document, lifetime = self._source()
        if self._seen is None or self._seen[0] is not document or self._seen[1] != lifetime:
            cache = b"public, max-age=%d" % lifetime if lifetime > 0 else b"no-cache"
            self._built = prebuilt(document.body, cache, etag=document.etag)
            self._seen = (document, lifetime)
        return self._built


class Documents:
    """All of them.

    Args:
        services: where they come from.
        config: cache lifetime of discovery.
    """

    def __init__(self, services: Services, config: EdgeConfig) -> None:
        cache = b"public, max-age=%d" % config.discovery_lifetime
        self.openid_configuration = prebuilt(services.openid_configuration, cache)
        self.authorization_server = prebuilt(services.authorization_server, cache)
        self.jwks = Jwks(services.jwks)
        self._look = config.look
        self._static = {item.name: item.document for item in static_files(config.look)}

    def static(self, name: str) -> Prebuilt | None:
        """Return the file of that name, or None; what it is called holds its digest."""
        found = self._static.get(name)
        colour = _COLOURED.fullmatch(name) if found is None else None
        if colour is None:
            return found
        made = coloured(self._look, f"#{colour[1]}")
        return made.document if made is not None and made.name == name else None


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file of our own for pages.

    Attributes:
        source: its name in the package.
        name: its name in the URL: it holds the digest, so it can be kept for ever.
        document: what is sent.
    """

    source: str
    name: str
    document: Prebuilt


def static_files(look: Look) -> list[StaticFile]:
    """Read the files in ``broker/web/static``, and make them look as this installation does."""
    found = [] if look.logo is None else [_static(*look.logo)]
    static = files("broker.web").joinpath("static")
    for item in sorted(static.iterdir(), key=lambda i: i.name):
        if Path(item.name).suffix in _TYPES:
            body = item.read_bytes()
            if item.name in _BEGINS_WITH:  # so that a page needs one stylesheet
                body = static.joinpath(_BEGINS_WITH[item.name]).read_bytes() + body
            if item.name.endswith(".css"):
                body += look.stylesheet
            found.append(_static(item.name, body))
    return found


@lru_cache(maxsize=COLOURS)
def coloured(look: Look, accent: str) -> StaticFile | None:
    """Return the stylesheet of pages in an app's colour; None for one that cannot be read.

    It is made of its address alone, by whatever process is asked for it: so a page stays one
    document and one stylesheet of ours, and no style has to be allowed inside of it.
    """
    accent = accent.lower()
    if not readable(accent):
        return None
    static = files("broker.web").joinpath("static")
    body = static.joinpath(SHEET).read_bytes() + look.stylesheet + accented(accent)
    return _static(SHEET, body, f"-{accent[1:]}")


def _static(name: str, body: bytes, mark: str = "") -> StaticFile:
    stem, dot, suffix = name.rpartition(".")
    digest = hashlib.sha256(body).hexdigest()[:12]
    document = prebuilt(body, IMMUTABLE, (b"content-type", _TYPES[dot + suffix]))
    return StaticFile(name, f"{stem}.{digest}{mark}.{suffix}", document)


def _names(header: str, etag: str) -> bool:
    """Whether an If-None-Match header names the tag (weak comparison, RFC 9110 §8.8.3.2)."""
    if header.strip() == "*":
        return True
    return any(tag.strip().removeprefix("W/") == etag for tag in header.split(","))
