"""A Discord client in Chromium, with an Activity in a frame, on the addresses they really have.

Chromium never reaches those: what it asks of ``discord.com`` is answered here, what it asks of
``APPLICATION.discordsays.com`` goes through Discord's proxy, which is here too, and on over HTTP to
servers of this machine. Everything else is cut off. The client's page speaks the postMessage RPC of
the Embedded App SDK; codes and tokens are those of the simulated Discord.

What is simulated is documented by Discord: "How Activities Work", "Networking" and "Local
Development, URL Mapping" of its guide to Activities, the payloads by the SDK's own schemas. The
exact header of the sandbox is not; its exceptions are.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2
from playwright.async_api import BrowserContext, Page, Request, Route

from broker.demo.discord.people import Person, public_user
from broker.demo.discord.records import CODE_SECONDS
from broker.demo.run import DISCORD_CLIENT_ID
from tests.running import RunningBroker

CLIENT: Final = Path(__file__).parent / "activity" / "client.html"
DISCORD: Final = "https://discord.com"
PROXIED: Final = f"https://{DISCORD_CLIENT_ID}.discordsays.com"
EXCEPTIONS: Final = f"{DISCORD}/api/ https://cdn.discordapp.com/avatars/"
SANDBOX: Final = (
    f"default-src 'self' 'unsafe-inline' data: blob:; connect-src 'self' {EXCEPTIONS};"
    f" frame-ancestors {DISCORD}"
)
PASSED_ON: Final = ("accept", "authorization", "content-type", "cookie", "origin")

Api = Callable[[str, str | None], tuple[int, Any]]


@dataclass
class DiscordClient:
    """The client of one person, and the proxy.

    Args:
        broker: whose simulated Discord it is a client of.
        person: who sits before it.
        server: where the Activity's server listens; mapped to ``/``.
        api: answers path and ``Authorization`` header; mapped to ``/service``.
        onward: asks the Activity's server.

    Attributes:
        asked: paths that came through the proxy, without those of the page's own files.
        cut: what was asked of anybody else.
        cookies: cookies that were sent or set anywhere.
        late: hand out codes that have run out.
    """

    broker: RunningBroker
    person: Person
    server: str
    api: Api
    onward: httpx2.AsyncClient
    asked: list[str] = field(default_factory=list)
    cut: list[str] = field(default_factory=list)
    cookies: list[str] = field(default_factory=list)
    late: bool = False

    async def open(self, context: BrowserContext) -> Page:
        """Launch the Activity; returns the client's page."""
        await context.route("**/*", self._cut)
        await context.route(f"{DISCORD}/**", self._client)
        await context.route(f"{PROXIED}/**", self._proxy)
        context.on("request", self._look)
        page = await context.new_page()
        await page.goto(f"{DISCORD}/channels/1/2#{DISCORD_CLIENT_ID}")
        return page

    def _look(self, request: Request) -> None:
        if "cookie" in request.headers:
            self.cookies.append(f"sent to {request.url}")

    async def _cut(self, route: Route) -> None:
        self.cut.append(route.request.url)
        await route.abort()

    async def _client(self, route: Route) -> None:
        path = urlsplit(route.request.url).path
        if not path.startswith("/client/"):
            csp = "frame-src https://*.discordsays.com"
            headers = {"content-type": "text/html", "content-security-policy": csp}
            await route.fulfill(body=CLIENT.read_text("utf-8"), headers=headers)
            return
        answers: Mapping[str, Callable[[Any], Awaitable[dict[str, Any] | None]]] = {
            "/client/known": self._known,
            "/client/code": self._code,
            "/client/token": self._token,
        }
        said = await answers[path](json.loads(route.request.post_data or "null"))
        await route.fulfill(status=200 if said else 404, json=said)

    async def _known(self, scopes: list[str]) -> dict[str, Any]:
        discord = self.broker.discord
        wanted = frozenset(scopes)
        return {"known": discord.approved_before(self.person.id, DISCORD_CLIENT_ID, wanted)}

    async def _code(self, scopes: list[str]) -> dict[str, Any]:
        discord, now = self.broker.discord, self.broker.discord.now
        if self.late:
            discord.now = lambda: now() - CODE_SECONDS - 1
        try:
            # A code for the client itself is bound to no redirect URI.
            return {"code": discord.issue_code(DISCORD_CLIENT_ID, self.person.id, "", scopes)}
        finally:
            discord.now = now

    async def _token(self, token: str) -> dict[str, Any] | None:
        found = self.broker.discord.authorization(token)
        if found is None:
            return None
        grant, expires_at = found
        return {
            "access_token": token,
            "user": public_user(self.person) | {"public_flags": 0},
            "scopes": sorted(grant.scopes),
            "expires": datetime.fromtimestamp(expires_at, UTC).isoformat(),
            "application": {"id": grant.client_id, "name": "My activity", "description": ""},
        }

    async def _proxy(self, route: Route) -> None:
        """Go on to what is mapped, the longer prefix first; /.proxy is not passed on."""
        request = route.request
        path = urlsplit(request.url).path.removeprefix("/.proxy")
        if path.startswith(("/api/", "/service/")):
            self.asked.append(path)
        if path.startswith("/service/"):
            inside = path.removeprefix("/service")
            status, told = self.api(inside, await request.header_value("authorization"))
            await route.fulfill(status=status, json=told)
            return
        sent = {name: text for name, text in request.headers.items() if name in PASSED_ON}
        answer = await self.onward.request(
            request.method, self.server + path, headers=sent, content=request.post_data_buffer
        )
        if "set-cookie" in answer.headers:
            self.cookies.append(f"set by {path}")
        headers = {
            "content-type": answer.headers["content-type"],
            "content-security-policy": SANDBOX,
        }
        await route.fulfill(status=answer.status_code, headers=headers, body=answer.content)
