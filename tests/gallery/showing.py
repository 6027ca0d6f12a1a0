"""Shows the pages of the edge in a browser, from within this process."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Final

import httpx2
from playwright.async_api import BrowserContext, Page, Route

from broker.web.branding import Look
from tests.gallery.people import LOOK, NOTICED, PICTURES, PROVIDERS, Room
from tests.web import fakes
from tests.web.client import edge

UNFOLD: Final = "document.querySelectorAll('details').forEach(one => { one.open = true })"
_KEPT: Final = ("content-type", "content-security-policy", "cache-control")

Show = Callable[[Page, Room], Awaitable[None]]


def picture(name: str) -> str:
    """Return a picture of nobody, the same for the same name: what stands for faces and logos."""
    hue = sha256(name.encode()).digest()[0] * 360 // 256
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">'
        f'<rect width="64" height="64" fill="hsl({hue} 55% 78%)"/>'
        f'<circle cx="32" cy="26" r="12" fill="hsl({hue} 45% 30%)"/>'
        f'<path d="M8 64c2-20 14-25 24-25s22 5 24 25z" fill="hsl({hue + 140} 40% 38%)"/></svg>'
    )


@asynccontextmanager
async def showing(context: BrowserContext, look: Look = LOOK) -> AsyncIterator[Show]:
    """Yield a function that shows a room in a page of this browser, in the browser's language.

    Nothing leaves the process: what is asked elsewhere gets no answer, pictures one of ours.
    """
    core = fakes.Core()
    async with (
        edge(core, look=look, providers=PROVIDERS) as plain,
        edge(core, look=NOTICED, providers=PROVIDERS) as noticed,
    ):
        client = plain

        async def serve(route: Route) -> None:
            request = route.request
            if request.url.startswith(PICTURES):
                await route.fulfill(body=picture(request.url), content_type="image/svg+xml")
            elif request.resource_type == "script" or not request.url.startswith(fakes.ISSUER):
                await route.fulfill(status=204)  # the page that posts would leave before it is seen
            else:
                await route.fulfill(**_as_shown(await _asked(client, route)))

        async def show(page: Page, room: Room) -> None:
            nonlocal client
            client = noticed if room.noticed else plain
            core.outcome = room.outcome
            await page.goto(f"{fakes.ISSUER}{room.path}")
            if room.opened:
                await page.evaluate(UNFOLD)

        await context.route("**/*", serve)
        yield show


async def _asked(client: httpx2.AsyncClient, route: Route) -> httpx2.Response:
    request = route.request
    headers = {
        name: value
        for name, value in (await request.all_headers()).items()
        if name in {"accept", "accept-language"}
    }
    return await client.request(request.method, request.url, headers=headers)


def _as_shown(answer: httpx2.Response) -> dict[str, object]:
    headers = {name: answer.headers[name] for name in _KEPT if name in answer.headers}
    return {"status": answer.status_code, "headers": headers, "body": answer.content}
