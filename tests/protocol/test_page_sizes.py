"""A page of a sign-in is one document and one stylesheet, and light."""

import re

import httpx2
import pytest

from tests.protocol.actors import Browser
from tests.protocol.communities import HALL, KEEPER, kept_out
from tests.protocol.devices import begin, consent_page
from tests.protocol.harness import World
from tests.protocol.known import BEN, FRONT, THIRD

MOST = 30_000  # bytes, together and not compressed


async def weigh(browser: Browser, page: httpx2.Response) -> None:
    """Fetch what the page needs."""
    sheets = re.findall(r'<link rel="stylesheet" href="([^"]+)"', page.text)
    assert len(sheets) == 1
    sheet = await browser.http.get(sheets[0])
    assert sheet.status_code == 200
    assert "@import" not in sheet.text
    assert "url(" not in sheet.text
    assert len(page.content) + len(sheet.content) < MOST
    assert "<style" not in page.text
    scripts = re.findall('<script src="([^"]*)"', page.text)
    assert page.text.count("<script") == len(scripts) <= ("form_post" in "".join(scripts))


@pytest.mark.parametrize("language", ["en", "ko"])
async def test_pages_of_a_sign_in(world: World, browser: Browser, language: str) -> None:
    """All of them, in every language, consent to all scopes included."""
    browser.http.headers["accept-language"] = language
    scopes = ("openid", "profile", "email", "offline_access")
    app = await world.new_app(THIRD, scopes=scopes)
    pages = [await browser.arrive(app, scope=" ".join(scopes), prompt="consent")]
    pages.append(await browser.arrive(world.app(FRONT), prompt="select_account"))
    pages.append(await browser.arrive(world.app(FRONT), response_mode="form_post"))
    pages.append(await browser.authorize(app, redirect_uri="https://evil.example"))
    pages.append(await browser.http.get("/device"))
    pages.append(await consent_page(browser, await begin(world)))
    refusing = await kept_out(world, {"guilds": [{"id": HALL, "any_role": [KEEPER]}]})
    pages.append(await world.browser().arrive(refusing, BEN))
    pages.append(await browser.http.get("/logout"))
    for page in pages:
        assert page.headers["content-type"].startswith("text/html")
        await weigh(browser, page)
