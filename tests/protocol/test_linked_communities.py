"""Guilds and roles of people who sign in elsewhere: what Discord tells of whoever has linked it."""

from typing import Any

from tests.protocol.actors import Browser
from tests.protocol.checks import answered, is_page, is_refusal
from tests.protocol.communities import HALL, MEMBER_ROUTE, asked_for, hall, kept_out, press
from tests.protocol.doors import Doors, doors, enter, link, links, opened_doors, world
from tests.protocol.doors import press as press_on_account
from tests.protocol.known import ADA, FRONT
from tests.protocol.tokens import claims_of

__all__ = ["doors", "opened_doors", "world"]

POLICY: dict[str, Any] = {"guilds": [{"id": HALL}]}


async def through_github(doors: Doors, browser: Browser, app: Any, **changes: str | None) -> Any:
    """Sign in to an app through GitHub, as far as possible without a page of ours."""
    return await browser.go_on(await browser.authorize(app, idp_hint="github", **changes))


async def both(doors: Doors, browser: Browser) -> None:
    """Ada, who has signed in through GitHub and linked Discord."""
    await enter(doors, browser, "github")
    await link(browser, "discord")


async def test_an_app_of_a_guild_leads_to_discord(doors: Doors, browser: Browser) -> None:
    """Nobody else can tell, so nobody is asked where; unless the app takes others' word too."""
    app = await kept_out(doors.world, POLICY)
    answer = await browser.authorize(app)
    assert answer.headers["location"].startswith(doors.world.discord_origin)
    app = await kept_out(doors.world, POLICY, upstreams=("discord", "github"))
    assert list(links(await browser.authorize(app))) == ["discord", "github"]


async def test_somebody_without_discord(doors: Doors, browser: Browser) -> None:
    """Refused, with the way to link it; checked again after that, and let in."""
    app = await kept_out(doors.world, POLICY, upstreams=("discord", "github"))
    page = await through_github(doors, browser, app)
    text = is_page(page, 403)
    assert "linked to your account" in text
    assert 'href="/account"' in text
    again = await browser.go_on(await press(browser, page, "check"))
    assert "linked to your account" in is_page(again, 403)
    assert doors.world.discord.calls["/oauth2/token"] == 0
    await link(browser, "discord")  # first of all signs in at GitHub's page: nobody was seen there
    await link(browser, "discord")
    answered(await browser.go_on(await press(browser, page, "check"), ADA), app)


async def test_linked_discord_is_asked_on_the_way(doors: Doors, browser: Browser) -> None:
    """What was never read is read by a trip there, once; then GitHub alone will do."""
    await both(doors, browser)
    app = await kept_out(doors.world, POLICY, upstreams=("discord", "github"))
    answer = await browser.authorize(app)
    assert "guilds.members.read" in asked_for(answer)
    answered(await browser.go_on(answer, ADA), app)
    other = doors.world.browser()
    before = doors.world.discord.calls["/oauth2/token"]
    answered(await through_github(doors, other, app), app)
    assert doors.world.discord.calls["/oauth2/token"] == before
    (account,) = await doors.world.sql.accounts.page()
    assert len(account.identities) == 2


async def test_roles_are_told_whichever_way_one_came(doors: Doors, browser: Browser) -> None:
    """Claims are the account's: they come from Discord, though GitHub has vouched."""
    await both(doors, browser)
    app = await hall(doors.world, upstreams=("discord", "github"))
    await browser.go_on(await browser.authorize(app, scope="openid roles"), ADA)
    other = doors.world.browser()
    answer = await through_github(doors, other, app, scope="openid roles")
    tokens = (await app.redeem(answered(answer, app)["code"])).json()
    assert "admin" in claims_of(tokens["id_token"])["roles"]


async def test_an_app_that_does_not_take_discords_word(doors: Doors, browser: Browser) -> None:
    """It has to know of guilds and forbids the way to learn of them: no round of redirects."""
    await both(doors, browser)
    app = await kept_out(doors.world, POLICY, upstreams=("github",))
    answer = await through_github(doors, browser, app)
    text = is_page(answer, 503)
    assert "Discord is not answering" in text
    is_refusal(await browser.authorize(app, prompt="none"), app, "interaction_required")


async def test_unlinking_discord_ends_what_hung_on_it(doors: Doors, browser: Browser) -> None:
    """An offline grant of a guild's app: refused at its next refresh, and Discord is not asked."""
    await both(doors, browser)
    app = await kept_out(doors.world, POLICY, upstreams=("discord", "github"))
    await browser.go_on(await browser.authorize(app), ADA)
    other = doors.world.browser()
    answer = await through_github(doors, other, app, scope="openid offline_access")
    tokens = (await app.redeem(answered(answer, app)["code"])).json()
    refreshed = (await app.refresh(tokens["refresh_token"])).json()
    there = doors.world.browser()
    await enter(doors, there, "github")
    await press_on_account(there, "unlink", "discord")
    reads = doors.world.discord.calls[MEMBER_ROUTE]
    refused = await app.refresh(refreshed["refresh_token"])
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    assert doors.world.discord.calls[MEMBER_ROUTE] == reads
    front = doors.world.app(FRONT)
    answered(await there.authorize(front), front)


async def test_what_was_read_is_gone_at_once(doors: Doors, browser: Browser) -> None:
    """Right after the sign-in at Discord itself: 503, and no round of redirects."""
    app = await kept_out(doors.world, POLICY)
    answer = await browser.authorize(app)
    answer = await browser.http.get(await browser.at_discord(answer))
    async for key in doors.world.redis.scan_iter("tb:*:facts"):
        await doors.world.redis.delete(key)
    async with doors.world.sql.engine.begin() as connection:
        await connection.exec_driver_sql("UPDATE identity SET community = NULL")
        await connection.exec_driver_sql("DELETE FROM upstream_token")
    text = is_page(await browser.http.get(answer.headers["location"]), 503)
    assert "Discord is not answering" in text
