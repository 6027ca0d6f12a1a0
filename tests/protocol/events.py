"""Events as Discord sends them, signed with the simulated Discord's own key."""

import json
from datetime import UTC, datetime
from typing import Any, Final

import httpx2

from broker.demo.discord.events import Signed
from tests.protocol.harness import World
from tests.protocol.known import ADA, DISCORD_ID

PATH: Final = "/webhooks/discord"
DEAUTHORIZED: Final = "APPLICATION_DEAUTHORIZED"


def told(seconds: float) -> str:
    """A time as Discord's examples have it: UTC, and no offset that says so."""
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat()


def body(**members: Any) -> bytes:
    """A webhook's body; members of None are left out."""
    whole = {"version": 1, "application_id": DISCORD_ID, "type": 1} | members
    return json.dumps({name: value for name, value in whole.items() if value is not None}).encode()


def ping(**members: Any) -> bytes:
    return body(**{"type": 0} | members)


def withdrawal(world: World, person: str = ADA, at: float | None = None, **event: Any) -> bytes:
    """What Discord says when a person withdraws what our application may do; now unless said."""
    found = world.discord.find_person(person)
    user = {"id": found.id if found else person, "username": person}
    said = {
        "type": DEAUTHORIZED,
        "timestamp": told(world.clock.at if at is None else at),
        "data": {"user": user},
    }
    return body(event=said | event)


def signed(world: World, content: bytes, *, at: float | None = None) -> Signed:
    """A body with its signature, stamped with the broker's time unless said."""
    application = world.discord.applications[DISCORD_ID]
    stamp = world.clock.at if at is None else at
    return world.discord.events.signed(application, content, at=stamp)


async def send(
    world: World, content: bytes, *, at: float | None = None, **headers: str | None
) -> httpx2.Response:
    """Post an event; headers (``x_signature_…``) take the place of its own, None takes one away."""
    request = signed(world, content, at=at)
    named = {name.lower(): value for name, value in request.headers.items()}
    changed = {name.replace("_", "-"): value for name, value in headers.items()}
    whole = (named | changed).items()
    sent = {name: value.encode() for name, value in whole if value is not None}
    return await world.api.post(PATH, content=request.body, headers=sent)


async def withdrawn(world: World, person: str = ADA, at: float | None = None) -> None:
    """Tell of a withdrawal; the broker has taken it when this returns."""
    answer = await send(world, withdrawal(world, person, at))
    assert (answer.status_code, answer.content) == (204, b""), answer.text
