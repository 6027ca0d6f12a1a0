"""A person whom a policy refuses: what the page says, and what helps, in a real browser."""

import json
import re
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from playwright.async_api import Page, expect

from broker.core.pkce import challenge_of
from broker.demo.discord.cast import LIGHTHOUSE
from tests.browser.conftest import Stage
from tests.browser.steps import NAME, allow, approve_at_discord, look

pytestmark = [pytest.mark.chromium, pytest.mark.slow]

KEEPER = next(iter(LIGHTHOUSE.roles))
INVITE = "https://discord.gg/lighthouse"


@pytest.fixture(scope="module")
def address(stage: Stage) -> str:
    """Where a sign-in to an app begins that only keepers of the Lighthouse may use."""
    stage.broker("guilds", "edit", LIGHTHOUSE.id, "--invite", INVITE)
    policy = stage.data_dir / "policy.json"
    policy.write_text(json.dumps({"guilds": [{"id": LIGHTHOUSE.id, "any_role": [KEEPER]}]}))
    back = f"{stage.sample}/lamp"
    stage.broker(
        "clients", "add", "Lamp Log", "--client-id", "lamp", "--public", "--redirect-uri", back,
        "--policy", str(policy),
    )  # fmt: skip
    asked = {
        "client_id": "lamp",
        "response_type": "code",
        "redirect_uri": back,
        "scope": "openid profile",
        "state": "lit",
        "code_challenge": challenge_of("v" * 43),
        "code_challenge_method": "S256",
    }
    return f"{stage.issuer}/authorize?{urlencode(asked)}"


async def refused(page: Page, address: str) -> None:
    """Sign in as somebody new who is in no guild, and be refused."""
    await page.goto(address)
    await approve_at_discord(page, member=False)
    await expect(page.get_by_role("heading", level=1)).to_have_text("You cannot use Lamp Log yet")


async def at_discord(page: Page, stage: Stage, button: str) -> None:
    """Press a button of the guild's page at the simulated Discord, in another tab."""
    tab = await page.context.new_page()
    await tab.goto(f"{stage.discord}/guilds/{LIGHTHOUSE.id}")
    await tab.get_by_role("button", name=button).click()
    await expect(tab.get_by_role("status")).to_be_visible()
    await tab.close()


async def test_a_person_does_what_the_page_says(page: Page, stage: Stage, address: str) -> None:
    """Join, get the role, check again: each time the page says what is left, then it lets in."""
    await refused(page, address)
    await expect(page.get_by_text("You need to be a member of The Lighthouse.")).to_be_visible()
    join = page.get_by_role("link", name="Join The Lighthouse")
    await expect(join).to_have_attribute("href", INVITE)
    await look(page, "access-refused-member")
    await at_discord(page, stage, f"Put {NAME} into the server")
    await page.get_by_role("button", name="Check again").click()
    await expect(page.get_by_text("You need the role Keeper in The Lighthouse.")).to_be_visible()
    await expect(join).to_have_count(0)
    await look(page, "access-refused-role")
    await at_discord(page, stage, f"Keeper: give to {NAME}")
    await page.get_by_role("button", name="Check again").click()
    await allow(page)
    await page.wait_for_url(re.compile(r"/lamp\?"))
    assert parse_qs(urlsplit(page.url).query).keys() >= {"code", "state", "iss"}


async def test_a_person_goes_back(page: Page, stage: Stage, address: str) -> None:
    """The app hears access_denied, and not before."""
    await refused(page, address)
    await page.get_by_role("button", name="Back to Lamp Log").click()
    await page.wait_for_url(re.compile(r"/lamp\?"))
    told = parse_qs(urlsplit(page.url).query)
    assert (told["error"], told["state"]) == (["access_denied"], ["lit"])


async def test_another_account(page: Page, stage: Stage, address: str) -> None:
    """Somebody else may be let in, or be somebody known: Discord asks who it is."""
    await refused(page, address)
    await page.get_by_role("button", name="Use another account").click()
    await expect(page).to_have_url(re.compile(re.escape(stage.discord)))
