"""Requests of which every byte is ours, and what must hold for the answer to any of them."""

import asyncio
import json
import re
from dataclasses import dataclass, replace
from html import unescape
from ipaddress import ip_address
from itertools import count
from typing import Any, Final
from urllib.parse import quote_plus, unquote, unquote_to_bytes

import httpx2
from redis.client import NEVER_DECODE

from broker.upstream.outbound import Outbound
from broker.web.routes import ROUTES, Cache
from tests.pace import Spent
from tests.protocol.harness import World
from tests.protocol.known import DISCORD_SECRET, ISSUER, OPERATOR_SECRET, SECRET

FORM: Final = b"application/x-www-form-urlencoded"
MARKER: Final = '"><x-marker>'
SLOW: Final = 2.0  # seconds in which every answer is there, on a busy machine
# 503 is not among them: nothing is out of reach. 502 is what Discord's refusal of a code becomes.
STATUSES: Final = {200, 201, 204, 303, 304, 400, 401, 403, 404, 405, 409, 413, 414, 429}
OPEN: Final = tuple(entry.path for entry in ROUTES if entry.cache is Cache.PUBLIC)

# Each request has an address of its own, so that limits per address do not hide what is behind.
_CALLERS: Final = count()

Text = str | bytes
Pair = tuple[Text, Text]
_ERROR: Final = re.compile(r"[\x20-\x21\x23-\x5b\x5d-\x7e]*")  # RFC 6749 §5.2


@dataclass(frozen=True)
class Shot:
    """A request; texts are encoded on the way, bytes go as they are.

    Attributes:
        method: any.
        path: percent-encoded, as on the wire.
        query, body: the pairs, or the very bytes.
        kind: the content type; None for none.
        headers: names in lower case, and values.
        parts: into how many pieces the body is cut.
    """

    method: str
    path: str
    query: tuple[Pair, ...] | bytes = ()
    body: tuple[Pair, ...] | bytes = ()
    kind: bytes | None = FORM
    headers: tuple[tuple[bytes, bytes], ...] = ()
    parts: int = 1


def encoded(pairs: tuple[Pair, ...] | bytes) -> bytes:
    """What a form or query is on the wire; lone surrogates are the bytes that Python gives them."""
    if isinstance(pairs, bytes):
        return pairs
    return b"&".join(_word(name) + b"=" + _word(value) for name, value in pairs)


def _word(text: Text) -> bytes:
    if isinstance(text, bytes):
        return text
    return quote_plus(text.encode("utf-8", "surrogatepass")).encode()


