"""The pages for developers, in a real browser: read by everybody, and one that walks a sign-in."""

import re

import pytest
from playwright.async_api import Page, expect

from broker.web.docs.stacks import STACKS
from tests.browser.conftest import Stage
from tests.browser.steps import NAME, allow, approve_at_discord, look
from tests.pace import until

pytestmark = [pytest.mark.chromium, pytest.mark.slow]

GUIDES = ["", *(f"/{stack.name}" for stack in STACKS)]


def listening(page: Page) -> list[str]:
    """Return what will be said of violations of the page's policy."""
    faults: list[str] = []
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    return faults


@pytest.mark.parametrize("guide", GUIDES)
async def test_a_guide_can_be_read_by_everybody(page: Page, stage: Stage, guide: str) -> None:
    """Axe finds nothing; a page is one document and one stylesheet, and fits a phone."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.resource_type))
    faults = listening(page)
    await page.goto(f"{stage.issuer}/docs{guide}")
    assert sorted(set(asked) - {"other", "image"}) == ["document", "stylesheet"]
    assert asked.count("stylesheet") == 1
    await look(page, f"docs{guide.replace('/', '-')}")
    await page.set_viewport_size({"width": 360, "height": 740})
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert await page.evaluate(wide) == 0
    assert not faults


async def walked(page: Page, stage: Stage) -> None:
    """Go from the first page to the tokens."""
    await page.goto(f"{stage.issuer}/docs/try")
    await expect(page.get_by_role("button", name="Refresh the tokens")).to_be_hidden()
    await page.get_by_label("e-mail address").check()
    await page.get_by_role("button", name="Prepare a sign-in").click()
    await page.get_by_role("link", name="Go there and sign in").click()
    await approve_at_discord(page)
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Try it, a page for")
    await allow(page)
    await expect(page.get_by_role("heading", name="Userinfo")).to_be_visible()


async def test_it_walks_a_sign_in_and_explains_each_token(page: Page, stage: Stage) -> None:
    """Consent is asked; both tokens are verified and decoded; the code leaves the address bar."""
    faults = listening(page)
    await walked(page, stage)
    assert page.url == f"{stage.issuer}/docs/try"
    assert await page.locator(".verdict").count() == 2
    assert await page.locator(".verdict.bad").count() == 0
    row = page.get_by_role("row").filter(has_text="What the person wants to be called").first
    await expect(row).to_contain_text(NAME)
    await look(page, "docs-try")
    assert not faults


async def test_every_claim_that_comes_is_explained(page: Page, stage: Stage) -> None:
    """No row of a decoded token is without a line that says what it means."""
    await walked(page, stage)
    tables = page.locator("table").filter(has=page.locator("caption", has_text="Claims"))
    for cell in await tables.locator("td:nth-child(3)").all():
        assert await cell.inner_text()


async def test_no_token_that_works_is_shown_or_kept(page: Page, stage: Stage) -> None:
    """What is on the page, in storage and in the address opens nothing."""
    real: list[str] = []

    async def remember(response) -> None:
        if response.url.endswith("/token"):
            said = await response.json()
            real.extend(said[name] for name in ("access_token", "id_token", "refresh_token"))

    page.on("response", remember)
    await walked(page, stage)
    await page.get_by_role("button", name="Refresh the tokens").click()
    await expect(page.get_by_role("heading", name="Refresh")).to_be_visible()
    await expect(page.locator(".verdict")).to_have_count(4)
    await until(lambda: len(real) == 6)  # the page may be told sooner than we are
    kept = await page.evaluate(
        "JSON.stringify([{...sessionStorage}, {...localStorage}, location.href])"
    )
    whole = kept + await page.content()
    for token in real:
        assert token not in whole
        assert token.split(".")[-1] not in whole
    assert await page.evaluate("sessionStorage.length") == 0


async def test_tokens_can_be_given_back(page: Page, stage: Stage) -> None:
    """After revocation userinfo refuses, and the page says so; one that fails is told, and left."""
    await walked(page, stage)
    give_back = page.get_by_role("button", name="Give them back")
    away = '{"error": "temporarily_unavailable"}'
    await page.route("**/revoke", lambda route: route.fulfill(status=503, body=away))
    await give_back.click()
    await expect(page.get_by_role("alert")).to_contain_text("temporarily_unavailable")
    await expect(page.get_by_text("The grant is over")).to_have_count(0)
    await page.unroute("**/revoke")
    await give_back.click()
    await expect(page.get_by_text("The grant is over")).to_be_visible()
    await expect(page.locator("pre", has_text="invalid_token")).to_be_visible()


async def test_a_no_is_told(page: Page, stage: Stage) -> None:
    """Who does not allow it comes back to a page that says what an app would be told."""
    await page.goto(f"{stage.issuer}/docs/try")
    await page.get_by_role("button", name="Prepare a sign-in").click()
    await page.get_by_role("link", name="Go there and sign in").click()
    await approve_at_discord(page)
    await page.locator("button[value=deny]").click()
    await expect(page.get_by_role("alert")).to_contain_text("access_denied")


async def test_an_answer_that_nobody_asked_for_is_not_used(page: Page, stage: Stage) -> None:
    """A code of somebody else's sign-in is not redeemed (RFC 6749 §10.12)."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.goto(f"{stage.issuer}/docs/try?code=x&state=y&iss={stage.issuer}")
    await expect(page.get_by_role("alert")).to_contain_text("state is unknown")
    assert not [url for url in asked if url.endswith("/token")]
    assert not re.search("code=", page.url)
