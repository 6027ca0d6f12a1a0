"""A broker with several places to sign in: Discord, GitHub, and an OpenID provider called Corp."""

import re
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from broker.demo.serving import serving_in_thread
from tests.core.helpers import Hands
from tests.protocol.actors import Browser
from tests.protocol.checks import hidden
from tests.protocol.harness import Shelf, World, begin
from tests.upstream import fake_github, fake_provider
from tests.upstream.fake_github import FakeGitHub
from tests.upstream.fake_provider import FakeProvider


@dataclass(frozen=True)
class Doors:
    """The world, and the far sides of its upstreams.

    Attributes:
        world: the broker, and who talks to it.
        github, corp: let ``whom`` in.
    """

    world: World
    github: FakeGitHub
    corp: FakeProvider

    async def reset(self) -> None:
        """Nobody is signed in, everybody behaves."""
        self.github.__init__(origin=self.github.origin, app=self.github.app)  # type: ignore[misc]
        corp = self.corp
        corp.__init__(self.world.clock, origin=corp.origin, app=corp.app)  # type: ignore[misc]
        await self.world.reset()

    async def choose(self, browser: Browser, page: httpx2.Response, name: str) -> httpx2.Response:
        """Follow a link of the choice page, no further."""
        return await browser.http.get(links(page)[name])

    async def through(
        self, browser: Browser, app: Any, name: str, **changes: str | None
    ) -> httpx2.Response:
        """Sign in through the upstream of that name, as far as possible without a page of ours."""
        page = await browser.authorize(app, **changes)
        assert page.status_code == 200, page.headers
        return await browser.go_on(await self.choose(browser, page, name))


def links(page: httpx2.Response) -> dict[str, str]:
    """The links of a choice page by the names of their upstreams, in their order."""
    assert page.status_code == 200, (page.status_code, page.headers, page.text)
    found = re.findall(r'href="(/interaction\?request=[^"]*upstream=([^"]*))"', page.text)
    return {name: unescape(address) for address, name in found}


def settings(github: FakeGitHub, corp: FakeProvider) -> list[dict[str, str]]:
    """``BROKER_UPSTREAMS`` of these two."""
    return [
        {
            "name": "github",
            "kind": "github",
            "title": "GitHub",
            "issuer": github.origin,
            "client_id": fake_github.CLIENT,
            "client_secret": fake_github.SECRET,
        },
        {
            "name": "corp",
            "kind": "oidc",
            "title": "Corp",
            "issuer": corp.origin,
            "client_id": fake_provider.CLIENT,
            "client_secret": fake_provider.SECRET,
        },
    ]


@asynccontextmanager
async def opened(
    shelf: Shelf, folder: Path, *, faults: dict[str, str] | None = None, **changes: Any
) -> AsyncIterator[Doors]:
    """Serve the far sides, and a broker that knows them; the faults are Corp's at the start."""
    github, corp = FakeGitHub(), FakeProvider(Hands())
    corp.app.faults = faults or {}
    with ExitStack() as stack:
        github.origin = stack.enter_context(serving_in_thread(github.app))
        corp.origin = stack.enter_context(serving_in_thread(corp.app))
        given = {"upstreams": settings(github, corp), **changes}
        async with begin(shelf, folder, **given) as world:
            world.elsewhere = (github.origin, corp.origin)
            corp.clock = world.clock
            yield Doors(world, github, corp)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def opened_doors(
    shared: Shelf, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Doors]:
    """A broker with several upstreams; use ``doors``."""
    async with opened(shared, tmp_path_factory.mktemp("doors")) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="session")
async def doors(opened_doors: Doors) -> Doors:
    """A broker with several upstreams and nobody signed in."""
    await opened_doors.reset()
    return opened_doors


@pytest.fixture
def world(doors: Doors) -> World:
    """The same."""
    return doors.world


async def enter(doors: Doors, browser: Browser, name: str = "discord") -> httpx2.Response:
    """Sign in at the account's page; returns it."""
    page = await browser.http.get("/account")
    return await browser.go_on(await doors.choose(browser, page, name))


async def press(
    browser: Browser, action: str, upstream: str, **changes: str | None
) -> httpx2.Response:
    """Press a button of the account's page, no further."""
    page = await browser.http.get("/account")
    fields: dict[str, str | None] = {
        "csrf": hidden(page)["csrf"],
        "action": action,
        "upstream": upstream,
    }
    data = {name: value for name, value in (fields | changes).items() if value is not None}
    return await browser.http.post("/account", data=data)


async def link(browser: Browser, upstream: str) -> httpx2.Response:
    """Link an upstream to who is signed in, as far as it goes."""
    return await browser.go_on(await press(browser, "link", upstream))
