"""The whole demonstration, a real broker in it, clicked through in headless Chromium."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import BrowserContext, Locator, Page, expect

from broker.demo.community import FRESH_SECONDS
from broker.demo.discord.cast import BEN, CHIYO, LIGHTHOUSE
from broker.demo.launch import everything, settings_for
from broker.demo.run import DemoPorts
from tests.chromium import chromium
from tests.demo.test_sample_browser import accessible
from tests.ports import free_ports

pytestmark = pytest.mark.chromium


@pytest.fixture
async def demo(tmp_path) -> AsyncIterator[DemoPorts]:
    """The demonstration as `broker demo` runs it, on free ports."""
    ports = DemoPorts.from_base(free_ports(3))
    with settings_for(ports, tmp_path / "demo") as settings:
        async with everything(ports, settings):
            yield ports


@asynccontextmanager
async def browsing(width: int = 1280, scheme: str = "light") -> AsyncIterator[BrowserContext]:
    async with chromium() as browser:
        yield await browser.new_context(
            viewport={"width": width, "height": 844}, color_scheme=scheme
        )


async def sound(page: Page) -> None:
    await accessible(page)
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def to_discord(page: Page, demo: DemoPorts, name: str) -> None:
    """Go to the sample app and on to Discord, and approve as that person."""
    await page.goto(demo.sample_origin)
    await page.get_by_role("button", name="Sign in with Discord").click()
    await page.get_by_role("button", name=name).click()
    await page.get_by_role("button", name="Authorize").click()


async def sign_in(page: Page, demo: DemoPorts, name: str) -> None:
    await to_discord(page, demo, name)
    await page.get_by_role("button", name="Allow").click()
    await expect(page.get_by_role("heading", name=name)).to_be_visible()


async def press(discord: Page, button: Locator) -> None:
    """Press a button at the simulated Discord and wait until it has done its work."""
    async with discord.expect_response(lambda answer: answer.request.method == "POST"):
        await button.click()


async def older() -> None:
    """Let what is known of people grow older than it may be."""
    await asyncio.sleep(FRESH_SECONDS + 0.1)


@pytest.mark.parametrize(
    ("width", "scheme"), [(390, "dark"), (1280, "light")], ids=["phone dark", "desktop light"]
)
async def test_a_role_taken_away_is_access_lost(demo: DemoPorts, width: int, scheme: str):
    """Promise: a click at Discord, a refresh, and the app says and does less; and back again."""
    async with browsing(width, scheme) as context:
        page = await context.new_page()
        await sign_in(page, demo, "Ada Lindqvist")
        community = page.get_by_role("region", name="Your community")
        await expect(community).to_contain_text("The Lighthouse · as Ada")
        await expect(community).to_contain_text("You have the roles Keeper and Member.")
        await expect(community).to_contain_text("You may write on the notice board")
        await page.get_by_label("New notice").fill("Fog tonight")
        await page.get_by_role("button", name="Post").click()
        await expect(page.get_by_text("Fog tonight")).to_be_visible()
        await sound(page)
        async with context.expect_page() as opened:
            await page.get_by_role("link", name="take a role away").click()
        discord = await opened.value
        await press(discord, discord.get_by_role("button", name="Keeper: take away from Ada"))
        await older()
        await page.get_by_role("button", name="Refresh tokens").click()
        await expect(community).to_contain_text("You may not write on the notice board")
        await expect(community).to_contain_text("You have the role Member.")
        await expect(page.get_by_text("Fog tonight")).to_be_visible()
        await expect(page.get_by_role("button", name="Post")).to_be_hidden()
        await sound(page)
        await press(discord, discord.get_by_role("button", name="Member: take away from Ada"))
        await older()
        await page.get_by_role("button", name="Refresh tokens").click()
        await expect(community).to_contain_text("In this app that gives you no role.")
        await expect(page.get_by_text("Fog tonight")).to_be_hidden()
        await press(discord, discord.get_by_role("button", name="Keeper: give to Ada"))
        await older()
        await page.get_by_role("button", name="Refresh tokens").click()
        await expect(page.get_by_role("button", name="Post")).to_be_visible()


async def test_a_withdrawal_at_discord_is_a_sign_out(demo: DemoPorts):
    """Promise: nothing is clicked in the app, and it shows that the sign-in is over."""
    async with browsing() as context:
        page = await context.new_page()
        await sign_in(page, demo, "Ben Okafor")
        discord = await context.new_page()
        await discord.goto(f"{demo.discord_origin}/apps")
        await expect(discord.get_by_role("heading", name="Ben Okafor")).to_be_visible()
        await press(discord, discord.get_by_role("button", name="Deauthorize"))
        await expect(discord.get_by_role("status")).to_contain_text("is being told")
        await expect(page.get_by_role("alert")).to_contain_text("session is over")
        await expect(page.get_by_role("button", name="Sign in with Discord")).to_be_visible()
        await sound(page)
        # The broker has forgotten the browser too: it is asked at Discord again.
        await page.get_by_role("button", name="Sign in with Discord").click()
        await expect(page.get_by_role("button", name="Authorize")).to_be_visible()


async def test_who_is_no_member_is_told_what_is_missing(demo: DemoPorts):
    """Promise: the broker's page names the guild; once in it, Check again leads to the app."""
    async with browsing(390, "light") as context:
        page = await context.new_page()
        await to_discord(page, demo, "chiyo")
        await expect(page.get_by_text("You need to be a member of The Lighthouse.")).to_be_visible()
        await sound(page)
        discord = await context.new_page()
        await discord.goto(f"{demo.discord_origin}/guilds/{LIGHTHOUSE.id}")
        await press(discord, discord.locator(f"button[value='{CHIYO.id}']"))
        await page.get_by_role("button", name="Check again").click()
        await page.get_by_role("button", name="Allow").click()
        community = page.get_by_role("region", name="Your community")
        await expect(community).to_contain_text("You have no role there.")
        await expect(community).to_contain_text("You may not read the notice board")


@pytest.mark.parametrize("deed", ["Kick", "Time out", "Make pending"])
async def test_a_lost_condition_ends_the_sign_in(demo: DemoPorts, deed: str):
    """Promise: whoever no longer meets the policy is refused at the next refresh."""
    async with browsing() as context:
        page = await context.new_page()
        await sign_in(page, demo, "Ben Okafor")
        discord = await context.new_page()
        await discord.goto(f"{demo.discord_origin}/guilds/{LIGHTHOUSE.id}")
        await press(discord, discord.locator(f"#p{BEN.id}").get_by_role("button", name=deed))
        await older()
        await page.get_by_role("button", name="Refresh tokens").click()
        await expect(page.get_by_role("alert")).to_contain_text("You are signed out.")
        await expect(page.get_by_role("button", name="Sign in with Discord")).to_be_visible()
