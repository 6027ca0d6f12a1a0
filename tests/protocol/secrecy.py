"""Overhearing every secret on the wire, and looking for it where it must not be."""

import base64
import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from html import unescape
from typing import Any, Final
from urllib.parse import parse_qsl, quote, quote_plus, urlsplit

import httpx2
import pytest
import structlog

from broker.app import logs
from broker.app.settings import Settings
from broker.demo.discord import SimulatedDiscord
from tests.stream import Stream

NAMES: Final = frozenset({
    "access_token", "actor_token", "assertion", "client_assertion", "client_secret", "code",
    "code_verifier", "csrf", "device_code", "id_token", "id_token_hint", "logout_token", "nonce",
    "refresh_token", "registration_access_token", "request", "request_uri", "response", "state",
    "subject_token", "token", "user_code",
})  # fmt: skip
"""Parameters and members that are secret, or let somebody in for a while."""

SHORTEST: Final = 8  # characters; what is shorter stands in any text
LONG: Final = 40  # characters of which a part gives away something too


class Wire:
    """Hears what tests, the broker and its upstreams say to each other.

    Attributes:
        heard: each secret, and what it was called where it was heard last.
    """

    def __init__(self) -> None:
        self.heard: dict[str, str] = {}

    def note(self, name: str, value: Any) -> None:
        """Remember a secret."""
        if isinstance(value, str) and len(value) >= SHORTEST:
            self.heard[value] = name

    def request(self, request: httpx2.Request) -> None:
        """Remember what is secret in a request: headers, query and body."""
        self._address(str(request.url))
        for cookie in request.headers.get("cookie", "").split("; "):
            self.note("cookie", cookie.partition("=")[2])
        self.note("DPoP", request.headers.get("dpop"))
        scheme, _, proof = request.headers.get("authorization", "").partition(" ")
        self.note(scheme, proof)
        if scheme == "Basic":
            self._basic(proof)
        self._body(request.headers.get("content-type", ""), request.read())

    def response(self, response: httpx2.Response) -> None:
        """Remember what is secret in an answer: cookies, where it leads, body, hidden fields."""
        self._address(response.headers.get("location", ""))
        for name, value in response.headers.multi_items():
            if name == "set-cookie":
                self.note("cookie", value.partition(";")[0].partition("=")[2].strip('"'))
        if not response.is_stream_consumed:
            return
        kind = response.headers.get("content-type", "")
        if kind.startswith("text/html"):
            for tag in re.findall(r'<input[^>]*type="hidden"[^>]*>', response.text):
                value = re.search(r'value="([^"]*)"', tag)
                self.note("hidden field", unescape(value[1]) if value else "")
        elif kind.startswith("application/jwt"):
            self.note("signed answer", response.text)
        else:
            self._body(kind, response.content)

    def _address(self, address: str) -> None:
        parts = urlsplit(address)
        for name, value in parse_qsl(parts.query) + parse_qsl(parts.fragment):
            self._named(name, value)

    def _body(self, kind: str, body: bytes) -> None:
        if kind.startswith("application/x-www-form-urlencoded"):
            for name, value in parse_qsl(body.decode("latin-1")):
                self._named(name, value)
        elif kind.startswith("application/json"):
            with suppress(ValueError):  # broken on purpose
                self._members(json.loads(body))

    def _members(self, found: Any) -> None:
        if isinstance(found, list):
            for one in found:
                self._members(one)
        elif isinstance(found, dict):
            for name, value in found.items():
                self._named(name, value)
                self._members(value)

    def _named(self, name: str, value: Any) -> None:
        if name in NAMES:
            self.note(name, value)

    def _basic(self, proof: str) -> None:
        with suppress(ValueError):  # broken on purpose
            pair = base64.b64decode(proof).decode()
            self.note("secret in Basic", pair.partition(":")[2])

    def found_in(self, text: str) -> set[str]:
        """Return the names of the secrets that a text holds, in whatever form."""
        return {
            name for value, name in self.heard.items() if any(form in text for form in forms(value))
        }


def forms(secret: str) -> set[str]:
    """Return how a secret may stand in a text: itself, escaped, encoded; of a long one its ends."""
    pieces = {secret} if len(secret) < LONG else {secret[:32], secret[-24:]}
    found = set[str]()
    for piece in pieces:
        found |= {piece, quote(piece, safe=""), quote_plus(piece), json.dumps(piece)[1:-1]}
        found |= {repr(piece)[1:-1], piece.encode().hex(), *_in_base64(piece.encode())}
    return found


def _in_base64(value: bytes) -> Iterator[str]:
    """Yield what base64 makes of it wherever it begins in what is encoded."""
    for before in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(b"\0" * before + value).decode().rstrip("=")
            # What its neighbours decide is left out at either end.
            yield text[(0, 2, 3)[before] : -1]


@contextmanager
def overheard() -> Iterator[Wire]:
    """Hear all HTTP of this process, and what the simulated Discord gives out."""
    wire = Wire()
    send = httpx2.AsyncClient.send

    async def heard(self: Any, request: httpx2.Request, **options: Any) -> httpx2.Response:
        wire.request(request)
        response = await send(self, request, **options)
        wire.response(response)
        return response

    handle = httpx2.AsyncHTTPTransport.handle_async_request

    async def left(self: Any, request: httpx2.Request) -> httpx2.Response:
        wire.request(request)  # what tells of ends has no client around its transport
        return await handle(self, request)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(httpx2.AsyncClient, "send", heard)
        patch.setattr(httpx2.AsyncHTTPTransport, "handle_async_request", left)
        for name in ("issue_code", "redeem_code", "refresh"):
            patch.setattr(SimulatedDiscord, name, _noting(wire, getattr(SimulatedDiscord, name)))
        yield wire


def _noting(wire: Wire, method: Any) -> Any:
    """Wrap what gives out codes and tokens of Discord."""

    def wrapped(*words: Any, **named: Any) -> Any:
        given = method(*words, **named)
        for one in given if isinstance(given, tuple) else (given,):
            wire.note("of Discord", one)
        return given

    return wrapped


@contextmanager
def logged(form: str) -> Iterator[Stream]:
    """Log as ``broker serve`` does at debug level, every library included, into a text."""
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers, root.level
    said = Stream()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.stderr", said)
            logs.configure(Settings(log_format=form, log_level="debug"))
        # Loggers of modules are shared with other tests.
        structlog.configure(cache_logger_on_first_use=False)
        yield said
    finally:
        structlog.configure(**before)
        root.handlers = handlers
        root.setLevel(level)
