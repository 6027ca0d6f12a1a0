"""The simulated Discord's own pages in headless Chromium: seen, clicked, without any script."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Page, expect

from broker.demo.discord.cast import ADA, BEN, GREENHOUSE, LIGHTHOUSE
from tests.chromium import chromium
from tests.demo.conftest import REDIRECT, Discord
from tests.demo.test_sample_browser import accessible

pytestmark = pytest.mark.chromium
KEEPER_ROLE, MEMBER_ROLE = LIGHTHOUSE.roles
LOOKS = pytest.mark.parametrize(
    ("width", "scheme"), [(360, "light"), (1280, "dark")], ids=["phone light", "desktop dark"]
)


@asynccontextmanager
async def browsing(width: int, scheme: str) -> AsyncIterator[Page]:
    """Open a page that runs no script; nothing may complain on it."""
    complaints: list[str] = []
    async with chromium() as browser:
        context = await browser.new_context(
            viewport={"width": width, "height": 800}, color_scheme=scheme
        )
        page = await context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        yield page
    assert complaints == []


async def sound(page: Page) -> None:
    """Fail on what axe finds, and on a page wider than its window."""
    await accessible(page)
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@LOOKS
async def test_a_guild_is_looked_after_by_clicks(discord: Discord, width: int, scheme: str):
    """Promise: roles, screening, time-out, kick and return, each by one click on one page."""
    discord.state.change_person(BEN.id, global_name="W" * 32)
    discord.state.set_member(ADA.id, LIGHTHOUSE.id, nick="\u202eאדה")

    def membership(person_id: str):
        return discord.state.person(person_id).membership(LIGHTHOUSE.id)

    async with browsing(width, scheme) as page:
        await page.goto(discord.origin)
        await sound(page)
        await page.get_by_role("link", name="The Lighthouse").click()
        await sound(page)
        await page.get_by_role("button", name="Keeper: take away from Ada Lindqvist").click()
        await expect(page.get_by_role("status")).to_contain_text("Ada Lindqvist has lost a role.")
        assert membership(ADA.id).roles == (MEMBER_ROLE,)
        await page.get_by_role("button", name="Keeper: give to Ada Lindqvist").click()
        await expect(page.get_by_role("button", name="Keeper: take away from Ada")).to_be_visible()
        assert membership(ADA.id).roles == (MEMBER_ROLE, KEEPER_ROLE)
        ben = page.locator(f"#p{BEN.id}")
        await ben.get_by_role("button", name="Make pending").click()
        await ben.get_by_role("button", name="Time out").click()
        await expect(ben.get_by_text("timed out")).to_be_visible()
        await sound(page)
        assert membership(BEN.id).pending
        await ben.get_by_role("button", name="Kick").click()
        await expect(ben).to_have_count(0)
        assert membership(BEN.id) is None
        await page.get_by_role("button", name="Put WWWW").click()
        await expect(ben).to_be_visible()
        await sound(page)


@LOOKS
async def test_less_is_allowed_and_all_taken_back_by_clicks(
    discord: Discord, width: int, scheme: str
):
    """Promise: a box unticked at sign-in is a scope less; Deauthorize ends the authorization."""
    async with browsing(width, scheme) as page:
        await page.route(f"{REDIRECT}*", lambda route: route.fulfill(body="back"))
        await page.goto(discord.authorize_url(scope="identify email guilds.members.read"))
        await page.get_by_role("button", name="Ada Lindqvist").click()
        await sound(page)
        assert await page.get_by_role("checkbox", name="username").is_disabled()
        await page.get_by_role("checkbox", name="e-mail").uncheck()
        await page.get_by_role("button", name="Authorize").click()
        await page.wait_for_url(f"{REDIRECT}*")
        assert discord.state.approved(ADA.id) == {"1001": {"identify", "guilds.members.read"}}
        await page.goto(f"{discord.origin}/apps")
        await expect(page.get_by_role("heading", name="Ada Lindqvist")).to_be_visible()
        await sound(page)
        await page.get_by_role("button", name="Deauthorize").click()
        await expect(page.get_by_role("status")).to_contain_text("was deauthorized")
        await sound(page)
        assert discord.state.approved(ADA.id) == {}


async def test_a_full_guild_is_one_page(discord: Discord):
    """Promise: hundreds of members are listed and still fit a phone."""
    for number in range(200):
        person = discord.state.add_person(f"person{number}")
        discord.state.join(person.id, GREENHOUSE.id)
    async with browsing(360, "dark") as page:
        await page.goto(f"{discord.origin}/guilds/{GREENHOUSE.id}")
        assert await page.get_by_role("button", name="Kick").count() == 201
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
