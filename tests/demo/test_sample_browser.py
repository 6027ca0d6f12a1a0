"""The sample app and the simulated Discord in headless Chromium."""

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from tests.chromium import chromium
from tests.demo.test_check import Stage, stage

__all__ = ["stage"]
pytestmark = pytest.mark.chromium


async def accessible(page: Page) -> None:
    """Fail on any violation axe finds on the page as it stands once it is whole."""
    await page.wait_for_load_state()
    found = await Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize(
    ("width", "scheme"), [(390, "light"), (1280, "dark")], ids=["phone light", "desktop dark"]
)
async def test_a_person_signs_in_calls_refreshes_and_signs_out(
    stage: Stage, width: int, scheme: str
):
    """Promise: the whole sign-in works, every page is accessible and fits, nothing complains."""
    complaints: list[str] = []
    async with chromium() as browser:
        context = await browser.new_context(
            viewport={"width": width, "height": 844}, color_scheme=scheme
        )
        page = await context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))

        async def look() -> None:
            await accessible(page)
            assert await page.evaluate("document.documentElement.scrollWidth") <= width

        await page.goto(stage.demo.sample_origin)
        await page.get_by_role("button", name="Sign in with Discord").wait_for()
        await look()
        await page.get_by_role("button", name="Sign in with Discord").click()
        await page.get_by_text("Make somebody new").click()
        await look()
        await page.get_by_role("button", name="Ben Okafor").click()
        await look()
        await page.get_by_role("button", name="Authorize").click()
        await page.get_by_role("button", name="Continue").click()
        await expect(page.get_by_role("heading", name="Ben Okafor")).to_be_visible()
        assert page.url == stage.demo.sample_origin + "/"
        await page.get_by_label("New note").fill("<b>Film</b>")
        await page.get_by_role("button", name="Add").click()
        await expect(page.get_by_role("listitem").filter(has_text="<b>Film</b>")).to_be_visible()
        await page.get_by_role("button", name="Call the API").click()
        await expect(page.get_by_text("The API verified the token")).to_be_visible()
        await page.get_by_role("button", name="Refresh tokens").click()
        await expect(page.get_by_text("replaced 1×")).to_be_visible()  # noqa: RUF001
        await look()
        await page.reload()
        await expect(page.get_by_role("heading", name="Ben Okafor")).to_be_visible()
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.get_by_role("button", name="Sign in with Discord")).to_be_visible()
    assert complaints == []


async def test_an_answer_that_was_not_asked_for_signs_nobody_in(stage: Stage):
    """Promise: a callback with a foreign state shows a problem, and no code is exchanged."""
    async with chromium() as browser:
        page = await browser.new_page()
        await page.goto(f"{stage.demo.sample_origin}/callback?code=c&state=foreign")
        await expect(page.get_by_role("alert")).to_contain_text("does not belong")
        await accessible(page)
    assert stage.issuer.generation == 0
