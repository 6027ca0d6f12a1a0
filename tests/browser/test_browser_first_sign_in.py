"""From an empty machine to the first sign-in: ``broker init`` and the console alone."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import pytest
from playwright.async_api import Browser, Page, Route, expect

from broker.demo.discord import SimulatedDiscord
from broker.demo.discord.app import serve_in_thread
from broker.demo.run import DISCORD_CLIENT_ID, DISCORD_CLIENT_SECRET, discord_application
from tests.app.served import Served
from tests.browser.operating import NAME, be, become_operator

pytestmark = [pytest.mark.chromium, pytest.mark.slow]
APP = "https://app.example.org/callback"
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"  # RFC 7636, Appendix B
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Served]:
    """A machine that knows where its Discord is, and nothing else of a broker."""
    simulated = SimulatedDiscord()
    with serve_in_thread(simulated) as origin:
        served = Served(
            tmp_path / "data",
            settings=tmp_path / "broker.toml",
            discord_api_url=f"{origin}/api/v10",
            discord_authorize_url=f"{origin}/oauth2/authorize",
            discord_cdn_url=origin,
        )
        for name in ("BROKER_DISCORD_CLIENT_ID", "BROKER_DISCORD_CLIENT_SECRET"):
            del served.environment[name]
        simulated.add_application(discord_application(f"http://localhost:{served.port}"))
        try:
            yield served
        finally:
            served.close()


def init(machine: Served, folder: Path, issuer: str) -> None:
    """Write the settings file, asked nothing."""
    (folder / "secret").write_text(DISCORD_CLIENT_SECRET)
    words = ["--discord-client-id", DISCORD_CLIENT_ID, "--discord-secret-file", folder / "secret"]
    settings = machine.environment.pop("BROKER_SETTINGS")
    done = machine.run("init", settings, "--yes", "--console", "--issuer", issuer, *words)
    machine.environment["BROKER_SETTINGS"] = settings
    assert done.returncode == 0, done.stderr
    assert f"{issuer}/admin" in done.stdout
    assert "broker accounts grant-operator WHO" in done.stdout


async def register(page: Page, issuer: str) -> None:
    """A single-page app, in the console."""
    await page.get_by_role("link", name="Apps", exact=True).click()
    await page.get_by_role("link", name="Register an app").click()
    await page.get_by_label("client_id", exact=True).fill("first")
    await page.get_by_label("Name", exact=True).fill("First app")
    await page.get_by_label("Proves itself by").select_option("none")
    await page.get_by_label("Redirect URIs").fill(APP)
    await page.get_by_role("button", name="Register").click()
    await expect(page.get_by_role("status")).to_contain_text("First app is registered")
    assert page.url.startswith(f"{issuer}/admin/clients")


async def test_from_an_empty_machine_to_the_first_sign_in(
    machine: Served, tmp_path: Path, page: Page, chromium: Browser
) -> None:
    """Settings, server, operator, passkey, app; then somebody signs in, and the app has tokens."""
    issuer = f"http://localhost:{machine.port}"
    init(machine, tmp_path, issuer)
    machine.start()
    await become_operator(
        page, issuer, lambda: machine.run("accounts", "grant-operator", NAME, "--json").stdout
    )
    await register(page, issuer)
    context = await chromium.new_context()
    person, arrived = await context.new_page(), []

    async def arrive(route: Route) -> None:
        arrived.append(route.request.url)
        await route.fulfill(body="signed in")

    await person.route(f"{APP}*", arrive)
    asked = {"client_id": "first", "redirect_uri": APP, "response_type": "code", "state": "s",
             "scope": "openid profile", "code_challenge": CHALLENGE,
             "code_challenge_method": "S256"}  # fmt: skip
    await person.goto(f"{issuer}/authorize?{urlencode(asked)}")
    await be(person, "Ben Okafor")
    await person.get_by_role("button", name="Allow").click()
    await expect(person.get_by_text("signed in")).to_be_visible()
    await context.close()
    answer = parse_qs(urlsplit(arrived[-1]).query)
    async with httpx2.AsyncClient(trust_env=False) as http:
        fields = {"grant_type": "authorization_code", "code": answer["code"][0],
                  "redirect_uri": APP, "client_id": "first", "code_verifier": VERIFIER}  # fmt: skip
        tokens = await http.post(f"http://127.0.0.1:{machine.port}/token", data=fields)
        assert tokens.status_code == 200, tokens.text
        token = tokens.json()["access_token"]
        person_is = await http.get(
            f"http://127.0.0.1:{machine.port}/userinfo",
            headers={"authorization": f"Bearer {token}"},
        )
    assert person_is.json()["name"] == "Ben Okafor"
