"""A person's decision while SQL is out of reach."""

from pathlib import Path

from tests.protocol.checks import answered, is_page
from tests.protocol.harness import Shelf, begin
from tests.protocol.known import THIRD


async def test_decision_is_not_lost(shared: Shelf, tmp_path: Path) -> None:
    """The page that says to try again leads back to the same sign-in, which then succeeds."""
    async with begin(shared, tmp_path) as world:
        app, browser = world.app(THIRD), world.browser()
        page = await browser.arrive(app)
        database, aside = tmp_path / "broker.db", tmp_path / "aside"
        await world.sql.engine.dispose()
        database.rename(aside)
        database.mkdir()
        answer = await browser.decide(page, "allow")
        assert "/interaction?request=" in is_page(answer, 503)
        database.rmdir()
        aside.rename(database)
        again = await browser.http.get(str(page.url))
        answered(await browser.decide(again, "allow"), app)
