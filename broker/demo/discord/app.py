"""The simulated Discord as an ASGI application, and running it."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, request_response
from starlette.types import ASGIApp, Receive, Scope, Send

from broker.demo.discord import control, pages, places, resources, tokens
from broker.demo.discord.authorize import authorize
from broker.demo.discord.avatars import avatar
from broker.demo.discord.misbehaving import Misbehaving
from broker.demo.discord.replies import api_error
from broker.demo.discord.state import SimulatedDiscord
from broker.demo.loopback import is_loopback_host
from broker.demo.serving import serving, serving_in_thread

API = "/api/v10"

# Path → (name of the route for limits and faults, methods, endpoint).
_ENDPOINTS: tuple[tuple[tuple[str, ...], str, tuple[str, ...], resources.Endpoint], ...] = (
    (("/oauth2/authorize",), "/oauth2/authorize", ("GET", "POST"), authorize),
    (("/api/oauth2/token", f"{API}/oauth2/token"), "/oauth2/token", ("POST",), tokens.token),
    (
        ("/api/oauth2/token/revoke", f"{API}/oauth2/token/revoke"),
        "/oauth2/token/revoke",
        ("POST",),
        tokens.revoke,
    ),
    (("/api/oauth2/keys", f"{API}/oauth2/keys"), "/oauth2/keys", ("GET",), resources.keys),
)
_RESOURCES: tuple[tuple[str, str | None, resources.Resource], ...] = (
    ("/users/@me", "identify", resources.me),
    ("/users/@me/guilds", "guilds", resources.guilds),
    ("/users/@me/guilds/{guild_id}/member", "guilds.members.read", resources.member),
    ("/oauth2/@me", None, resources.authorization),
    ("/oauth2/userinfo", "openid", resources.userinfo),
)


def create_app(state: SimulatedDiscord) -> Starlette:
    """Return the simulated Discord over its memory; its answers go to loopback hosts alone."""
    endpoints = list(_ENDPOINTS)
    for route, scope, resource in _RESOURCES:
        paths = (API + route, "/api" + route)
        endpoints.append((paths, route, ("GET",), resources.guarded(route, scope, resource)))
    routes = [
        Route(path, Misbehaving(state, route, request_response(endpoint)), methods=methods)
        for paths, route, methods, endpoint in endpoints
        for path in paths
    ]
    routes += [
        Route("/style.css", pages.stylesheet),
        Route("/avatars/{person_id}/{hash}", avatar),
        Route("/embed/avatars/{index}", avatar),
        *places.ROUTES,
        *control.ROUTES,
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _not_served})
    app.add_middleware(_LoopbackOnly)
    app.state.discord = state
    return app


async def _not_served(_: Request, error: Exception) -> Response:
    """Answer an unknown path or method in the shape of Discord's errors."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = error.detail if isinstance(error, HTTPException) else "Internal Server Error"
    return api_error(status, 0, f"{status}: {detail}")


class _LoopbackOnly:
    """Refuses requests for any other host name: a tunnel, or a name that resolves to loopback."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            host = Request(scope).url.hostname or ""
            if not is_loopback_host(host):
                refusal = api_error(421, 0, "421: the simulated Discord serves loopback only")
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)


@contextmanager
def serve_in_thread(
    state: SimulatedDiscord, host: str = "127.0.0.1", port: int = 0
) -> Iterator[str]:
    """Serve a simulated Discord in a thread of its own; yields its origin.

    Raises:
        NotLoopbackError: the host is not a loopback address.
    """
    with serving_in_thread(create_app(state), host, port) as origin:
        yield origin


@asynccontextmanager
async def serve(
    state: SimulatedDiscord, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[str]:
    """Serve a simulated Discord in the running event loop; yields its origin.

    Raises:
        NotLoopbackError: the host is not a loopback address.
    """
    async with serving(create_app(state), host, port) as origin:
        yield origin


def endpoints(origin: str) -> dict[str, Any]:
    """Return where things are, for a broker that is to use this Discord."""
    return {
        "authorize_url": f"{origin}/oauth2/authorize",
        "token_url": f"{origin}/api/oauth2/token",
        "revoke_url": f"{origin}/api/oauth2/token/revoke",
        "api_base": f"{origin}{API}",
        "cdn_base": origin,
    }
