"""A Discord Activity, copied from its page for developers, in a frame inside Discord."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, Error, Frame, Page, expect

from broker.demo.discord import Fault
from broker.demo.discord.cast import LIGHTHOUSE
from broker.demo.discord.people import Person
from broker.demo.run import DISCORD_CLIENT_ID, DISCORD_CLIENT_SECRET
from broker.web.docs.render import snippets
from broker.web.docs.stacks import API
from tests.browser.discord_client import PROXIED, DiscordClient
from tests.faults.waiting import eventually
from tests.guide.sites import node_modules, node_site, port_of, registered, serving
from tests.outer import need
from tests.ports import free_port
from tests.running import RunningBroker

pytestmark = [pytest.mark.chromium, pytest.mark.node, pytest.mark.slow]

ACTIVITY = Path(__file__).parent / "activity"
MEMBERS = 'scope: ["identify", "guilds.members.read"]'


@dataclass(frozen=True, slots=True)
class Stand:
    """The broker, the Activity's server, and the files of the page."""

    broker: RunningBroker
    address: str
    dist: Path
    verify: Callable[..., dict[str, Any]]

    @property
    def log(self) -> Path:
        """What its server has said."""
        return self.dist.parent / "site.log"

    def newcomer(self) -> Person:
        """Somebody new at Discord, who is nowhere a member."""
        return self.broker.discord.add_person(f"nell.{self.broker.discord.token_bytes(4).hex()}")

    def lets_in(self) -> bool:
        """Whether the Activity's server signs in somebody new."""
        person = self.newcomer()
        code = self.broker.discord.issue_code(DISCORD_CLIENT_ID, person.id, "", ["identify"])
        asked = f"{self.address}/api/signin"
        return httpx2.post(asked, json={"code": code}, trust_env=False).status_code == 200

    def rule(self, policy: Path | None) -> None:
        """Set the Activity's policy, or none, and wait until the running broker follows."""
        name = "" if policy is None else str(policy)
        self.broker.cli("clients", "edit", "my-activity", "--policy", name)
        eventually(lambda: self.lets_in() == (policy is None))


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """The page and its server as they are shown, with Discord's address replaced."""
    need("npm", "node")
    folder = node_modules(tmp_path_factory.mktemp("node"), ACTIVITY / "package.json")
    address = f"http://127.0.0.1:{free_port()}"
    with RunningBroker(tmp_path_factory.mktemp("broker")) as broker:
        files = snippets(issuer=broker.issuer, brand="x", discord_client_id=DISCORD_CLIENT_ID)
        client = registered(broker, files["register-activity.sh"])
        shown = '"https://discord.com/api/'
        assert shown in files["activity_server.mjs"]
        here = files["activity_server.mjs"].replace(shown, f'"{broker.discord_origin}/api/')
        site = node_site(folder, files | {"activity_server.mjs": here})
        secrets = {
            "CLIENT_SECRET": client["client_secret"],
            "DISCORD_CLIENT_SECRET": DISCORD_CLIENT_SECRET,
        }
        words = ["node", "serve.mjs", "activity", port_of(address)]
        with serving(words, site, address, **secrets):
            yield Stand(broker, address, _built(site, folder, files), _verifier(files))


def _built(site: Path, modules: Path, files: dict[str, str]) -> Path:
    """Make what a bundler would: the page, the files shown for it, and the SDK."""
    dist = site / "dist"
    dist.mkdir()
    (dist / "index.html").write_text((ACTIVITY / "index.html").read_text("utf-8"))
    (dist / "activity.js").write_text(files["activity.js"])
    (dist / "main.js").write_text(files["activity_main.js"])
    (dist / "mapping.js").write_text(files["activity_mapping.js"])
    sdk = modules / "node_modules" / "@discord" / "embedded-app-sdk" / "output"
    (dist / "sdk").symlink_to(sdk)
    return dist


def _verifier(files: dict[str, str]) -> Callable[..., dict[str, Any]]:
    """Return the check of tokens that the pages show for APIs."""
    module = ModuleType("tokens")
    exec(files["tokens.py"], module.__dict__)
    found: Callable[..., dict[str, Any]] = module.verify
    return found


@pytest_asyncio.fixture
async def client(stand: Stand) -> AsyncIterator[DiscordClient]:
    """Somebody's Discord client; the API answers whoever has a good token."""
    person = stand.newcomer()

    def api(path: str, authorization: str | None) -> tuple[int, Any]:
        assert authorization is not None
        claims = stand.verify(authorization, "openid")
        return 200, {"path": path, "token": authorization, "sub": claims["sub"]}

    # Reading the certificates for https would cost more than all that is asked.
    async with httpx2.AsyncClient(trust_env=False, verify=False, timeout=20) as onward:
        yield DiscordClient(stand.broker, person, stand.address, api, onward)
    stand.broker.discord.behave()


@pytest.fixture
def guarded(stand: Stand, tmp_path: Path) -> Iterator[Path]:
    """The page's script while none but the Lighthouse's people may use the Activity."""
    rule = tmp_path / "rule.json"
    rule.write_text(json.dumps({"guilds": [{"id": LIGHTHOUSE.id}]}))
    stand.rule(rule)
    script = stand.dist / "activity.js"
    text = script.read_text("utf-8")
    yield script
    script.write_text(text)
    stand.rule(None)


def activity(page: Page) -> Frame:
    """The Activity in its frame."""
    [found] = [frame for frame in page.frames if frame.url.startswith(PROXIED)]
    return found


async def told(page: Page) -> dict[str, Any]:
    """What the API said, once it is on the page."""
    shown = page.frame_locator("#activity").locator("#told")
    await expect(shown).to_contain_text("sub")
    found: dict[str, Any] = json.loads(await shown.inner_text())
    return found


