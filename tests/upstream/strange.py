"""Servers that can be told to misbehave, by path; they count what they are asked."""

import asyncio
from collections import Counter

from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

TROUBLE = (
    "status 500", "status 503", "html 200", "html 502", "drop", "cut", "text", "huge", "redirect",
)  # fmt: skip


class Strange:
    """An ASGI application in front of another, as long as it is told so.

    Attributes:
        faults: path → what happens there: one of TROUBLE, ``slow S``, ``status N``, ``limit S``.
        calls: path → how often it was asked.
    """

    def __init__(self, inner):
        self.inner = inner
        self.faults = {}
        self.calls = Counter()

    async def __call__(self, scope, receive, send):
        self.calls[scope["path"]] += 1
        fault, _, word = self.faults.get(scope["path"], "").partition(" ")
        if fault == "slow":
            await asyncio.sleep(float(word))
        if fault in {"", "slow"}:
            await self.inner(scope, receive, send)
        elif fault == "drop":
            headers = [(b"content-type", b"application/json"), (b"content-length", b"1000")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b"{"})
        else:
            await _instead(fault, word)(scope, receive, send)


def _instead(fault, word):
    match fault:
        case "status":
            return JSONResponse({"message": "no"}, int(word))
        case "html":
            return HTMLResponse("<h1>Bad gateway</h1>", int(word))
        case "cut":
            return Response(b'{"access_token": "abc', media_type="application/json")
        case "text":
            return Response(b"hello", media_type="application/json")
        case "huge":
            return Response(b'{"a":"' + b"x" * 4_000_000 + b'"}', media_type="application/json")
        case "redirect":
            return RedirectResponse("http://127.0.0.1:9/elsewhere", 302)
        case _:
            return JSONResponse({"message": "wait"}, 429, {"retry-after": word})
