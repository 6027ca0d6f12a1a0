"""Photographs pages: phone and desktop, light and dark."""

from pathlib import Path
from typing import Any, Final

from playwright.async_api import Browser, BrowserContext, Page

DEVICES: Final = {"phone": (390, 844), "desktop": (1280, 800)}
SCHEMES: Final = ("light", "dark")
PATIENCE: Final = 20_000  # milliseconds


class Camera:
    """Keeps pictures of pages in a folder.

    Args:
        folder: where they go, made where it is missing.
        only: what the name of a page has to have in it; empty for every page.

    Attributes:
        taken: names of the pages that were photographed.
    """

    def __init__(self, folder: Path, only: str = "") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._only = only
        self.taken: list[str] = []

    def wants(self, name: str) -> bool:
        """Whether a page is to be photographed."""
        return self._only in name

    async def shoot(self, page: Page, name: str) -> None:
        """Photograph a page as it stands, whole, on each device and in each light."""
        if not self.wants(name):
            return
        await page.wait_for_load_state()
        for device, (width, height) in DEVICES.items():
            await page.set_viewport_size({"width": width, "height": height})
            for scheme in SCHEMES:
                await light(page, scheme)
                path = self._folder / f"{name}-{device}-{scheme}.png"
                await page.screenshot(path=path, full_page=True)
        self.taken.append(name)


async def light(page: Page, scheme: str) -> None:
    """Switch the light; colours change at once, so that none is looked at on its way."""
    given: dict[str, Any] = {"color_scheme": scheme, "reduced_motion": "reduce"}
    await page.emulate_media(**given)


async def opened(browser: Browser, language: str = "en") -> BrowserContext:
    """Open a browser that nobody has used before, of a person who reads that language."""
    context = await browser.new_context(locale=language)
    context.set_default_timeout(PATIENCE)
    return context
