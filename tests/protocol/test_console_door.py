"""The console's door without a browser: answers that no authenticator gives."""

import pytest

from tests.protocol.checks import hidden, is_page
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
