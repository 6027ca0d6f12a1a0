"""Every page there is, as ``tests/gallery`` lists them: axe finds nothing, none is too wide.

A template that none of these walks shows is a failure: whoever adds a page adds it to the gallery.
In the gate axe looks at each template, and at the main pages in every language and light;
``BROKER_TEST_LONG=1`` has it look at every state of every page in all of them.
"""

import os
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import jinja2
import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page

from broker.web import languages
from broker.web.branding import Look, on_dark
from broker.web.docs.stacks import STACKS
from tests.browser.operating import Site, shared, site
from tests.gallery import console, demo
from tests.gallery.__main__ import people
from tests.gallery.camera import SCHEMES, Camera, light, opened
from tests.gallery.people import DOCS, ERRORS, LOOK, PAGES, ROOMS, Room
from tests.gallery.showing import showing
from tests.gallery.world import Past
from tests.protocol.harness import Shelf

__all__ = ["shared", "site"]

pytestmark = [pytest.mark.chromium, pytest.mark.slow]

LONG: Final = os.environ.get("BROKER_TEST_LONG") == "1"
BROKER: Final = Path(__file__).parents[2] / "broker"
PHONE: Final = {"width": 360, "height": 740}
WIDER: Final = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
# What is pressed, 44 pixels high at the least; links in a sentence are as high as it is
# (WCAG 2.2, 2.5.5).
SMALL: Final = """
    [...document.querySelectorAll("main button, main .button, main .btn, main summary,"
        + " main input:not([type=checkbox]), main select, .others a")]
        .filter(one => one.checkVisibility() && one.type !== "hidden")
        .filter(one => one.getBoundingClientRect().height < 43.9)
        .map(one => one.outerHTML.slice(0, 120))
"""
COLOURED: Final = replace(LOOK, accent="#4752c4")
ACCENT: Final = "#7a1fa2"  # of an app
COLOUR: Final = "getComputedStyle(document.documentElement).getPropertyValue('--accent').trim()"
FAILED: Final = tuple(room for room in ERRORS if room.main)
# English by day is in the walk of every page.
OTHERWISE: Final = [
    (tag, scheme)
    for tag in languages.tags()
    for scheme in SCHEMES
    if (tag, scheme) != (languages.ENGLISH, "light")
]
DOOR: Final = "door.html"  # shown at the console alone


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """Names of the templates that were shown in this process, or were part of one that was."""
    found: set[str] = set()
    get = jinja2.Environment.get_template

    def remembered(self: jinja2.Environment, name: Any, *rest: Any, **more: Any) -> Any:
        found.add(str(getattr(name, "name", name)))
        return get(self, name, *rest, **more)

    monkeypatch.setattr(jinja2.Environment, "get_template", remembered)
    yield found


def templates(folder: str) -> set[str]:
    """Names of the templates of a folder under ``broker``."""
    found = {path.name for path in (BROKER / folder).glob("*.html")}
    assert found
    return found


def in_colour(room: Room) -> Room:
    """Return a room as it is for an app that has a colour and a Korean name."""
    client = getattr(room.outcome, "client", None)
    if client is None:
        return room
    app = replace(client, brand_accent=ACCENT, translations={"client_name#ko": "등대지기"})
    return replace(room, outcome=replace(room.outcome, client=app))


def newly(shown: set[str]) -> Callable[[], bool]:
    """Return what says whether a template was shown that had not been when it was asked last."""
    seen: set[str] = set()

    def new() -> bool:
        found = shown - seen
        seen.update(shown)
        return LONG or bool(found)

    return new


async def fits(page: Page, name: str) -> None:
    """Check that a page, once it is whole, has a title, and is no wider than a small phone."""
    await page.wait_for_load_state()
    await page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    assert await page.evaluate(WIDER) <= 0, f"{name} is wider than a phone"
    assert await page.title()


async def serves(page: Page, name: str) -> None:
    """Check that a page fits a small phone, and that a thumb finds what there is to press."""
    await fits(page, name)
    assert await page.evaluate(SMALL) == [], f"{name}: too small for a thumb"


async def look(page: Page, name: str) -> None:
    """Check a page as it stands with axe."""
    results = await Axe().run(page)
    assert results.violations_count == 0, f"{name}: {results.generate_report()}"


