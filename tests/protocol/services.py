"""Services that call one another: APIs, and clients that act for themselves."""

from typing import Any, Final

import httpx2

from broker.core import vocabulary as v
from broker.core.apis import Api
from tests.protocol.actors import App
from tests.protocol.harness import World
from tests.protocol.known import BACK

ORDERS: Final = "https://orders.example"
STOCK: Final = "https://stock.example"
READ, WRITE, COUNT, SHARED = "orders:read", "orders:write", "stock:count", "audit:see"
SERVICE: Final = (v.GRANT_CLIENT, v.GRANT_EXCHANGE)
TYPE_ACCESS: Final = "urn:ietf:params:oauth:token-type:access_token"
TYPE_JWT: Final = "urn:ietf:params:oauth:token-type:jwt"


async def api(world: World, identifier: str, *scopes: str, **fields: Any) -> Api:
    """Register an API, and let the broker follow."""
    made = Api(identifier, identifier, scopes=scopes, **fields)
    await world.sql.apis.add(made, now=world.clock.at)
    await world.advance(0)
    return made


async def shops(world: World, served: str = "") -> None:
    """Two APIs with scopes of their own and one that means something to both."""
    by = (served,) if served else ()
    await api(world, ORDERS, READ, WRITE, SHARED, introspected_by=by)
    await api(world, STOCK, COUNT, SHARED)


async def service(world: World, **fields: Any) -> App:
    """A confidential client that acts for itself."""
    given: dict[str, Any] = {"grant_types": SERVICE, "scopes": (READ, COUNT, SHARED)}
    return await world.new_app(BACK, **(given | {"resources": (ORDERS, STOCK)} | fields))


async def shop(world: World, **fields: Any) -> App:
    """An app that people use, whose tokens are for an API."""
    scopes = (*v.SCOPES, READ, WRITE, COUNT, SHARED)
    return await world.new_app(BACK, **({"scopes": scopes, "resources": (ORDERS, STOCK)} | fields))


async def own_token(app: App, **fields: str | None) -> dict[str, Any]:
    """What a client gets for itself."""
    answer = await asks(app, **fields)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def asks(app: App, **fields: str | None) -> httpx2.Response:
    return await app.token(grant_type=v.GRANT_CLIENT, **fields)


async def introspected(app: App, token: str, **fields: str | None) -> dict[str, Any]:
    """What a client is told of a token."""
    answer = await app.post("/introspect", token=token, **fields)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    found: dict[str, Any] = answer.json()
    return found


async def exchange(app: App, subject: str | None, **changes: str | None) -> httpx2.Response:
    """Ask for a token in exchange for another."""
    named: dict[str, str | None] = {
        "grant_type": v.GRANT_EXCHANGE,
        "subject_token": subject,
        "subject_token_type": TYPE_ACCESS,
    }
    return await app.token(**named | changes)
