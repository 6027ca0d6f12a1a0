"""A person connects a device without a browser of its own, in a real browser."""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from playwright.async_api import Page, expect

from broker.core.vocabulary import GRANT_DEVICE
from tests.browser.conftest import Stage
from tests.browser.steps import allow, approve_at_discord, look, sign_in

pytestmark = [pytest.mark.chromium, pytest.mark.slow]


@dataclass
class Television:
    """A device: it asks for a code, shows it, and polls."""

    http: httpx2.AsyncClient
    client_id: str
    told: dict[str, Any]

    @property
    def code(self) -> str:
        found: str = self.told["user_code"]
        return found

    async def poll(self) -> httpx2.Response:
        fields = {
            "grant_type": GRANT_DEVICE,
            "client_id": self.client_id,
            "device_code": self.told["device_code"],
        }
        return await self.http.post("/token", data=fields)


@pytest.fixture(scope="module")
def client_id(stage: Stage) -> str:
    """An app for televisions, registered with the running demonstration."""
    words = ("clients", "add", "Lantern TV", "--native", "--grant", "device refresh", "--json")
    made: dict[str, Any] = json.loads(stage.broker(*words))
    return str(made["client_id"])


@pytest.fixture
async def television(stage: Stage, client_id: str) -> Any:
    """One that has asked for a code."""
    async with httpx2.AsyncClient(base_url=stage.issuer, trust_env=False) as http:
        fields = {"client_id": client_id, "scope": "openid profile email offline_access"}
        answer = await http.post("/device_authorization", data=fields)
        assert answer.status_code == 200, answer.text
        yield Television(http, client_id, answer.json())


async def test_a_device_is_connected(page: Page, stage: Stage, television: Television) -> None:
    """The device polls, a person types its code and allows, the tokens arrive; pages pass axe."""
    waiting = await television.poll()
    assert waiting.json()["error"] == "authorization_pending"
    await page.goto(television.told["verification_uri"])
    await look(page, "device-empty")
    field = page.get_by_label("Code")
    await expect(field).to_be_focused()
    await field.fill(television.code.replace("-", " ").lower())
    await field.press("Enter")
    await approve_at_discord(page)
    await expect(page.get_by_text(television.code)).to_be_visible()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Lantern TV")
    await look(page, "device-consent")
    await allow(page)
    await expect(page.get_by_role("heading", level=1)).to_contain_text("go back to your device")
    await look(page, "device-done")
    answer = await television.poll()
    assert answer.status_code == 200, answer.text
    tokens = answer.json()
    headers = {"authorization": f"Bearer {tokens['access_token']}"}
    userinfo = await television.http.get("/userinfo", headers=headers)
    assert userinfo.json()["email"] == "mina@example.org"
    assert tokens["id_token"]
    assert tokens["refresh_token"]


async def test_a_link_is_compared_first(page: Page, stage: Stage, television: Television) -> None:
    """With the code in the link, nothing happens before the person has compared it twice."""
    await sign_in(page, stage)
    await page.goto(television.told["verification_uri_complete"])
    await expect(page.get_by_label("Code")).to_have_value(television.code)
    await look(page, "device-link")
    assert (await television.poll()).json()["error"] == "authorization_pending"
    await page.get_by_role("button", name="Yes, go on").click()
    await expect(page.get_by_text(television.code)).to_be_visible()
    await page.get_by_role("button", name="Cancel").click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("not connected")
    await look(page, "device-denied")
    assert (await television.poll()).json()["error"] == "access_denied"


async def test_wrong_codes(page: Page, stage: Stage) -> None:
    """A wrong code is told beside its field; after a handful there is a pause."""
    await page.goto(f"{stage.issuer}/device")
    await page.get_by_label("Code").fill("AEIOU")
    await page.get_by_role("button", name="Go on").click()
    await expect(page.get_by_role("alert")).to_contain_text("eight letters")
    for number in range(6):
        await page.get_by_label("Code").fill(f"BBBB-BBB{'BCDFGH'[number]}")
        await page.get_by_role("button", name="Go on").click()
        if number == 0:
            await expect(page.get_by_role("alert")).to_contain_text("No device is waiting")
            await look(page, "device-wrong")
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Too many wrong codes")
    await look(page, "device-pause")


async def test_the_qr_code_shows(page: Page, stage: Stage, television: Television) -> None:
    """The picture is one that a device can show on a page of its own, large enough to scan."""
    path = urlsplit(television.told["verification_uri_qr"]).path
    await page.set_content(f'<img alt="code" width="200" src="{stage.issuer}{path}">')
    picture = page.get_by_alt_text("code")
    await expect(picture).to_have_js_property("complete", value=True)
    assert await picture.evaluate("one => one.naturalWidth") > 0
    box = await picture.bounding_box()
    assert box is not None
    assert (box["width"], box["height"]) == (200, 200)