async def launched(client: DiscordClient, context: BrowserContext, press: str) -> Page:
    """Launch the Activity and press a button of the question whether to allow it."""
    page = await client.open(context)
    await page.get_by_role("button", name=press).click()
    return page


async def shows(page: Page, words: str) -> None:
    """Wait until the Activity tells the person something."""
    await expect(page.frame_locator("#activity").locator("#told")).to_have_text(words)


async def try_again(page: Page) -> None:
    """Press the Activity's own button."""
    await page.frame_locator("#activity").get_by_role("button", name="Try again").click()


async def test_an_activity_signs_in_and_calls_its_api(
    stand: Stand, context: BrowserContext, client: DiscordClient
) -> None:
    """Discord's code becomes a token of ours that an API verifies by the JWKS; without a cookie.

    Who has allowed it is not asked again at the next launch.
    """
    page = await launched(client, context, "Authorize")
    said = await told(page)
    accounts = stand.broker.cli("accounts", "list")
    assert said["sub"] in {account["sub"] for account in accounts}
    assert said["path"] == "/orders"
    assert client.asked == ["/api/signin", "/service/orders"]
    assert await page.evaluate("heard") == ["HANDSHAKE", "AUTHORIZE", "AUTHENTICATE"]
    again = await told(await client.open(context))
    assert again["sub"] == said["sub"]
    assert again["token"] != said["token"]
    assert (client.cookies, client.cut, await context.cookies()) == ([], [], [])


async def test_it_renews_its_token_and_gives_it_back(
    stand: Stand, context: BrowserContext, client: DiscordClient
) -> None:
    """Two calls at once renew once; leaving ends the grant and closes the frame, silently."""
    page = await launched(client, context, "Authorize")
    before = await told(page)
    frame = activity(page)
    await frame.evaluate("() => { const now = Date.now; Date.now = () => now() + 280_000; }")
    twice = """async () => {
        const { call } = await import("/activity.js");
        const answers = await Promise.all([call("/a"), call("/b")]);
        return Promise.all(answers.map((answer) => answer.json()));
    }"""
    after = await frame.evaluate(twice)
    assert client.asked[2:] == ["/api/renew", "/service/a", "/service/b"]
    assert {one["sub"] for one in after} == {before["sub"]}
    [newer] = {one["token"] for one in after}
    assert newer != before["token"]
    userinfo = f"{stand.broker.issuer}/userinfo"
    held = {"Authorization": newer}
    assert httpx2.get(userinfo, headers=held, trust_env=False).status_code == 200
    await page.frame_locator("#activity").get_by_role("button", name="Leave").click()
    await expect(page.get_by_role("status")).to_have_text("Closed")
    assert httpx2.get(userinfo, headers=held, trust_env=False).status_code == 401


async def test_the_sandbox_lets_it_reach_what_is_mapped_alone(
    stand: Stand, context: BrowserContext, client: DiscordClient
) -> None:
    """Not the broker; its API by the API's own address, once that is led through the mapping."""
    page = await launched(client, context, "Authorize")
    before = await told(page)
    frame = activity(page)
    for address in (f"{stand.broker.issuer}/token", f"{API}/orders"):
        with pytest.raises(Error, match="Failed to fetch"):
            await frame.evaluate("address => fetch(address)", address)
    assert client.cut == [], "the policy has stopped it, before anything went out"
    led = """async ([address, token]) => {
        await import("/mapping.js");
        const headers = { Authorization: token };
        return (await fetch(address, { headers })).json();
    }"""
    said = await frame.evaluate(led, [f"{API}/orders", before["token"]])
    assert said == before


async def test_the_person_reads_why_and_may_try_again(
    context: BrowserContext, client: DiscordClient
) -> None:
    """Declined: there is no code, and the server hears nothing. A code that has run out: 401."""
    page = await launched(client, context, "Cancel")
    await shows(page, "You did not allow it. Please try again.")
    assert client.asked == []
    client.late = True
    await try_again(page)
    await page.get_by_role("button", name="Authorize").click()
    await shows(page, "That took too long. Please try again.")
    client.late = False
    await try_again(page)
    await told(page)


async def test_while_discord_is_down_the_person_is_told_to_wait(
    stand: Stand, context: BrowserContext, client: DiscordClient
) -> None:
    """Whether its server or the broker meets the trouble, and though Discord answers in HTML."""
    wait = "That does not work right now. Please try again later."
    stand.broker.discord.misbehave("/oauth2/token", Fault("html", status=503))
    page = await launched(client, context, "Authorize")
    await shows(page, wait)
    stand.broker.discord.behave()
    stand.broker.discord.misbehave("/users/@me", Fault("html", status=503))
    async with page.expect_request("**/api/signin"):
        await try_again(page)
    await shows(page, wait)
    stand.broker.discord.behave()
    await try_again(page)
    await told(page)


async def test_a_rule_of_the_guild_decides(
    stand: Stand, context: BrowserContext, client: DiscordClient, guarded: Path
) -> None:
    """Who is not in it reads that they may not; who is, with the scope that tells, gets in."""
    shown = 'scope: ["identify"]'
    text = guarded.read_text("utf-8")
    assert shown in text
    page = await launched(client, context, "Authorize")
    await shows(page, "That does not work right now. Please try again later.")
    assert "what has to be known" in stand.log.read_text("utf-8")
    guarded.write_text(text.replace(shown, MEMBERS))
    page = await launched(client, context, "Authorize")
    await shows(page, "You may not use this app.")
    stand.broker.discord.join(client.person.id, LIGHTHOUSE.id)
    await try_again(page)
    await told(page)
