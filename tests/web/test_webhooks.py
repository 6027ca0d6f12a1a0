"""Where Discord posts its events: bytes go in, 204 or the same 401 comes out."""

import pytest

from broker.core.errors import StoreUnavailable, UnsignedEvent
from broker.core.events import Delivery
from broker.web.app import build
from tests.web import fakes
from tests.web.client import edge, part, raw

PATH = "/webhooks/discord"
SIGNED = {"x-signature-ed25519": "a1", "x-signature-timestamp": "17"}


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "", "x"])
async def test_the_body_arrives_byte_for_byte(kind: str) -> None:
    """Whatever it says it is: that is what was signed. The answer is empty."""
    core = fakes.Core()
    async with edge(core) as client:
        body = b'{"type": 0, "x": "\xff\x00"}'
        answer = await client.post(PATH, content=body, headers={**SIGNED, "content-type": kind})
    assert (answer.status_code, answer.content) == (204, b"")
    assert "content-length" not in answer.headers
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert core.calls == [("take", Delivery("a1", "17", body))]


async def test_headers_that_are_not_there() -> None:
    """Are handed on as empty: the core refuses."""
    core = fakes.Core()
    async with edge(core) as client:
        await client.post(PATH)
    assert core.calls == [("take", Delivery("", "", b""))]


async def test_a_refusal_says_nothing_of_its_reason() -> None:
    """401 and always the same body; why stands in the log alone."""
    bodies = []
    for reason in ("wrong signature", "no timestamp"):
        async with edge(fakes.Core(UnsignedEvent(private=reason))) as client:
            answer = await client.post(PATH, headers=SIGNED)
        assert answer.status_code == 401
        bodies.append(answer.content)
        assert answer.json() == {
            "error": "invalid_signature",
            "error_description": "The request is not signed by Discord for this application",
        }
    assert bodies[0] == bodies[1]


async def test_stores_that_are_away() -> None:
    """503: Discord comes again."""
    async with edge(fakes.Core(StoreUnavailable())) as client:
        answer = await client.post(PATH, headers=SIGNED)
    assert answer.status_code == 503


async def test_a_body_over_the_limit_is_read_no_further() -> None:
    """413, before any signature is looked at."""
    core = fakes.Core()
    app = build(fakes.services(core), fakes.config(body_limit=10))
    sent, _ = await raw(app, [part(b"x" * 6, more=True), part(b"x" * 6, more=True)], path=PATH)
    assert sent[0]["status"] == 413
    assert core.calls == []


async def test_without_a_key_there_is_nothing() -> None:
    """An address that would take anything, or refuse everything, is not there."""
    core = fakes.Core()
    async with edge(core, services={"events": None}) as client:
        assert (await client.post(PATH, headers=SIGNED)).status_code == 404
    assert core.calls == []
