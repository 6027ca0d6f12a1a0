"""Events as Discord sends them, signed with the simulated Discord's own key."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

import httpx2
import pytest

from broker.demo.discord.events import Signed
from broker.upstream.base import BoundedTransport
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


class Held:
    """An answer of Discord's that is on its way for as long as a test wants."""

    def __init__(self) -> None:
        self._given, self._let_go = asyncio.Event(), asyncio.Event()

    async def given(self) -> None:
        """Wait until Discord has answered."""
        await asyncio.wait_for(self._given.wait(), 10)

    def let_go(self) -> None:
        """Have it arrive."""
        self._let_go.set()

    async def hold(self) -> None:
        """Keep it."""
        self._given.set()
        await self._let_go.wait()


@contextmanager
def held_back(route: str) -> Iterator[Held]:
    """Keep what Discord answers on a route from arriving, as a slow network does."""
    held, call = Held(), BoundedTransport.handle_async_request

    async def slowly(self: BoundedTransport, request: httpx2.Request) -> httpx2.Response:
        answer = await call(self, request)
        if request.url.path.endswith(route):
            await held.hold()
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BoundedTransport, "handle_async_request", slowly)
        yield held
