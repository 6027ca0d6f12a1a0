"""The sample app on its own origin: static pages, their configuration, and the protected API."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from broker.demo.sample.api import Api, RefusedError, refused
from broker.demo.sample.ended import EndedSessions
from broker.demo.sample.verifier import Verifier

_STATIC = Path(__file__).parent / "static"
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}


@dataclass(frozen=True, slots=True)
class SampleSettings:
    """What the sample app is told.

    Attributes:
        issuer: the broker.
        audience: what `aud` of an access token must name for the API to accept it.
        client_id: the public client the front end is.
        scope: what the front end asks for.
        resource: the resource indicator (RFC 8707) it sends, None for none.
        api_scope: the scope the API demands.
        pictures: the origin profile pictures come from, None to show initials only.
        guild_page: where people's roles are changed, None for nowhere.
        apps_page: where a person takes back what they allowed the broker, None for nowhere.
    """

    issuer: str
    audience: str
    client_id: str = "sample-app"
    scope: str = "openid profile email"
    resource: str | None = None
    api_scope: str = "openid"
    pictures: str | None = None
    guild_page: str | None = None
    apps_page: str | None = None


def create_app(
    settings: SampleSettings,
    verifier: Verifier | None = None,
    *,
    now: Callable[[], float] = time.time,
) -> Starlette:
    """Return the sample app.

    Args:
        settings: what it is told.
        verifier: judges access tokens; made of the settings unless given.
        now: epoch seconds.
    """
    checks = verifier or Verifier(settings.issuer, settings.audience)
    api = Api(checks, settings.api_scope)
    ended = EndedSessions(settings.issuer, settings.client_id, checks.keys, now=now)

    async def page(_: Request) -> Response:
        answer = _file("index.html")
        answer.headers["Content-Security-Policy"] = _policy(settings)
        return answer

    async def asset(request: Request) -> Response:
        return _file(request.url.path.lstrip("/"))

    async def configuration(_: Request) -> Response:
        body = {
            "issuer": settings.issuer,
            "client_id": settings.client_id,
            "scope": settings.scope,
            "resource": settings.resource,
            "pictures": settings.pictures,
            "guild_page": settings.guild_page,
            "apps_page": settings.apps_page,
        }
        return JSONResponse(body, headers={"Cache-Control": "no-store"})

    routes = [
        Route("/", page),
        Route("/callback", page),
        *(Route(f"/{name}", asset) for name in ("style.css", "app.js", "oidc.js", "community.js")),
        Route("/config.json", configuration),
        Route("/api/whoami", api.whoami),
        Route("/api/notes", api.own_notes, methods=["GET", "POST"]),
        Route("/api/rights", api.rights),
        Route("/api/board", api.notices, methods=["GET", "POST"]),
        Route("/backchannel-logout", ended.logout, methods=["POST"]),
        Route("/session", ended.session),
    ]
    return Starlette(routes=routes, exception_handlers={RefusedError: refused})


def _file(name: str) -> Response:
    path = _STATIC / name
    headers = {
        "Cache-Control": "no-cache",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(path.read_bytes(), media_type=_TYPES[path.suffix], headers=headers)


def _policy(settings: SampleSettings) -> str:
    """Return the page's policy: its own files, and the broker for the protocol."""
    parts = urlsplit(settings.issuer)
    issuer = f"{parts.scheme}://{parts.netloc}"
    pictures = f" {settings.pictures}" if settings.pictures else ""
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; "
        f"img-src 'self' data:{pictures}; connect-src 'self' {issuer}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