async def walk(
    browser: Browser,
    rooms: tuple[Room, ...],
    tag: str,
    scheme: str,
    check: Callable[[Page, Room], Awaitable[None]],
    drawn: Look = LOOK,
) -> None:
    """Look at rooms in a language and a light.

    Args:
        browser: where.
        rooms: which.
        tag: the language.
        scheme: the light.
        check: looks at one more closely.
        drawn: how the installation looks.
    """
    context = await opened(browser, tag)
    page = await context.new_page()
    await light(page, scheme)
    async with showing(context, drawn) as show:
        for room in rooms:
            await show(page, room)
            assert await page.evaluate("document.documentElement.lang") == tag
            await serves(page, room.name)
            await check(page, room)
    await context.close()


@pytest.mark.parametrize(("tag", "scheme"), OTHERWISE)
async def test_main_pages_in_every_language_and_light(
    chromium: Browser, tag: str, scheme: str
) -> None:
    """In the installation's colour, or an app's; what they are on dark pages we compute."""
    rooms = tuple(in_colour(room) for room in ROOMS if room.main)

    async def drawn(page: Page, room: Room) -> None:
        accent = ACCENT if getattr(room.outcome, "client", None) else COLOURED.accent
        assert await page.evaluate(COLOUR) == (on_dark(accent) if scheme == "dark" else accent)
        await look(page, f"{room.name}, {tag}, {scheme}")

    await walk(chromium, rooms, tag, scheme, drawn, COLOURED)


async def test_every_page_of_people(chromium: Browser, shown: set[str]) -> None:
    """Every template is on the list, in each state that looks different; in English, by day."""
    rooms, new = (*PAGES, *FAILED), newly(shown)

    async def seen(page: Page, room: Room) -> None:
        if new() or room.opened:
            await look(page, room.name)

    await walk(chromium, rooms, languages.ENGLISH, "light", seen)
    assert templates("web/pages") - shown - {DOOR} == set()


@pytest.mark.long
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("tag", languages.tags())
async def test_every_state_in_every_language_and_light(
    chromium: Browser, tag: str, scheme: str
) -> None:
    """Errors and guides too."""
    rooms = (*ROOMS, *DOCS) if tag == languages.ENGLISH else ROOMS

    async def all_of_them(page: Page, room: Room) -> None:
        await look(page, f"{room.name}, {tag}, {scheme}")

    await walk(chromium, rooms, tag, scheme, all_of_them)


async def test_every_page_of_operators(
    chromium: Browser, site: Site, shared: Shelf, shown: set[str]
) -> None:
    """With people, apps and keys of all kinds; in both lights where a template is seen first."""
    await Past(site, shared, days=1).make()
    new = newly(shown)

    async def visit(page: Page, name: str) -> None:
        await serves(page, name)
        if new():
            for scheme in SCHEMES:
                await light(page, scheme)
                await look(page, f"{name}, {scheme}")

    page = await (await opened(chromium)).new_page()
    await console.door(site, page, visit)
    await console.inside(site, page, visit)
    assert {*templates("admin/templates"), DOOR} - shown == set()


async def test_every_page_of_the_simulated_discord(
    chromium: Browser, site: Site, shown: set[str]
) -> None:
    """It is part of the demonstration, and looked at as the rest is."""
    page = await (await opened(chromium)).new_page()
    callback = f"{site.address}/login/discord/callback"

    async def visit(page: Page, name: str) -> None:
        await fits(page, name)
        await look(page, name)

    await demo.discord(site.world.discord_origin, callback, page, visit)
    assert templates("demo/discord/pages") - shown == set()


def test_every_guide_is_in_the_table_of_stacks() -> None:
    """Those of the table are read by ``test_browser_docs``, with the overview and the try-it."""
    listed = {f"{stack.name}.html" for stack in STACKS}
    assert templates("web/docs/pages") == {*listed, "base.html", "overview.html", "try.html"}


async def test_the_gallery_makes_pictures(tmp_path: Path) -> None:
    """Of each page that is asked for one a device and light, none like another."""
    camera = Camera(tmp_path, "ko-select")
    await people(camera)
    assert camera.taken == ["ko-select", "ko-select-long"]
    pictures = [path.read_bytes() for path in tmp_path.glob("*.png")]
    assert len(set(pictures)) == 2 * 4
