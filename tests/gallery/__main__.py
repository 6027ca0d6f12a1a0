"""``python -m tests.gallery``: pictures of the whole house."""

import argparse
import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import structlog
from playwright.async_api import Page

from broker.web import languages
from tests.browser.conftest import Stage, demonstration
from tests.browser.operating import opened as site_opened
from tests.chromium import chromium
from tests.gallery.camera import Camera, opened
from tests.gallery.console import door, inside
from tests.gallery.demo import apps, at_discord
from tests.gallery.people import DOCS, ROOMS
from tests.gallery.showing import showing
from tests.gallery.world import Past
from tests.protocol.harness import Shelf, shelf


async def people(camera: Camera) -> None:
    """Photograph the pages of people, in every language."""
    async with chromium() as browser:
        for tag in languages.tags():
            context = await opened(browser, tag)
            page = await context.new_page()
            async with showing(context) as show:
                for room in ROOMS if tag != languages.ENGLISH else (*ROOMS, *DOCS):
                    name = f"{tag}-{room.name}"
                    if camera.wants(name):
                        await show(page, room)
                        await camera.shoot(page, name)
            await context.close()


async def console(camera: Camera, shared: Shelf, folder: Path) -> None:
    """Photograph the operator's pages."""

    async def look(page: Page, name: str) -> None:
        await camera.shoot(page, f"console-{name}")

    async with chromium() as browser, site_opened(shared, folder) as site:
        await Past(site, shared).make()
        page = await (await opened(browser)).new_page()
        await door(site, page, look)
        await inside(site, page, look)


def in_console(camera: Camera) -> None:
    """Photograph the operator's pages over servers of their own."""
    with TemporaryDirectory() as found:
        folder = Path(found)
        (folder / "site").mkdir()
        with shelf(folder) as shared:
            asyncio.run(console(camera, shared, folder / "site"))


async def walk(camera: Camera, stage: Stage) -> None:
    """Photograph what there is beside the broker."""
    async with chromium() as browser:
        for visit in (apps, at_discord):
            await visit(stage, await (await opened(browser)).new_page(), camera.shoot)


def in_demo(camera: Camera) -> None:
    """Photograph the pages of a demonstration."""
    with TemporaryDirectory() as found, demonstration(Path(found) / "data") as stage:
        asyncio.run(walk(camera, stage))


PARTS: Final[dict[str, Callable[[Camera], None]]] = {
    "people": lambda camera: asyncio.run(people(camera)),
    "console": in_console,
    "demo": in_demo,
}


def main() -> None:
    """Photograph what the command line names."""
    parser = argparse.ArgumentParser(prog="python -m tests.gallery", description=__doc__)
    parser.add_argument("--into", type=Path, required=True, help="folder for the pictures")
    parser.add_argument("--part", choices=PARTS, help="this part of the house alone")
    parser.add_argument("--only", default="", help="pages whose name has this in it")
    asked = parser.parse_args()
    camera = Camera(asked.into, asked.only)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    for name, part in PARTS.items():
        if asked.part in {None, name}:
            part(camera)
    print(f"{len(camera.taken)} pages, four pictures each, in {asked.into}")


if __name__ == "__main__":
    main()
