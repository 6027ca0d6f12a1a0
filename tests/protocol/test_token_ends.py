"""Ends of grants: revocation, disabling, signing out everywhere."""

import asyncio

import pytest

from broker.core.handles import Handles
from tests.protocol.actors import App, Browser
from tests.protocol.checks import is_challenge, is_token_error
from tests.protocol.harness import World
from tests.protocol.known import BACK, FRONT, OPERATOR_SECRET, POST

HANDLES = Handles([OPERATOR_SECRET.encode()])


async def fresh(app: App, token: str) -> str:
    """Refresh; returns the next refresh token."""
    answer = await app.refresh(token)
    assert answer.status_code == 200, answer.text
    found: str = answer.json()["refresh_token"]
    return found


# ── ends ───────────────────────────────────────────────────────────────────────────────────


async def test_disabled_account(world: World, browser: Browser, app: App) -> None:
    """CVE-2023-22492: no refresh and no userinfo; what was begun before stays dead."""
    tokens = await browser.tokens(app, scope="openid offline_access")
    account = await world.account_of("ada.lindqvist")
    await world.disable(account)
    is_token_error(await app.refresh(tokens["refresh_token"]), "invalid_grant")
    is_challenge(await world.userinfo(tokens["access_token"]))
    await world.enable(account)
    is_token_error(await app.refresh(tokens["refresh_token"]), "invalid_grant")


async def test_crash_between_disabling_in_sql_and_in_redis(
    world: World, browser: Browser, app: App
) -> None:
    """Meanwhile there is no new session; the outbox finishes it."""
    tokens = await browser.tokens(app)
    account = await world.account_of("ada.lindqvist")
    await world.sql.accounts.disable(account, "test", world.clock.at)
    answer = await world.browser().arrive(app)
    assert answer.status_code == 403
    await world.drain()
    is_token_error(await app.refresh(tokens["refresh_token"]), "invalid_grant")


async def test_sign_out_everywhere(world: World, browser: Browser, app: App) -> None:
    """Sessions, codes and grants of every browser and app, offline ones too; a new login works."""
    other = world.browser()
    tokens = await browser.tokens(app, scope="openid offline_access")
    elsewhere = await other.tokens(world.app(FRONT))
    code = await other.code(app)
    await world.sign_out(await world.account_of("ada.lindqvist"))
    is_token_error(await app.refresh(tokens["refresh_token"]), "invalid_grant")
    is_token_error(await app.refresh(elsewhere["refresh_token"]), "invalid_grant")
    is_token_error(await app.redeem(code), "invalid_grant")
    is_challenge(await world.userinfo(tokens["access_token"]))
    assert (await browser.authorize(app)).headers["location"].startswith(world.discord_origin)
    await world.advance(1)
    assert await browser.tokens(app)


@pytest.mark.parametrize("generation", [0, 1, 2])
async def test_revoking_a_refresh_token(
    world: World, browser: Browser, app: App, generation: int
) -> None:
    """RFC 7009 §2.1: nothing of the grant works after the 200, whichever generation was named."""
    first = await browser.tokens(app)
    second = (await app.refresh(first["refresh_token"])).json()
    third = (await app.refresh(second["refresh_token"])).json()
    answer = await app.revoke((first, second, third)[generation]["refresh_token"])
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["cache-control"] == "no-store"
    for each in (first, second, third):
        is_token_error(await app.refresh(each["refresh_token"]), "invalid_grant")
        is_challenge(await world.userinfo(each["access_token"]))


async def test_refresh_racing_a_revocation(world: World, browser: Browser, app: App) -> None:
    """Whoever is first: after the 200 nothing of the grant is left."""
    for _ in range(4):
        token = (await browser.tokens(app))["refresh_token"]
        refreshed, revoked, again = await asyncio.gather(
            app.refresh(token), app.revoke(token), app.refresh(token)
        )
        assert revoked.status_code == 200
        for answer in (refreshed, again):
            if answer.status_code == 200:
                is_token_error(await app.refresh(answer.json()["refresh_token"]), "invalid_grant")
                is_challenge(await world.userinfo(answer.json()["access_token"]))


@pytest.mark.parametrize("hint", [None, "access_token", "refresh_token", "unknown"])
async def test_revoking_an_access_token(
    world: World, browser: Browser, app: App, hint: str | None
) -> None:
    """RFC 7009 §2.1: userinfo refuses it; the hint is only a hint."""
    tokens = await browser.tokens(app)
    answer = await app.revoke(tokens["access_token"], token_type_hint=hint)
    assert answer.status_code == 200
    is_challenge(await world.userinfo(tokens["access_token"]))


@pytest.mark.parametrize("token", ["garbage", "A" * 82, "a.b.c"])
async def test_revoking_an_unknown_token(app: App, token: str) -> None:
    """RFC 7009 §2.2: a success; and a missing one is a malformed request."""
    assert (await app.revoke(token)).status_code == 200
    is_token_error(await app.post("/revoke"), "invalid_request")


async def test_revoking_another_client_s_token(world: World, browser: Browser, app: App) -> None:
    """Refused; the token still lives."""
    tokens = await browser.tokens(app)
    thief = world.app(BACK)
    is_token_error(await thief.revoke(tokens["refresh_token"]), "invalid_request")
    is_token_error(await thief.revoke(tokens["access_token"]), "invalid_request")
    assert (await world.userinfo(tokens["access_token"])).status_code == 200
    await fresh(app, tokens["refresh_token"])


async def test_a_revocation_is_in_the_audit_log(world: World, browser: Browser) -> None:
    """Which app ended what; not what it only tried, and nothing of the token."""
    app = world.app(BACK)
    tokens = await browser.tokens(app)
    await app.revoke("unknown")
    await world.app(POST).revoke(tokens["refresh_token"])
    assert await world.audit("token.revoked") == []
    await app.revoke(tokens["refresh_token"])
    async with asyncio.timeout(5):
        while not (entries := await world.audit("token.revoked")):
            await asyncio.sleep(0.01)
    (entry,) = entries
    assert (entry.event.actor, entry.event.client_id) == ("client", "back")
    assert entry.event.account_id == await world.account_of("ada.lindqvist")
    assert tokens["refresh_token"] not in str(entry)
