"""A client that calls the edge in process, and raw ASGI calls that no client makes."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx2

from broker.web.app import build
from tests.web import fakes

FORM = {"content-type": "application/x-www-form-urlencoded"}


@asynccontextmanager
async def edge(
    core: fakes.Core, *, services: dict[str, Any] | None = None, **config: Any
) -> AsyncIterator[httpx2.AsyncClient]:
    """Yield a client of an edge over the fake core."""
    app = build(fakes.services(core, **(services or {})), fakes.config(**config))
    transport = httpx2.ASGITransport(app=app, client=("192.0.2.7", 4711))
    async with httpx2.AsyncClient(transport=transport, base_url="https://id.example") as client:
        yield client


async def raw(
    app: Any,
    messages: Sequence[dict[str, Any]],
    *,
    path: str = "/token",
    headers: Sequence[tuple[bytes, bytes]] = ((b"content-type", FORM["content-type"].encode()),),
) -> tuple[list[dict[str, Any]], int]:
    """POST these ASGI messages, then nothing more; return what was sent and how many were read."""
    sent: list[dict[str, Any]] = []
    read = 0

    async def receive() -> dict[str, Any]:
        nonlocal read
        if read == len(messages):
            await asyncio.Event().wait()
        read += 1
        return messages[read - 1]

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "path": path, "query_string": b"",
        "headers": list(headers), "scheme": "https", "server": ("id.example", 443),
        "client": ("192.0.2.7", 1), "root_path": "", "http_version": "1.1",
    }  # fmt: skip
    await app(scope, receive, send)
    return sent, read


def part(body: bytes, *, more: bool = False) -> dict[str, Any]:
    """Return one piece of a request body."""
    return {"type": "http.request", "body": body, "more_body": more}
