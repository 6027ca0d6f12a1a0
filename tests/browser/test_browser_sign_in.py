"""A person in a real browser: sign-in, refusal, consent, tokens, logout."""

import json
import re
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from playwright.async_api import Browser, BrowserContext, Locator, Page, expect

from tests.browser.conftest import Stage
from tests.browser.operating import NAME as OPERATOR
from tests.browser.operating import become_operator
from tests.browser.steps import (
    NAME,
    allow,
    approve_at_discord,
    become_somebody,
    look,
    open_sample,
    sign_in,
    sign_out,
)

pytestmark = [pytest.mark.chromium, pytest.mark.slow]


async def test_a_person_signs_in_uses_the_app_and_signs_out(page: Page, stage: Stage) -> None:
    """The main job: sign in, call the API, refresh, sign out; every page passes axe."""
    await open_sample(page, stage)
    await look(page, "sample-welcome")
    await page.get_by_role("button", name="Sign in with Discord").click()
    await expect(page).to_have_url(re.compile(re.escape(stage.discord)))
    await look(page, "discord-pick")
    await become_somebody(page)
    await look(page, "discord-approve")
    await page.get_by_role("button", name="Authorize").click()
    await expect(page.get_by_role("button", name="Allow")).to_be_visible()
    assert page.url.startswith(stage.issuer)
    await look(page, "broker-consent")
    await allow(page)
    await expect(page.locator("#person-name")).to_have_text(NAME)
    await page.get_by_role("button", name="Call the API").click()
    await expect(verified(page)).to_have_count(1)
    first = await page.locator("#refresh-raw").inner_text()
    await page.get_by_role("button", name="Refresh tokens").click()
    await expect(page.locator("#refresh-raw")).not_to_have_text(first)
    await look(page, "sample-home")
    await sign_out(page)
    assert page.url.startswith(stage.sample)


async def test_cancel_at_discord(page: Page, stage: Stage) -> None:
    """A person who says no at Discord is back at the app, which hears access_denied."""
    await open_sample(page, stage)
    await page.get_by_role("button", name="Sign in with Discord").click()
    await become_somebody(page)
    await page.get_by_role("button", name="Cancel").click()
    await expect(page.get_by_role("alert")).to_contain_text("not signed in")
    await look(page, "sample-refused")


async def test_cancel_at_the_consent_page(page: Page, stage: Stage) -> None:
    """A person who says no at our page is back at the app, which hears access_denied."""
    await open_sample(page, stage)
    await page.get_by_role("button", name="Sign in with Discord").click()
    await approve_at_discord(page)
    await page.get_by_role("button", name="Cancel").click()
    await expect(page.get_by_role("alert")).to_contain_text("not signed in")


async def test_the_second_sign_in_asks_discord_nothing(page: Page, stage: Stage) -> None:
    """With a session at the broker only the page that names the app is seen (RFC 8252 §8.6)."""
    await sign_in(page, stage)
    await page.evaluate("sessionStorage.clear()")
    await open_sample(page, stage)
    seen: list[str] = []
    page.on("request", lambda request: seen.append(request.url))
    await page.get_by_role("button", name="Sign in with Discord").click()
    await allow(page)
    await expect(page.locator("#person-name")).to_have_text(NAME)
    assert not [url for url in seen if url.startswith(stage.discord + "/oauth2")]


async def test_signing_out_ends_the_session_at_the_broker(page: Page, stage: Stage) -> None:
    """After signing out the next sign-in asks at Discord who it is."""
    await sign_in(page, stage)
    await sign_out(page)
    await page.get_by_role("button", name="Sign in with Discord").click()
    await expect(page.get_by_role("button", name="Not you?")).to_be_visible()
    assert page.url.startswith(stage.discord)


async def test_logout_without_a_hint_asks(page: Page, stage: Stage) -> None:
    """A bare link to /logout signs nobody out before they say so."""
    await sign_in(page, stage)
    await page.goto(f"{stage.issuer}/logout")
    await look(page, "broker-logout")
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("signed out")
    await look(page, "broker-signed-out")


