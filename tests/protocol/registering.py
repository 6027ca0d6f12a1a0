"""A program that registers itself: what it sends, and what it was told."""

from typing import Any

import httpx2

from broker.core import tickets
from broker.core.handles import Handles
from broker.core.model import Client
from broker.core.tickets import Ticket
from tests.protocol.actors import App
from tests.protocol.harness import World
from tests.protocol.known import ISSUER, OPERATOR_SECRET

WANTED: dict[str, Any] = {
    "client_name": "Lantern",
    "redirect_uris": ["https://lantern.example/cb"],
    "grant_types": ["authorization_code", "refresh_token"],
    "token_endpoint_auth_method": "client_secret_basic",
}
PUBLIC = WANTED | {"token_endpoint_auth_method": "none"}


def ticket(
    world: World, *, lives: float = 60, uses: int = 0, number: int = 1, pkce: bool = True
) -> str:
    """An initial access token, as an operator's command makes it."""
    expires_at = int(world.clock.now() + lives)
    return tickets.make(
        Handles([OPERATOR_SECRET.encode()]), Ticket(f"{number:032x}", expires_at, uses, pkce)
    )


async def register(world: World, token: str | None = None, **wanted: Any) -> httpx2.Response:
    """POST /register what is wanted beside WANTED; None leaves a member out."""
    members = {name: value for name, value in (WANTED | wanted).items() if value is not None}
    return await world.api.post("/register", json=members, headers=bearer(token))


async def registered(world: World, **wanted: Any) -> dict[str, Any]:
    """Register a client where anybody may; return what it is told."""
    answer = await register(world, **wanted)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def bearer(token: str | None) -> dict[str, str]:
    return {} if token is None else {"authorization": f"Bearer {token}"}


async def manage(world: World, told: dict[str, Any], method: str, **more: Any) -> httpx2.Response:
    """GET, PUT or DELETE a registration with its own token."""
    address = told["registration_client_uri"].removeprefix(ISSUER)
    headers = bearer(told["registration_access_token"])
    return await world.api.request(method, address, headers=headers, **more)


async def edit(world: World, told: dict[str, Any], **changes: Any) -> httpx2.Response:
    """PUT the registration as it was told, but for what only the broker says, changed."""
    ours = {"client_id_issued_at", "client_secret", "client_secret_expires_at"}
    ours |= {"registration_access_token", "registration_client_uri"}
    members = {name: value for name, value in told.items() if name not in ours} | changes
    return await manage(
        world, told, "PUT", json={name: one for name, one in members.items() if one is not None}
    )


async def app_of(world: World, told: dict[str, Any]) -> App:
    """The registered client's side, ready to sign people in."""
    record = await world.sql.clients.get(told["client_id"])
    assert record is not None
    app = world.app(record.client)
    app.secret = told.get("client_secret")
    return app


async def kept(world: World, told: dict[str, Any]) -> Client:
    """The client as SQL has it."""
    record = await world.sql.clients.get(told["client_id"])
    assert record is not None
    return record.client
