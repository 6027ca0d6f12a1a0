"""The wrapper around every endpoint: it counts, shuts out, and misbehaves when told to."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from broker.demo.discord.faults import Fault
from broker.demo.discord.ratelimit import refusal_headers
from broker.demo.discord.replies import api_error, rate_limited
from broker.demo.discord.state import SimulatedDiscord

CLOUDFLARE_1015 = """<!doctype html><html><head><title>Access denied | discord.com used Cloudflare
to restrict access</title></head><body><h1>Error 1015</h1><h2>You are being rate limited</h2>
<p>The owner of this website (discord.com) has banned you temporarily from accessing this
website.</p></body></html>"""
BROWSED = frozenset({"/oauth2/authorize"})
_CHUNK = 64 * 1024


class Misbehaving:
    """An endpoint, and what happens instead while its route has a fault."""

    def __init__(self, discord: SimulatedDiscord, route: str, inner: ASGIApp) -> None:
        self._discord = discord
        self._route = route
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        traffic, address = self._discord.traffic, (scope.get("client") or ("", 0))[0]
        traffic.calls[self._route] += 1
        send = traffic.watched(self._route, address, send)
        # People browse from addresses of their own: what a server does shuts out that server.
        if self._route not in BROWSED and traffic.is_banned(address):
            await HTMLResponse(CLOUDFLARE_1015, 429)(scope, receive, send)
            return
        await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        fault = self._discord.faults.take(self._route)
        if fault is None:
            await self._inner(scope, receive, send)
            return
        match fault.kind:
            case "delay":
                await asyncio.sleep(fault.seconds)
                await self._inner(scope, receive, send)
            case "drop":
                await _break_off(send)
            case "lost_answer":
                await _captured(self._inner, scope, receive)
                await _break_off(send)
            case "huge":
                await _huge(fault.size, send)
            case "status" | "html" | "rate_limited":
                await _instead(fault)(scope, receive, send)
            case _:
                status, headers, body = await _captured(self._inner, scope, receive)
                answer = Response(_spoiled(fault, body), status, headers)
                await answer(scope, receive, send)


def _instead(fault: Fault) -> Response:
    """Return the answer given in place of the endpoint's."""
    if fault.kind == "html":
        return HTMLResponse(CLOUDFLARE_1015, fault.status)
    if fault.kind == "status":
        return api_error(fault.status, 0, f"{fault.status}: simulated failure")
    headers = refusal_headers(fault.seconds, fault.scope)
    return rate_limited(fault.seconds, headers, is_global=fault.scope == "global")


def _without_email(profile: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in profile.items() if name not in {"email", "verified"}}


_PROFILE: dict[str, Callable[[dict[str, Any], Fault], dict[str, Any]]] = {
    "bot": lambda profile, _: profile | {"bot": True},
    "unverified": lambda profile, _: profile | {"verified": False},
    "no_email": lambda profile, _: _without_email(profile),
    "missing": lambda body, fault: {k: v for k, v in body.items() if k not in fault.fields},
    "replaced": lambda body, fault: body | dict.fromkeys(fault.fields),
}


def _spoiled(fault: Fault, body: bytes) -> bytes:
    """Return the endpoint's own answer with something wrong in it."""
    if fault.kind == "truncated":
        return body[: len(body) // 2]
    if fault.kind == "not_json":
        return b"upstream connect error or disconnect/reset before headers"
    try:
        document = json.loads(body)
    except ValueError:
        return body
    spoil = _PROFILE[fault.kind]
    if isinstance(document, list):
        return json.dumps([spoil(each, fault) for each in document]).encode()
    return json.dumps(spoil(document, fault)).encode()


async def _captured(
    app: ASGIApp, scope: Scope, receive: Receive
) -> tuple[int, dict[str, str], bytes]:
    """Run an endpoint and keep its answer: status, headers without the length, body."""
    messages: list[Message] = []

    async def keep(message: Message) -> None:
        messages.append(message)

    await app(scope, receive, keep)
    start = next(m for m in messages if m["type"] == "http.response.start")
    body = b"".join(m.get("body", b"") for m in messages if m["type"] == "http.response.body")
    headers = {name.decode(): value.decode() for name, value in start["headers"]}
    headers.pop("content-length", None)
    return start["status"], headers, body


async def _break_off(send: Send) -> None:
    """Promise a body and never send it: the server then closes the connection."""
    headers = [(b"content-type", b"application/json"), (b"content-length", b"4096")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"{", "more_body": True})


async def _huge(size: int, send: Send) -> None:
    """Stream a JSON string of about `size` bytes, length not announced."""
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"filler": "', "more_body": True})
    for _ in range(max(1, size // _CHUNK)):
        await send({"type": "http.response.body", "body": b"x" * _CHUNK, "more_body": True})
        await asyncio.sleep(0)
    await send({"type": "http.response.body", "body": b'"}'})
