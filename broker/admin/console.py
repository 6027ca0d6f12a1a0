"""The console as the edge knows it: its door, then its pages for whoever is inside."""

import asyncio
from collections.abc import MutableMapping
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message

from broker.admin.door import DOOR, Door
from broker.admin.passkeys import Passkeys
from broker.admin.site import site
from broker.app.serving import Parts, desk_of
from broker.core.console import Entrance, Inside
from broker.core.errors import BadForm, Way
from broker.web import forms
from broker.web.answers import NO_REFERRER, PAGE, Answer, Header, redirect_answer
from broker.web.cookies import only_cookie
from broker.web.edge import Edge
from broker.web.problems import NoSuchPath

LEAVE: Final = "/admin/leave"
# No inline script, no inline style, nothing of anybody else's. Its looks need pictures in its
# stylesheet (data:), and that is all that is relaxed.
CSP: Final = (
    b"content-security-policy",
    (
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
        b" font-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
)
# With no referrer at all, browsers say of our own forms that they came from nowhere (Origin: null).
ABOUT: Final = (
    (b"referrer-policy", b"same-origin"),
    *(header for header in PAGE if header != NO_REFERRER),
)
FILES: Final = StaticFiles(packages=[("starlette_admin", "static"), ("broker.admin", "static")])
KEPT: Final = b"public, max-age=3600"
_PASSED_ON: Final = (
    b"content-type", b"content-disposition", b"location", b"set-cookie", b"etag", b"last-modified",
)  # fmt: skip


def console_of(parts: Parts) -> "Console":
    """Make the console of a broker."""
    return Console(parts)


class Console:
    """Answers under ``/admin``.

    Args:
        parts: what services are made of.
    """

    def __init__(self, parts: Parts) -> None:
        issuer = parts.settings.public_issuer
        secure = issuer.startswith("https:")
        desk = desk_of(parts)
        self._issuer = urlsplit(issuer)
        self._cookie_name = f"{'__Host-' if secure else ''}broker_console"
        self._entrance = Entrance(
            desk, parts.stores.sql.operators, parts.stores.redis.consoles, parts.limits
        )
        passkeys = Passkeys(issuer, parts.settings.brand_name)
        self._door = Door(desk, self._entrance, passkeys, self._cookie_name, secure=secure)
        self._site: ASGIApp = site(parts)

    async def answer(self, request: Request, edge: Edge) -> Answer:
        """Answer a request: at the door for whoever is not inside.

        Raises:
            BadForm: a form was posted from elsewhere.
            StoreUnavailable: a store is out of reach.
        """
        path = request.scope["path"].rstrip("/")
        if path == DOOR:
            return await self._door.answer(request, edge)
        cookie = only_cookie(request, self._cookie_name)
        inside = await self._entrance.inside(edge.cookies.browser(request), cookie)
        if inside is None:
            return redirect_answer(DOOR)
        body = b""
        if request.method == "POST":
            self._must_be_ours(request)
            body = await forms.read_body(request, edge.config)
        answer = await self._run(request, body, inside)
        if path == LEAVE and answer.status_code == 303:
            await self._entrance.leave(inside)
            answer.raw_headers.append(self._door.cookie(""))
        return answer

    async def static(self, request: Request) -> Answer:
        """Return a file of the pages."""
        place = {"path": f"/{request.path_params['path']}", "root_path": ""}
        heard = _Heard(b"")
        try:
            await FILES(dict(request.scope) | place, heard.receive, heard.send)
        except HTTPException:
            raise NoSuchPath from None
        answer = heard.answer()
        answer.cache = KEPT if answer.status_code in {200, 304} else None
        return answer

    def _must_be_ours(self, request: Request) -> None:
        """Refuse a form of another origin, whatever token it bears.

        Raises:
            BadForm: it is not of ours, or does not say whose it is.
        """
        ours = f"{self._issuer.scheme}://{self._issuer.netloc}"
        if forms.header(request, b"origin").decode("latin-1") != ours:
            raise BadForm(links=(Way("Operator console", "/admin"),))

    async def _run(self, request: Request, body: bytes, inside: Inside) -> Answer:
        """Run the library's application, under the issuer's address and nobody else's."""
        scope = dict(request.scope) | {
            "scheme": self._issuer.scheme,
            "server": (self._issuer.hostname, self._issuer.port),
            "headers": self._headers(request),
            "state": {"inside": inside},
        }
        heard = _Heard(body)
        await self._site(scope, heard.receive, heard.send)
        return heard.answer()

    def _headers(self, request: Request) -> list[Header]:
        host = (b"host", self._issuer.netloc.encode("ascii"))
        return [host, *(h for h in request.scope["headers"] if h[0] != b"host")]


class _Heard:
    """Keeps what an application answers.

    Args:
        body: what it may read.
    """

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._read = False
        self._ended = asyncio.Event()
        self._status = 500
        self._headers: list[Header] = []
        self._sent = bytearray()

    async def receive(self) -> Message:
        if self._read:  # nothing more will come, and whoever listens for an end has to wait for it
            await self._ended.wait()
            return {"type": "http.disconnect"}
        body, self._read = self._body, True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = [h for h in message["headers"] if h[0].lower() in _PASSED_ON]
        else:
            self._sent += message.get("body", b"")
            if not message.get("more_body"):
                self._ended.set()

    def answer(self) -> Answer:
        length = (b"content-length", b"%d" % len(self._sent))
        headers = [*self._headers, CSP, *ABOUT]
        if self._status != 304:
            headers.append(length)
        return Answer(self._status, headers, bytes(self._sent))