async def fire(world: World, shot: Shot) -> httpx2.Response:
    """Hand the request to the broker as a server would; returns its answer."""
    body, headers = encoded(shot.body), list(shot.headers)
    if shot.kind is not None:
        headers.insert(0, (b"content-type", shot.kind))
    size = -(-len(body) // shot.parts) or 1
    pieces = [body[at : at + size] for at in range(0, len(body), size)] or [b""]
    sent: list[Any] = []
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "https",
        "method": shot.method, "path": unquote(shot.path), "raw_path": shot.path.encode(),
        "query_string": encoded(shot.query), "root_path": "", "headers": headers,
        "client": (str(ip_address(0x7F010000 + next(_CALLERS))), 1), "server": ("127.0.0.1", 8443),
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        if not pieces:
            return {"type": "http.disconnect"}
        piece = pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    async def send(message: Any) -> None:
        sent.append(message)

    await asyncio.wait_for(world.broker.web(scope, receive, send), 20)
    content = b"".join(message.get("body", b"") for message in sent[1:])
    kept = [(k, v) for k, v in sent[0]["headers"] if k != b"content-length"]
    return httpx2.Response(sent[0]["status"], headers=kept, content=content)


class Judge:
    """Fires requests, and judges every answer.

    Args:
        world: the broker.
        uris: the redirect and post-logout URIs that are registered with its clients.
    """

    def __init__(self, world: World, uris: set[str]) -> None:
        self.world = world
        self.uris = uris
        self.statuses: dict[int, int] = {}
        self.slowest = 0.0

    async def __call__(self, shot: Shot) -> httpx2.Response:
        """Fire; AssertionError where the answer is none that may be given."""
        async with Spent() as spent:
            answer = await fire(self.world, shot)
        took = spent.seconds
        self.slowest = max(self.slowest, took)
        self.statuses[answer.status_code] = self.statuses.get(answer.status_code, 0) + 1
        assert took < SLOW, took
        self.judge(shot, answer)
        return answer

    def judge(self, shot: Shot, answer: httpx2.Response) -> None:
        """AssertionError where the answer is none that may be given."""
        status, text = answer.status_code, answer.text
        may = STATUSES | ({502} if "/callback" in shot.path else set())
        assert status in may, (status, text)
        assert answer.headers["x-content-type-options"] == "nosniff"
        if not (
            status in {200, 304}
            and shot.path.startswith((*OPEN[:-1], "/static/", "/admin/static/"))
        ):
            assert "no-store" in answer.headers.get("cache-control", ""), answer.headers
        assert not any(secret in text for secret in (OPERATOR_SECRET, DISCORD_SECRET))
        assert all(ord(c) >= 0x20 for _, v in answer.headers.multi_items() for c in v)
        assert "x-marker" not in answer.headers, "a header of the sender's making"
        if status == 303:
            self.leads_home(answer.headers["location"])
            # What Discord's page says beside "no" is told to the app as a fault of ours.
            assert (
                "error=server_error" not in answer.headers["location"] or "/callback" in shot.path
            )
        assert ("location" in answer.headers) is (status == 303)
        kind = answer.headers.get("content-type", "")
        if status == 204:
            assert answer.content == b""
        elif kind.startswith("text/html"):
            self.is_safe_page(answer)
        elif kind.startswith("application/json") and shot.method != "HEAD":
            is_json(answer)

    def leads_home(self, location: str) -> None:
        """A path of ours, Discord's page, or what a client has registered, to the character."""
        assert "temporarily_unavailable" not in location, location
        bare = re.split(r"[?#]", location, maxsplit=1)[0]
        ours = location.startswith("/") and location[1:2] not in {"/", "\\"}
        ours = ours or bare.startswith(f"{ISSUER}/")
        theirs = bare == f"{self.world.discord_origin}/oauth2/authorize"
        assert ours or theirs or bare in {uri.split("?")[0] for uri in self.uris}, location

    def is_safe_page(self, answer: httpx2.Response) -> None:
        """Nothing of the sender's stands in it as markup, and it leads where a redirect may."""
        text, csp = answer.text, answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in csp
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "<x-marker" not in text, text
        for action in re.findall(r'<form[^>]* action="([^"]*)"', text):
            self.leads_home(unescape(action))
        for link in re.findall(r'(?:href|src)="([^"]*)"', text):
            assert unescape(link).startswith(("/", "https://", "#", "data:image/")), link
            assert not unescape(link).startswith(("//", "https://evil")), link


def is_json(answer: httpx2.Response) -> None:
    """JSON, and where it refuses, an error of RFC 6749 §5.2."""
    said = json.loads(answer.content)
    assert "reference" not in said, said
    if answer.status_code >= 400 and "error" in said:
        assert _ERROR.fullmatch(said["error"]), said
        assert said["error"] not in {"", "server_error"}
        assert _ERROR.fullmatch(said.get("error_description", "")), said


class Diverted(httpx2.AsyncBaseTransport):
    """Carries the requests of an honest client, one of them changed on the way.

    Args:
        judge: fires and judges them.
        number: which one is changed.
        change: what is done to it.
    """

    def __init__(self, judge: Judge, number: int, change: Any) -> None:
        self.judge, self.left, self.change = judge, number, change
        self.faults: list[AssertionError] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        raw = request.headers.raw
        shot = Shot(
            request.method,
            request.url.raw_path.decode().partition("?")[0],
            _pairs(request.url.query),
            await request.aread(),
            request.headers.get("content-type", "").encode() or None,
            tuple((k.lower(), v) for k, v in raw if k.lower() not in _CARRIED),
        )
        if shot.kind == FORM and isinstance(shot.body, bytes):
            shot = replace(shot, body=_pairs(shot.body))
        self.left -= 1
        if self.left == -1:
            shot = self.change(shot)
        try:
            return await self.judge(shot)
        except AssertionError as fault:
            self.faults.append(fault)
            raise


_CARRIED: Final = {b"content-type", b"content-length", b"host", b"connection"}


def _pairs(raw: bytes) -> tuple[Pair, ...]:
    words = (part.partition(b"=") for part in raw.split(b"&") if part)
    return tuple((unquote(_plain(name)), _read(value)) for name, _, value in words)


def _plain(raw: bytes) -> str:
    return raw.decode().replace("+", " ")


def _read(raw: bytes) -> Text:
    return unquote_to_bytes(raw.replace(b"+", b" ")).decode("utf-8", "replace")


async def kept_in_clear(world: World) -> list[str]:
    """What Redis holds that it must not: secrets in clear, and keys that never go away."""
    found = []
    async for key in world.redis.scan_iter():
        held = str(key) + str(await _held(world.redis, key))
        found += [f"{key!r} holds a secret" for s in (OPERATOR_SECRET, SECRET) if s in held]
        if await world.redis.ttl(key) == -1 and not key_name(key).endswith(_LASTING):
            found.append(f"{key!r} never expires")
    return found


def key_name(key: bytes | str) -> str:
    return key.decode() if isinstance(key, bytes) else key


_LASTING: Final = ("{notices}:due", "{notices}:intents")  # queues: worked off, never lost


async def _held(redis: Any, key: Any) -> Any:
    kind = await redis.type(key)
    read = {
        "string": lambda: redis.get(key), "hash": lambda: redis.hgetall(key),
        "zset": lambda: redis.execute_command("ZRANGE", key, 0, -1, **{NEVER_DECODE: []}),
        "set": lambda: redis.smembers(key),
        "list": lambda: redis.lrange(key, 0, -1), "stream": lambda: redis.xrange(key),
    }  # fmt: skip
    named = kind.decode() if isinstance(kind, bytes) else kind
    return "" if named == "none" else await read[named]()  # it has gone since it was listed


class Unreachable:
    """Takes the place of calls to the outside, and writes down who would have been called."""

    def __init__(self, monkeypatch: Any) -> None:
        self.called: list[str] = []
        for name in ("get_json", "post_form"):
            monkeypatch.setattr(Outbound, name, self._refuse)

    async def _refuse(self, url: str, *_: Any, **__: Any) -> Any:
        from broker.core.errors import OutboundFailed

        self.called.append(url)
        raise OutboundFailed(private="nothing is called in this test")
