"""The device grant at the edge: pages, the picture, and whose guess it is."""

from dataclasses import replace

import pytest

from broker.core import errors as e
from broker.core.outcomes import DeviceCodePage, DeviceDonePage, Redirect
from tests.web import fakes
from tests.web.client import edge
from tests.web.test_pages import EVIL, HOSTILE

ASKED = DeviceCodePage("csrf-1", browser="browser-1")
LINKED = DeviceCodePage("csrf-1", "BCDF-GHJK", linked=True)
WRONG = DeviceCodePage("csrf-1", "BCDF-GHJK", problem="No device is waiting with this code.")
CONSENT = replace(fakes.CONSENT, user_code="BCDF-GHJK")
CAUTION = "Only go on if you started this yourself, on a device of yours."


async def shown(outcome, path: str = "/device", status: int = 200) -> str:
    """Return a page."""
    async with edge(fakes.Core(outcome)) as client:
        answer = await client.get(path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return answer.text


@pytest.mark.parametrize(
    ("outcome", "path", "status"),
    [
        (ASKED, "/device", 200),
        (LINKED, "/device", 200),
        (WRONG, "/device", 400),
        (CONSENT, "/interaction?request=r", 200),
        (DeviceDonePage(fakes.APP, approved=True), "/device/done", 200),
        (DeviceDonePage(None, denied=True), "/device/done", 200),
        (DeviceDonePage(None), "/device/done", 200),
        (e.TooManyTries(90), "/device/done", 429),
    ],
)
async def test_pages_are_whole(outcome, path: str, status: int) -> None:
    """Each page has a language, a title, one main heading and a landmark, and nothing inline."""
    text = await shown(outcome, path, status)
    assert text.startswith("<!doctype html>")
    assert "· Token Broker</title>" in text
    assert text.count("<h1") == text.count("<main") == 1
    assert "style=" not in text
    assert "<script" not in text
    assert len(text) < 18_000


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (DeviceCodePage(HOSTILE, HOSTILE, HOSTILE), 400),
        (DeviceDonePage(EVIL, approved=True), 200),
        (DeviceDonePage(EVIL, denied=True), 200),
    ],
)
async def test_hostile_names_stay_text(outcome, status: int) -> None:
    """Nothing that others choose becomes markup."""
    path = "/device" if isinstance(outcome, DeviceCodePage) else "/device/done"
    text = await shown(outcome, path, status)
    assert "<script" not in text
    assert "<img" not in text
    assert "5444439" not in text


async def test_a_code_from_a_link_has_to_be_compared() -> None:
    """It stands in the field, and the caution before the buttons."""
    text = await shown(LINKED)
    assert 'value="BCDF-GHJK"' in text
    assert text.index(CAUTION) < text.index("<button")
    assert "No, stop here" in text
    assert CAUTION in await shown(ASKED)


async def test_the_page_that_asks_names_app_and_code() -> None:
    """RFC 8628 §5.4: what is connected to what, and what to compare."""
    text = await shown(CONSENT, "/interaction?request=r")
    for words in ("Connect your device to Lantern Board?", "BCDF-GHJK", CAUTION, "Ada Lindqvist"):
        assert words in text
    assert "Either way you go back" not in text
    usual = await shown(fakes.CONSENT, "/interaction?request=r")
    assert CAUTION not in usual


async def test_a_wrong_code_is_told_beside_its_field() -> None:
    """Also to who does not see the page."""
    text = await shown(WRONG, status=400)
    assert 'aria-invalid="true"' in text
    assert 'aria-describedby="problem"' in text
    assert 'role="alert"' in text


async def test_the_binding_cookie_is_set_once() -> None:
    """A new browser gets one with the page; one that has it keeps it."""
    async with edge(fakes.Core(ASKED)) as client:
        answer = await client.get("/device")
    assert answer.headers["set-cookie"].startswith("__Host-broker_browser=browser-1;")
    async with edge(fakes.Core(LINKED)) as client:
        assert "set-cookie" not in (await client.get("/device")).headers


async def test_forms_may_lead_to_discord() -> None:
    """Chromium holds the redirects after a form to form-action too."""
    async with edge(fakes.Core(ASKED)) as client:
        policy = (await client.get("/device")).headers["content-security-policy"]
    assert policy.endswith("form-action 'self' https://discord.com")


@pytest.mark.parametrize(
    ("forwarded", "proxies", "guesser"),
    [
        (None, (), "192.0.2.7"),
        ("203.0.113.9", (), "192.0.2.7"),
        ("203.0.113.9", ("192.0.2.0/24",), "203.0.113.9"),
        ("198.51.100.1, 203.0.113.9", ("192.0.2.0/24",), "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", ("192.0.2.7",), "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.9", ("192.0.2.7",), "203.0.113.9"),
    ],
)
async def test_whose_guess_it_is(forwarded: str | None, proxies, guesser: str) -> None:
    """Forwarded headers count from trusted proxies alone; of IPv6 a network is one person's."""
    core = fakes.Core(Redirect("/interaction?request=r"))
    headers = {"x-forwarded-for": forwarded} if forwarded else {}
    async with edge(core, trusted_proxies=proxies) as client:
        answer = await client.post("/device", data={"user_code": "x"}, headers=headers)
    assert answer.status_code == 303
    assert [call[3] for call in core.calls] == [guesser]


async def test_a_pause_says_how_long() -> None:
    """For people in words, for programs in seconds."""
    async with edge(fakes.Core(e.TooManyTries(61))) as client:
        answer = await client.post("/device", data={"user_code": "x"})
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "61")
    assert "Wait 2 minutes" in answer.text


async def test_the_picture() -> None:
    """Dark on white with a margin, for any page to show, kept by nobody; drawn by no core."""
    core = fakes.Core()
    async with edge(core) as client:
        answer = await client.get("/device/qr/BCDF-GHJK.svg")
        head = await client.head("/device/qr/BCDF-GHJK.svg")
        missing = await client.get("/device/qr/nothing.svg")
    assert answer.headers["content-type"] == "image/svg+xml"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert answer.headers["cache-control"] == "no-store"
    assert 'fill="#fff"' in answer.text
    assert 'stroke="#000"' in answer.text
    assert head.headers["content-length"] == answer.headers["content-length"]
    assert missing.status_code == 404
    assert core.calls == []
