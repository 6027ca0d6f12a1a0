"""What an answer costs: one Redis round trip and no SQL, while Redis has the facts."""

from broker.core.handles import Handles
from tests.protocol.actors import App, Browser
from tests.protocol.checks import is_token_error
from tests.protocol.harness import World
from tests.protocol.known import BACK, OPERATOR_SECRET
from tests.protocol.watching import round_trips, statements

HANDLES = Handles([OPERATOR_SECRET.encode()])


# ── the hot path ───────────────────────────────────────────────────────────────────────────


async def test_one_redis_round_trip_and_no_sql(world: World, browser: Browser) -> None:
    """With fresh facts: for a refresh, a code and userinfo alike."""
    app = world.app(BACK)
    tokens = await browser.tokens(app)
    code = await browser.code(app)
    await world.userinfo((await app.refresh(tokens["refresh_token"])).json()["access_token"])
    for call in (
        lambda: app.refresh(tokens["refresh_token"]),
        lambda: app.redeem(code),
        lambda: world.userinfo(tokens["access_token"]),
    ):
        with statements(world.sql.engine) as seen:
            async with round_trips(world.redis) as trips:
                assert (await call()).status_code == 200
        assert [trip.split()[0] for trip in trips] == ["EVALSHA"]
        assert seen == []


async def test_facts_missing_in_redis_are_restored_once(
    world: World, browser: Browser, app: App
) -> None:
    """Facts that Redis has lost are read from SQL and put back; nobody is signed out."""
    tokens = await browser.tokens(app)
    code = await browser.code(app)
    account = await world.account_of("ada.lindqvist")
    for call in (
        lambda: app.refresh(tokens["refresh_token"]),
        lambda: app.redeem(code),
        lambda: world.userinfo(tokens["access_token"]),
        lambda: browser.authorize(app, prompt="none"),
    ):
        assert await world.redis.delete(f"tb:{{{account}}}:facts") == 1
        with statements(world.sql.engine) as seen:
            answer = await call()
        assert "error" not in answer.headers.get("location", "")
        assert answer.status_code in {200, 303}
        assert seen
        with statements(world.sql.engine) as seen:
            assert (await world.userinfo(tokens["access_token"])).status_code == 200
        assert seen == []


async def test_restored_facts_keep_a_disabled_account_out(
    world: World, browser: Browser, app: App
) -> None:
    """SQL is the truth: losing the marker in Redis does not let a disabled account back in."""
    tokens = await browser.tokens(app)
    account = await world.account_of("ada.lindqvist")
    await world.sql.accounts.disable(account, "test", world.clock.at)
    await world.redis.delete(f"tb:{{{account}}}:facts")
    is_token_error(await app.refresh(tokens["refresh_token"]), "invalid_grant")
