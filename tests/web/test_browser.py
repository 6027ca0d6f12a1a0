"""Our pages in Chromium: accessible in every form, and their policy lets through what it must."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import uvicorn
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from broker.core import errors as e
from broker.core.outcomes import ConsentPage, Redirect
from broker.web.app import build
from tests.chromium import chromium
from tests.pace import until
from tests.web import fakes

pytestmark = pytest.mark.chromium

PAGES = {
    "landing": ("/", None),
    "consent": ("/interaction", fakes.CONSENT),
    "select": ("/interaction", fakes.SELECT),
    "logout": ("/logout", fakes.LOGOUT),
    "signed out": ("/logout", fakes.SIGNED_OUT),
    "expired": ("/interaction", e.RequestExpired(links=[("Back", "https://a.example/")])),
    "busy": ("/authorize", e.UpstreamUnavailable(retry_after=40)),
}
SCREENS = [({"width": 390, "height": 844}, "dark"), ({"width": 1280, "height": 800}, "light")]


@asynccontextmanager
async def serving(app) -> AsyncIterator[str]:
    """Serve an ASGI application on loopback; yield its origin."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
        task = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:
            await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        await task


def insecure(core: fakes.Core):
    return build(fakes.services(core), fakes.config(secure=False, issuer="http://127.0.0.1"))


async def test_pages_are_accessible_and_fit() -> None:
    """Axe finds nothing on any page, phone and desktop, light and dark; none scrolls sideways."""
    core = fakes.Core()
    async with serving(insecure(core)) as origin, chromium() as browser:
        for viewport, scheme in SCREENS:
            context = await browser.new_context(viewport=viewport, color_scheme=scheme)
            page = await context.new_page()
            for name, (path, outcome) in PAGES.items():
                core.outcome = outcome
                await page.goto(origin + path)
                found = await Axe().run(page)
                assert found.violations_count == 0, f"{name} {scheme}: {found.generate_report()}"
                wide = "document.documentElement.scrollWidth > innerWidth"
                assert not await page.evaluate(wide), f"{name} is too wide"
            await context.close()


@asynccontextmanager
async def allowed(core: fakes.Core, outcome) -> AsyncIterator[tuple[Page, list[str]]]:
    """Press "Allow" on a consent page whose answer leads to another origin.

    Yields the page, on its way there, and what is said in its console.
    """
    said: list[str] = []

    async def elsewhere(scope, receive, send) -> None:
        headers = [(b"content-type", b"text/plain")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"arrived"})

    async with (
        serving(insecure(core)) as ours,
        serving(elsewhere) as theirs,
        chromium() as browser,
    ):
        page = await browser.new_page()
        page.on("console", lambda message: said.append(message.text))
        core.outcome = outcome(theirs)
        await page.goto(f"{ours}/interaction")
        core.outcome = Redirect(f"{theirs}/callback?code=c")
        await page.get_by_role("button", name="Allow").click()
        yield page, said


async def test_consent_leads_to_the_registered_origin() -> None:
    """The redirect after the form reaches the validated origin under our own policy."""

    def consent(origin: str) -> ConsentPage:
        return replace(fakes.CONSENT, redirect_origin=origin)

    async with allowed(fakes.Core(), consent) as (page, _):
        await expect(page.locator("body")).to_have_text("arrived")


async def test_consent_leads_nowhere_else() -> None:
    """A form answered with a redirect to any other origin is stopped by the policy."""
    async with allowed(fakes.Core(), lambda _: fakes.CONSENT) as (page, said):
        await until(lambda: any("form-action" in one for one in said))
        assert "arrived" not in await page.locator("body").inner_text()
