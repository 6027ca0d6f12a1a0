"""Pages of a demonstration: the simulated Discord's, and of apps that people have signed in to."""

from urllib.parse import urlencode

from playwright.async_api import Page, expect

from broker.demo.discord.cast import LIGHTHOUSE
from broker.demo.run import CALLBACK_PATH, DISCORD_CLIENT_ID
from tests.browser.conftest import Stage
from tests.gallery.console import Look

SCOPE = "identify email guilds guilds.members.read"


async def discord(origin: str, callback: str, page: Page, look: Look) -> None:
    """Walk through the simulated Discord; whoever authorizes comes back to the callback."""
    asked = {
        "client_id": DISCORD_CLIENT_ID,
        "response_type": "code",
        "redirect_uri": callback,
        "scope": SCOPE,
        "state": "s",
    }
    address = f"{origin}/oauth2/authorize"
    await page.goto(origin)
    await look(page, "discord-home")
    await page.goto(f"{origin}/guilds/{LIGHTHOUSE.id}")
    await look(page, "discord-guild")
    await page.goto(f"{address}?{urlencode(asked | {'client_id': '1'})}")
    await look(page, "discord-error")
    await page.goto(f"{address}?{urlencode(asked)}")
    await page.get_by_text("Make somebody new").click()
    await look(page, "discord-pick")
    await page.get_by_role("button", name="Ben Okafor").click()
    await look(page, "discord-approve")
    await page.get_by_role("button", name="Authorize").click()
    await page.goto(f"{origin}/apps")
    await look(page, "discord-apps")


async def apps(stage: Stage, page: Page, look: Look) -> None:
    """Sign in to the sample app, and to the page that explains a sign-in."""
    await page.goto(stage.sample)
    await page.get_by_role("button", name="Sign in with Discord").wait_for()
    await look(page, "sample")
    await page.get_by_role("button", name="Sign in with Discord").click()
    await page.get_by_role("button", name="Ada Lindqvist").click()
    await page.get_by_role("button", name="Authorize").click()
    await page.get_by_role("button", name="Allow").click()
    await expect(page.locator("#person-name")).to_have_text("Ada Lindqvist")
    await page.get_by_label("New note").fill("The lamp needs oil before Friday")
    await page.get_by_role("button", name="Add").first.click()
    for name in ("Refresh tokens", "Call the API"):
        await page.get_by_role("button", name=name).click()
    await expect(page.get_by_text("The API verified the token")).to_be_visible()
    await look(page, "sample-inside")
    await page.goto(f"{stage.sample}/callback?code=c&state=foreign")
    await page.get_by_role("alert").wait_for()
    await look(page, "sample-problem")
    await page.goto(f"{stage.issuer}/docs/try")
    await page.get_by_role("button", name="Prepare a sign-in").click()
    await look(page, "try-prepared")
    await page.get_by_role("link", name="Go there and sign in").click()
    await page.get_by_role("button", name="Allow").click()
    await expect(page.get_by_role("heading", name="Userinfo")).to_be_visible()
    await look(page, "try-walked")


async def at_discord(stage: Stage, page: Page, look: Look) -> None:
    """Walk through the simulated Discord of a demonstration."""
    await discord(stage.discord, f"{stage.issuer}{CALLBACK_PATH}", page, look)
