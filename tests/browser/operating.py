"""An operator in Chromium, with an authenticator that is simulated by Chromium itself."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, CDPSession, Page, expect

from broker.admin.console import console_of
from broker.core.operators import CODE_LIFETIME, new_code
from broker.demo.discord import Application
from broker.demo.serving import serving
from tests.core.helpers import Counted
from tests.ports import free_port
from tests.protocol.harness import Shelf, World, begin, shelf
from tests.protocol.known import ADA, DISCORD_ID, DISCORD_SECRET

AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}
NAME = "ada.lindqvist"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """Redis, the simulated Discord and a filled database."""
    with shelf(tmp_path_factory.mktemp("console")) as found:
        yield found


class Site:
    """A broker with its console, served on this machine, and whoever looks at it.

    Attributes:
        world: the broker, its clock and stores.
        address: its issuer.
    """

    def __init__(self, world: World, address: str) -> None:
        self.world = world
        self.address = address

    async def grant(self, username: str = ADA) -> str:
        """Make somebody an operator as the command does; return the printed code."""
        account = await self.world.account_of(username)
        code, now = new_code(Counted(username.encode())), self.world.clock.at
        await self.world.sql.operators.grant(account, code, until=now + CODE_LIFETIME, now=now)
        return code

    async def sign_in(self, page: Page, person: str = "Ada Lindqvist") -> None:
        """Sign in at the console's door, as one of the simulated Discord's people."""
        await page.goto(f"{self.address}/admin")
        await page.get_by_role("button", name="Sign in").click()
        await page.get_by_text(person).first.click()
        await page.get_by_role("button", name="Authorize").click()
        await expect(page.get_by_role("heading", name="Operator console")).to_be_visible()

    async def enrol(self, page: Page, code: str) -> None:
        """Make a passkey with the code."""
        await page.get_by_label("Code").fill(code)
        await page.get_by_label("What to call this passkey").fill("Laptop")
        await page.get_by_role("button", name="Make a passkey").click()

    async def enter(self, page: Page) -> None:
        """Come in with the passkey."""
        await page.get_by_role("button", name="Use my passkey").click()
        await expect(page.get_by_role("heading", name="Overview")).to_be_visible()

    async def operate(self, page: Page) -> CDPSession:
        """Become an operator and come in; returns the authenticator."""
        held = await authenticator(page)
        await self.sign_in(page)
        code = await self.grant()
        await page.goto(f"{self.address}/admin")
        await self.enrol(page, code)
        await self.enter(page)
        return held


async def authenticator(page: Page, **changes: bool) -> CDPSession:
    """Give the browser an authenticator (Web Authentication §11, WebDriver's virtual one)."""
    session = await page.context.new_cdp_session(page)
    await session.send("WebAuthn.enable")
    options = AUTHENTICATOR | changes
    await session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return session


@asynccontextmanager
async def opened(shared: Shelf, folder: Path) -> AsyncIterator[Site]:
    """Serve a broker with its console under a host name, as passkeys need one."""
    port = free_port()
    address = f"http://localhost:{port}"
    async with begin(shared, folder, console=console_of, issuer=address, admin="on") as world:
        callback = f"{address}/login/discord/callback"
        world.discord.add_application(Application(DISCORD_ID, DISCORD_SECRET, (callback,)))
        async with serving(world.broker.web, "localhost", port):
            yield Site(world, address)


@pytest.fixture
async def site(shared: Shelf, tmp_path: Path) -> AsyncIterator[Site]:
    """A broker with its console, where nobody has signed in."""
    async with opened(shared, tmp_path) as found:
        yield found


@pytest.fixture
async def inside(site: Site, context: BrowserContext) -> AsyncIterator[Page]:
    """A page of an operator who has come in; no policy of ours has kept anything from it."""
    page = await context.new_page()
    refused: list[str] = []
    page.on("console", lambda said: refused.append(said.text) if "Content" in said.text else None)
    await site.operate(page)
    yield page
    assert refused == []


async def be(page: Page, person: str) -> None:
    """Be one of the simulated Discord's people, and approve."""
    await page.get_by_text(person).first.click()
    await page.get_by_role("button", name="Authorize").click()


async def become_operator(page: Page, issuer: str, grant: Callable[[], str]) -> None:
    """Sign in at the door, be let in by the command, make a passkey, come in.

    Args:
        page: in a browser that nobody has used before.
        issuer: of the broker.
        grant: runs ``broker accounts grant-operator`` for ``NAME``; returns its JSON.
    """
    await authenticator(page)
    await page.goto(f"{issuer}/admin")
    await page.get_by_role("button", name="Sign in").click()
    await be(page, "Ada Lindqvist")
    await expect(page.get_by_text("which is no operator")).to_be_visible()
    code = json.loads(grant())["code"]
    await page.goto(f"{issuer}/admin")
    await page.get_by_label("Code").fill(code)
    await page.get_by_label("What to call this passkey").fill("Laptop")
    await page.get_by_role("button", name="Make a passkey").click()
    await page.get_by_role("button", name="Use my passkey").click()
    await expect(page.get_by_role("heading", name="Overview")).to_be_visible()
