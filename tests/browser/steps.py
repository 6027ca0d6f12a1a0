"""What a person does in a browser, step by step."""

import itertools
import os
from pathlib import Path

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from tests.browser.conftest import Stage

NAME = "Mina Park"
PICTURES = os.environ.get("BROKER_TEST_PICTURES")
_numbers = itertools.count()


async def open_sample(page: Page, stage: Stage) -> None:
    """Open the sample app, signed out."""
    await page.goto(stage.sample)
    await expect(page.get_by_role("button", name="Sign in with Discord")).to_be_visible()


async def become_somebody(page: Page, *, member: bool = True) -> None:
    """Make a person at the simulated Discord, who has approved nothing yet.

    Args:
        page: where one says who one is.
        member: of the guild whose people may use the sample app.
    """
    await page.get_by_text("Make somebody new").click()
    await page.get_by_label("Username").fill(f"mina.{next(_numbers)}")
    await page.get_by_label("Display name").fill(NAME)
    await page.get_by_label("E-mail may be empty").fill("mina@example.org")
    await page.get_by_label("In the server The Lighthouse").set_checked(member)
    await page.get_by_role("button", name="Create and continue").click()


async def approve_at_discord(page: Page, *, member: bool = True) -> None:
    """Be somebody new at the simulated Discord, and approve; `member` as above."""
    await become_somebody(page, member=member)
    await page.get_by_role("button", name="Authorize").click()


async def allow(page: Page) -> None:
    """Allow on the broker's consent page."""
    await page.get_by_role("button", name="Allow").click()


async def sign_in(page: Page, stage: Stage) -> None:
    """Sign in to the sample app, from its first page to its last."""
    await open_sample(page, stage)
    await page.get_by_role("button", name="Sign in with Discord").click()
    await approve_at_discord(page)
    await allow(page)
    await expect(page.locator("#person-name")).to_have_text(NAME)


async def sign_out(page: Page) -> None:
    """Sign out in the sample app, by way of the broker and back."""
    async with page.expect_response(lambda answer: "/logout" in answer.url):
        await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("button", name="Sign in with Discord")).to_be_visible()


async def look(page: Page, name: str) -> None:
    """Check the page with axe; keep pictures where ``BROKER_TEST_PICTURES`` names a folder.

    Pages of the console, whose looks are a library's, are checked in the dark too.
    """
    await page.wait_for_load_state()
    for scheme in ("dark", "light") if name.startswith("console") else ("light",):
        # Colours change at once, so that none is looked at on its way.
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        results = await Axe().run(page)
        assert results.violations_count == 0, f"{name}, {scheme}: {results.generate_report()}"
    if not PICTURES:
        return
    before = page.viewport_size
    for device, width, height in (("phone", 390, 844), ("desktop", 1280, 800)):
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            await page.set_viewport_size({"width": width, "height": height})
            path = Path(PICTURES) / f"{name}-{device}-{scheme}.png"
            await page.screenshot(path=path, full_page=True)
    await page.emulate_media(color_scheme="light")
    if before:
        await page.set_viewport_size(before)
