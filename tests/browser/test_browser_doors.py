"""Several places to sign in, and the account's page, in a real browser without scripts."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from playwright.async_api import Page, expect

from broker.app.clock import SystemClock
from broker.core.pkce import challenge_of
from broker.demo.serving import serving_in_thread
from tests.browser.steps import allow, look
from tests.protocol.doors import settings
from tests.running import RunningBroker
from tests.upstream.fake_github import FakeGitHub
from tests.upstream.fake_provider import FakeProvider

pytestmark = [pytest.mark.chromium, pytest.mark.slow]


@dataclass(frozen=True)
class Doors:
    """A broker in a process of its own, and the far sides of its upstreams."""

    broker: RunningBroker
    github: FakeGitHub
    corp: FakeProvider


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    """Discord, GitHub and an OpenID provider called Corp."""
    github, corp = FakeGitHub(), FakeProvider(SystemClock())
    with ExitStack() as stack:
        github.origin = stack.enter_context(serving_in_thread(github.app))
        corp.origin = stack.enter_context(serving_in_thread(corp.app))
        given = {"BROKER_UPSTREAMS": json.dumps(settings(github, corp))}
        folder = tmp_path_factory.mktemp("doors")
        yield Doors(stack.enter_context(RunningBroker(folder, given)), github, corp)


async def test_choosing_for_an_app(page: Page, doors: Doors) -> None:
    """The app is named, each place has its mark; after the choice it is as with one alone."""
    broker = doors.broker
    words = ("clients", "add", "Lantern Board", "--public", "--redirect-uri")
    client_id = broker.cli(*words, f"{broker.issuer}/livez")["client_id"]
    await page.goto(
        f"{broker.issuer}/authorize?response_type=code&scope=openid+profile&client_id={client_id}"
        f"&redirect_uri={broker.issuer}/livez&code_challenge_method=S256"
        f"&code_challenge={challenge_of('v' * 43)}"
    )
    await expect(page.get_by_text("Lantern Board")).to_be_visible()
    await look(page, "choice")
    await page.get_by_role("link", name="Continue with Corp").click()
    await expect(page.get_by_role("heading", name="Continue to Lantern Board?")).to_be_visible()
    await allow(page)
    await page.wait_for_url("**/livez?code=*")


async def test_linking_and_unlinking(page: Page, doors: Doors) -> None:
    """The forms lead through the upstream and back, as the page's policy allows; axe is content."""
    await page.goto(f"{doors.broker.issuer}/account")
    await look(page, "choice-account")
    await page.get_by_role("link", name="Continue with GitHub").click()
    await expect(page.get_by_role("heading", name="Ada Lindqvist")).to_be_visible()
    await look(page, "account")
    await page.get_by_role("button", name="Link Discord").click()
    await page.get_by_role("button", name="ada.lindqvist").click()
    await page.get_by_role("button", name="Authorize").click()
    await expect(page.get_by_role("status")).to_contain_text("Linked")
    await look(page, "account-linked")
    await page.get_by_label("Unlink Discord", exact=True).click()
    await look(page, "account-unlink")
    await page.get_by_role("button", name="Unlink Discord").click()
    await expect(page.get_by_role("status")).to_contain_text("Unlinked")
    await page.get_by_role("link", name="Sign out").click()
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", name="You are signed out")).to_be_visible()


async def test_an_identity_of_another_account(page: Page, doors: Doors) -> None:
    """The page says whose it is, and leads back."""
    doors.github.whom = "ben"
    await page.goto(f"{doors.broker.issuer}/account")
    await page.get_by_role("link", name="Continue with GitHub").click()
    await page.get_by_role("button", name="Link Corp").click()
    await expect(page.get_by_role("heading", name="belongs to another account")).to_be_visible()
    await look(page, "account-taken")
    await page.get_by_role("link", name="Your account").click()
    await expect(page.get_by_role("heading", name="ben")).to_be_visible()


async def test_ones_own_account(page: Page, doors: Doors) -> None:
    """Sessions, an app and its access, one's data; then leaving, and staying after all."""
    broker = doors.broker
    words = ("clients", "add", "Harbour Chat", "--public", "--redirect-uri")
    client_id = broker.cli(*words, f"{broker.issuer}/livez")["client_id"]
    await page.goto(
        f"{broker.issuer}/authorize?response_type=code&scope=openid+profile+email"
        f"&client_id={client_id}&redirect_uri={broker.issuer}/livez&code_challenge_method=S256"
        f"&prompt=login&code_challenge={challenge_of('v' * 43)}"
    )
    await page.get_by_role("link", name="Continue with Corp").click()
    await allow(page)
    await page.wait_for_url("**/livez?code=*")
    await page.goto(f"{broker.issuer}/account")
    await expect(page.get_by_text("This browser")).to_be_visible()
    await page.get_by_text("Details of Harbour Chat").click()
    await page.get_by_text("Sign out everywhere").first.click()
    await look(page, "account-own")
    await page.get_by_role("button", name="Withdraw access of Harbour Chat").click()
    await expect(page.get_by_role("status")).to_contain_text("Withdrawn")
    async with page.expect_download() as begun:
        await page.get_by_role("button", name="Download my data").click()
    kept = json.loads((await (await begun.value).path()).read_bytes())
    assert kept["account"]["username"]
    await page.get_by_role("button", name="Delete my account").click()
    await expect(page.get_by_role("heading", name="Delete your account?")).to_be_visible()
    await look(page, "account-leave")
    await page.get_by_role("button", name="Delete my account").click()
    await expect(page.get_by_role("heading", name="Your account will be deleted")).to_be_visible()
    await look(page, "account-farewell")
    await page.get_by_role("link", name="Sign in again").click()
    await page.get_by_role("link", name="Continue with Corp").click()
    await expect(page.get_by_role("heading", name="Keep your account?")).to_be_visible()
    await look(page, "account-keep")
    await page.get_by_role("button", name="Keep my account").click()
    await expect(page.get_by_text("This browser")).to_be_visible()
