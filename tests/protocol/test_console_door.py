"""The console's door without a browser: answers that no authenticator gives."""

from typing import Any

import pytest

from broker.admin.door import Door
from tests.protocol.checks import hidden, is_page
from tests.protocol.known import BEN, FRONT
from tests.protocol.operating import Desk

DOOR = "/admin/enter"
BROKEN = ("", "null", "[]", "{", '{"id": 1}', '{"id": "a", "rawId": "a", "response": 1}')


@pytest.mark.parametrize("action", ["passkey", "enrol"])
@pytest.mark.parametrize("answer", [*BROKEN, "[" * 3000])
async def test_what_is_no_answer_of_a_passkey(desk: Desk, action: str, answer: str) -> None:
    """However broken: the door stays shut, says so, and remembers it."""
    page = await desk.http.get(DOOR, params={"with": "code"} if action == "enrol" else None)
    fields = {"csrf": hidden(page)["csrf"], "action": action, "credential": answer}
    told = is_page(await desk.http.post(DOOR, data=fields), 200)
    assert "no answer of a passkey of yours" in told
    assert len(await desk.world.audit("operator.refused")) == 1


async def test_the_cookie_of_the_console() -> None:
    """It goes nowhere else: no script, no other site, no plain http; and it can be taken back."""
    unused: Any = None
    door = Door(unused, unused, unused, "__Host-broker_console", secure=True)
    name, value = door.cookie("v")
    assert name == b"set-cookie"
    assert value == b"__Host-broker_console=v; Path=/; HttpOnly; SameSite=Strict; Secure"
    assert door.cookie("")[1].endswith(b"; Secure; Max-Age=0")
    local = Door(unused, unused, unused, "broker_console", secure=False)
    assert b"Secure" not in local.cookie("v")[1]


async def test_nobody_fills_the_audit_log_by_being_refused(desk: Desk) -> None:
    """A few a minute are told, of each account; the next says how many were left out."""
    world, browser = desk.world, desk.world.browser()
    await browser.tokens(world.app(FRONT), BEN)
    for _ in range(12):
        is_page(await browser.http.get(DOOR), 403)
    assert len(await world.audit("operator.refused")) == 5
    other = world.browser()
    await other.tokens(world.app(FRONT), "chiyo")
    is_page(await other.http.get(DOOR), 403)
    assert len(await world.audit("operator.refused")) == 6
    await world.advance(61)
    is_page(await browser.http.get(DOOR), 403)
    told = await world.audit("operator.refused")
    assert told[0].event.detail == {"reason": "no operator", "left_out": 7}
    assert len(told) == 7
