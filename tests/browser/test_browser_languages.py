"""Main pages in every language, light and dark, on a small phone: axe finds nothing, none is wide.

The pages are those of the edge, shown to the browser without a server.
"""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Route

from broker.core.errors import RequestExpired
from broker.core.outcomes import DeviceCodePage, LeavePage
from broker.core.texts import Text
from broker.web import languages
from broker.web.answers import Answer
from broker.web.branding import Look, on_dark
from broker.web.documents import coloured, static_files
from broker.web.render import Compiled, ErrorView, Pages
from tests.web import fakes

pytestmark = [pytest.mark.chromium, pytest.mark.slow]

LOOK = Look(None, "#4752c4", "mailto:help@club.example", "https://club.example/privacy")
APP = replace(fakes.APP, brand_accent="#7a1fa2", translations={"client_name#ko": "등대지기"})
IN_ITS_COLOUR = {"/0", "/1", "/2"}
COLOUR = "getComputedStyle(document.documentElement).getPropertyValue('--accent').trim()"
WIDTH = 360
# English by day is looked at in the walks of the other modules.
DARK = [(tag, "dark") for tag in languages.tags()]
SHOWN = [*DARK, *((tag, "light") for tag in languages.tags() if tag != languages.ENGLISH)]


def main_pages(pages: Pages) -> Iterator[Answer]:
    """One of each kind."""
    everything = ("openid", "profile", "email", "offline_access", "guilds", "roles", "groups")
    expired = RequestExpired()
    yield pages.choice(replace(fakes.CHOICE, client=APP))
    yield pages.consent(replace(fakes.CONSENT, client=APP, scope=everything))
    yield pages.access_refused(replace(fakes.REFUSED, client=APP))
    yield pages.account(fakes.ACCOUNT)
    yield pages.leave(LeavePage("csrf", 1_800_000_000.0, 86400))
    yield pages.device_code(DeviceCodePage("csrf", "B", Text("The address is too long")))
    yield pages.error(ErrorView(expired.public, expired.next_step, "code", "0a1b2c"), 400, [])


@pytest.mark.parametrize(("tag", "scheme"), SHOWN)
async def test_main_pages(chromium: Browser, tag: str, scheme: str) -> None:
    """In the installation's colour, or an app's; what they are on dark pages we compute."""
    files = (*static_files(LOOK), coloured(LOOK, APP.brand_accent or ""))
    static = {f"/static/{one.name}": one.document for one in files if one is not None}
    pages = Pages(fakes.config(look=LOOK), languages.speeches()[tag], Compiled(), docs=True)
    shown = {f"/{number}": answer for number, answer in enumerate(main_pages(pages))}

    async def serve(route: Route) -> None:
        path = "/" + route.request.url.split("/", 3)[3]
        if path in shown:
            await route.fulfill(
                body=bytes(shown[path].body), content_type="text/html; charset=utf-8"
            )
        elif path in static:
            kind = "text/css" if path.endswith("css") else "image/svg+xml"
            await route.fulfill(body=static[path].body, content_type=kind)
        else:
            await route.abort()

    context = await chromium.new_context(
        viewport={"width": WIDTH, "height": 700},
        color_scheme=scheme,  # type: ignore[arg-type]
        reduced_motion="reduce",
    )
    await context.route("**/*", serve)
    page = await context.new_page()
    for path in shown:
        await page.goto(f"https://pages.example{path}")
        assert await page.evaluate("document.documentElement.lang") == tag
        accent = (APP.brand_accent if path in IN_ITS_COLOUR else None) or LOOK.accent
        assert await page.evaluate(COLOUR) == (on_dark(accent) if scheme == "dark" else accent)
        assert await page.evaluate("document.documentElement.scrollWidth") <= WIDTH, path
        found = await Axe().run(page)
        assert found.violations_count == 0, f"{path}: {found.generate_report()}"
    await context.close()
