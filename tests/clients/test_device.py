"""npm's openid-client as a device without a browser (RFC 8628)."""

from pathlib import Path

import httpx2
import pytest

from broker.demo.discord.driver import approve
from broker.demo.forms import Form, read_forms
from tests.clients.conftest import NodeProgram
from tests.running import RunningBroker

pytestmark = pytest.mark.node


async def test_a_device(
    broker: RunningBroker, node_folder: Path, browser: httpx2.AsyncClient
) -> None:
    """It polls while a person enters the code it shows, and accepts every answer; then a no."""
    words = ("--public", "--native", "--grant", "device refresh")
    client_id = broker.cli("clients", "add", "Television", *words)["client_id"]
    arguments = {"issuer": broker.issuer, "clientId": client_id}
    with NodeProgram(node_folder, "openid_client_device.mjs", arguments) as program:
        started = program.hear()
        assert started["verification_uri_complete"].endswith(started["user_code"])
        end = await decide(broker, browser, started, "allow")
        assert "go back to your device" in end.text
        seen = program.hear()
        end = await decide(broker, browser, program.hear(), "deny")
        assert "was not connected" in end.text
        program.tell({})
        assert program.hear() == {"error": "access_denied"}
    assert seen["claims"]["aud"] == client_id
    assert seen["person"]["sub"] == seen["claims"]["sub"] == seen["refreshed"]


async def decide(
    broker: RunningBroker, browser: httpx2.AsyncClient, started: dict[str, str], decision: str
) -> httpx2.Response:
    """Follow the link, compare, sign in where asked, and decide; returns the last page."""
    page = await browser.get(started["verification_uri_complete"])
    page = await follow(broker, browser, await press(browser, page))
    assert started["user_code"] in page.text
    return await follow(broker, browser, await press(browser, page, "decision", decision))


async def press(
    browser: httpx2.AsyncClient, page: httpx2.Response, name: str = "", value: str = ""
) -> httpx2.Response:
    form: Form = read_forms(page.text, str(page.url))[0]
    fields = form.pressed(name, value) if name else dict(form.fields)
    return await browser.post(form.action, data=fields, follow_redirects=False)


async def follow(
    broker: RunningBroker, browser: httpx2.AsyncClient, answer: httpx2.Response
) -> httpx2.Response:
    """Follow redirects to the next page of ours, approving at Discord."""
    while answer.is_redirect:
        target = str(answer.url.join(answer.headers["location"]))
        if target.startswith(f"{broker.discord_origin}/"):
            target = await approve(browser, target, "ada.lindqvist")
        answer = await browser.get(target, follow_redirects=False)
    return answer
