"""The figures of ``deploy/sizing.md`` that can be held, are."""

import re
from pathlib import Path

import pytest
from pytest import approx

from tests.protocol.actors import App, Browser
from tests.protocol.harness import World

PAGE = Path(__file__).parents[2] / "deploy" / "sizing.md"
EXPIRY = 48  # bytes of a key's entry in the table of expiries, which MEMORY USAGE leaves out
AS_TOLD = 0.15


def told(what: str) -> int:
    """Return the bytes that the page tells of something."""
    found = re.search(rf"^\| Redis, {what} \| ([\d,]+) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert found, what
    return int(found[1].replace(",", ""))


async def weigh(world: World) -> dict[str, int]:
    """Return the bytes of each kind of key that Redis holds."""
    found: dict[str, int] = {}
    async for key in world.redis.scan_iter():
        kind = key.partition("}:")[2].partition(":")[0]
        size = await world.redis.memory_usage(key, samples=0)
        found[kind] = found.get(kind, 0) + int(size or 0) + EXPIRY
    return found


@pytest.mark.redis_server  # older ones keep small records less compactly
async def test_people_weigh_what_the_page_says(world: World, browser: Browser, app: App) -> None:
    """Facts, a session and a grant of one person in Redis, within 15 %; refreshing adds nothing."""
    tokens = await browser.tokens(app)
    await world.advance(300)
    found = await weigh(world)
    rest = found["session"] + found["grant"] + found["index"]
    assert found["facts"] == approx(told("facts"), rel=AS_TOLD)
    assert rest == approx(told("session") + told("grant"), rel=AS_TOLD)
    assert told("grant") <= 1000
    for _ in range(30):
        await world.advance(60)
        tokens = (await app.refresh(tokens["refresh_token"])).json()
    later = await weigh(world)
    assert later["index"] == found["index"]
    assert later["grant"] <= found["grant"] + 32
