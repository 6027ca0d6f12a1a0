"""A header that has proven a client proves it again, and nothing that has changed since."""

import base64
from dataclasses import replace

import pytest

from broker.core import clients
from broker.core.clients import authenticate
from broker.core.errors import InvalidClient, InvalidRequest
from broker.core.model import Client
from broker.core.proven import ProvenHeaders
from tests.core.helpers import NOW, Known, kept, params

APP = Client(
    "app", "App", auth_method="client_secret_basic", secrets=(kept("new"), kept("old", NOW + 10))
)
PUBLIC = Client("open", "Open")


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Door:
    """Clients that may be edited, and what was proven to them."""

    def __init__(self) -> None:
        self.known = Known(APP, PUBLIC)
        self.proven = ProvenHeaders()

    async def prove(self, header: str, now: float = NOW, **named: str) -> Client:
        return await authenticate(self.known, params(**named), header, now=now, proven=self.proven)


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Whose secrets were compared."""
    seen: list[object] = []
    same = clients._proven
    monkeypatch.setattr(clients, "_proven", lambda *all: seen.append(all[0]) or same(*all))
    return seen


async def test_a_header_is_judged_once(judged: list[object]) -> None:
    """Then it is a look, whatever else is in the request; another header is judged itself."""
    door = Door()
    for _ in range(3):
        assert await door.prove(basic("app", "new")) is APP
    assert await door.prove(basic("app", "new"), client_id="app") is APP
    assert judged == [APP]
    assert await door.prove(basic("app", "old")) is APP
    assert judged == [APP, APP]


@pytest.mark.parametrize(
    "edited", [{"disabled": True}, {"secrets": ()}, {"secrets": (kept("other"),)}]
)
async def test_an_edit_counts_at_once(edited: dict[str, object]) -> None:
    """A client that was switched off or has another secret is not proven by the former one."""
    door = Door()
    await door.prove(basic("app", "new"))
    door.known = Known(replace(APP, **edited))
    with pytest.raises(InvalidClient):
        await door.prove(basic("app", "new"))
    door.known = Known()
    with pytest.raises(InvalidClient):
        await door.prove(basic("app", "new"))


async def test_a_secret_ends_when_it_ends() -> None:
    """Not a moment later; the other one goes on."""
    door = Door()
    for secret in ("new", "old"):
        assert await door.prove(basic("app", secret), NOW + 9) is APP
    with pytest.raises(InvalidClient):
        await door.prove(basic("app", "old"), NOW + 10)
    assert await door.prove(basic("app", "new"), NOW + 10) is APP


async def test_what_is_wrong_stays_wrong(judged: list[object]) -> None:
    """Nothing is kept of it, and a proven header excuses nothing else in a request."""
    door = Door()
    for _ in range(2):
        with pytest.raises(InvalidClient):
            await door.prove(basic("app", "wrong"))
    assert len(judged) == 2
    await door.prove(basic("app", "new"))
    for named in ({"client_id": "open"}, {"client_secret": "new"}, {"client_assertion": "x"}):
        with pytest.raises(InvalidRequest):
            await door.prove(basic("app", "new"), **named)
    with pytest.raises(InvalidClient):
        await door.prove(basic("app", "new").lower())


async def test_no_secret_is_kept() -> None:
    """Neither it nor its header: a digest, for a bounded number of them."""
    door = Door()
    door.proven = ProvenHeaders(size=2)
    await door.prove(basic("app", "new"))
    for blanks in range(1, 4):
        await door.prove(basic("app", "new").replace(" ", " " * blanks))
    assert len(door.proven._kept) == 2
    assert all(len(key) == 32 for key in door.proven._kept)