async def test_choosing_another_account(page: Page, stage: Stage) -> None:
    """prompt=select_account offers the account at hand and the way to another."""
    await sign_in(page, stage)
    await page.goto(_authorize(stage, prompt="select_account"))
    await expect(page.get_by_role("button", name=NAME)).to_be_visible()
    await look(page, "broker-select")
    await page.get_by_role("button", name="another account").click()
    await expect(page).to_have_url(re.compile(re.escape(stage.discord)))


async def test_a_bad_link_is_explained(page: Page, stage: Stage) -> None:
    """An unregistered redirect URI is a page, never a redirect."""
    await page.goto(_authorize(stage, redirect_uri="https://evil.example/callback"))
    assert page.url.startswith(stage.issuer)
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    await look(page, "broker-error")


async def test_the_landing_page(page: Page, stage: Stage) -> None:
    """The broker says what it is."""
    await page.goto(stage.issuer)
    await look(page, "broker-landing")


async def test_a_consent_page_in_another_browser(
    page: Page, stage: Stage, chromium: Browser
) -> None:
    """The address of somebody's consent page is worth nothing elsewhere (CVE-2022-39222)."""
    await open_sample(page, stage)
    await page.get_by_role("button", name="Sign in with Discord").click()
    await approve_at_discord(page)
    await expect(page.get_by_role("button", name="Allow")).to_be_visible()
    other = await (await chromium.new_context()).new_page()
    answer = await other.goto(page.url)
    assert answer is not None
    assert answer.status == 403
    await look(other, "broker-foreign-browser")


async def test_no_script_is_needed_at_the_broker(chromium: Browser, stage: Stage) -> None:
    """Every page of the broker works with JavaScript switched off."""
    context: BrowserContext = await chromium.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(_authorize(stage))
    await approve_at_discord(page)
    reached: list[str] = []
    page.on("request", lambda request: reached.append(request.url))
    await allow(page)
    await page.wait_for_url(f"{stage.sample}/**")
    answer = next(url for url in reached if url.startswith(f"{stage.sample}/callback"))
    query = parse_qs(urlsplit(answer).query)
    assert query["state"] == ["some-state"]
    assert query["iss"] == [stage.issuer]
    assert query["code"]
    await context.close()


async def test_keys_rotate_while_a_person_works(page: Page, stage: Stage) -> None:
    """An operator rotates the signing key and nobody notices."""
    await sign_in(page, stage)
    before = json.loads(stage.broker("keys", "list", "--json"))
    stage.broker("keys", "rotate")
    for _ in range(3):
        await page.get_by_role("button", name="Refresh tokens").click()
        async with page.expect_response("**/api/whoami") as answer:
            await page.get_by_role("button", name="Call the API").click()
        assert (await answer.value).status == 200
        await expect(verified(page).first).to_be_visible()
    assert await page.locator("#log li.bad").count() == 0
    assert len(json.loads(stage.broker("keys", "list", "--json"))) >= len(before)


async def test_the_console_of_a_demonstration(page: Page, stage: Stage) -> None:
    """An operator comes in with a passkey; the sample app is there."""
    grant = ("accounts", "grant-operator", OPERATOR, "--json")
    await become_operator(page, stage.issuer, lambda: stage.broker(*grant))
    await page.get_by_role("link", name="Apps", exact=True).click()
    await expect(page.get_by_text("Fieldnotes")).to_be_visible()


def verified(page: Page) -> Locator:
    """What the page's log says of tokens that the API took; other calls of its may come between."""
    return page.locator("#log li.good").filter(has_text="The API verified the token")


def _authorize(stage: Stage, **changes: str) -> str:
    asked = {
        "client_id": "sample-app",
        "redirect_uri": f"{stage.sample}/callback",
        "response_type": "code",
        "scope": "openid profile",
        "state": "some-state",
        "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        "code_challenge_method": "S256",
    } | changes
    return f"{stage.issuer}/authorize?{urlencode(asked)}"
