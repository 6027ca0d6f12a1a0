"""A device without a browser, and what a person does for it."""

from dataclasses import dataclass
from typing import Any

import httpx2

from broker.core import vocabulary as v
from broker.core.client import Client
from broker.core.handles import Handles, Kind
from tests.protocol.actors import App, Browser
from tests.protocol.checks import hidden, is_page
from tests.protocol.harness import World
from tests.protocol.known import ADA, FRONT, OPERATOR_SECRET

HANDLES = Handles([OPERATOR_SECRET.encode()])
GRANTS = (*v.GRANT_TYPES, v.GRANT_DEVICE)
FORM = "application/x-www-form-urlencoded"


@dataclass
class Device:
    """A device: what it was answered, and how it polls."""

    app: App
    answer: dict[str, Any]

    async def poll(self, **changes: str | None) -> httpx2.Response:
        named: dict[str, str | None] = {
            "grant_type": v.GRANT_DEVICE,
            "device_code": self.answer["device_code"],
        }
        return await self.app.token(**named | changes)

    async def poll_in_time(self, **changes: str | None) -> httpx2.Response:
        """Wait as long as told, then poll."""
        await self.app.world.advance(self.answer["interval"])
        return await self.poll(**changes)

    @property
    def code(self) -> str:
        found: str = self.answer["user_code"]
        return found


async def begin(world: World, like: Client = FRONT, **changes: str | None) -> Device:
    """A device of a client registered for the grant asks for a code."""
    app = await world.new_app(like, grant_types=GRANTS)
    return await again(app, **changes)


async def again(app: App, **changes: str | None) -> Device:
    asked: dict[str, str | None] = {"scope": "openid profile"}
    answer = await app.post("/device_authorization", **asked | changes)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return Device(app, answer.json())


async def enter(browser: Browser, code: str, **changes: str | None) -> httpx2.Response:
    """Open the page and enter a code; no further."""
    page = await browser.http.get("/device")
    fields: dict[str, str | None] = {**hidden(page), "user_code": code}
    data = {name: value for name, value in (fields | changes).items() if value is not None}
    return await browser.http.post("/device", data=data)


async def consent_page(browser: Browser, device: Device, person: str = ADA) -> httpx2.Response:
    """Enter the device's code and sign in, up to the page that asks."""
    return await browser.go_on(await enter(browser, device.code), person)


async def allow(browser: Browser, device: Device, person: str = ADA) -> httpx2.Response:
    """Do what a person does who wants it."""
    page = await consent_page(browser, device, person)
    return await browser.go_on(await browser.decide(page, "allow"), person)


def is_page_200(answer: httpx2.Response) -> str:
    """A page that is no error; returns its text."""
    return is_page(answer, 200)


async def end_session(world: World, browser: Browser) -> None:
    """End the browser's session, as a sign-out does."""
    assert browser.session is not None
    handle = HANDLES.open(Kind.SESSION, browser.session)
    assert handle is not None
    await world.broker.stores.redis.sessions.end(
        handle.account_id, handle.item_id, now=world.clock.at
    )
