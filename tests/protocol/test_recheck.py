"""At a refresh membership is as fresh as the operator wants: what was lost is lost, calmly."""

import asyncio
from pathlib import Path
from typing import Any

import httpx2
import pytest

from broker.app.compose import compose
from broker.core.errors import StoreUnavailable
from broker.demo.discord import Fault
from tests.core.helpers import Counted
from tests.protocol.actors import App, Browser
from tests.protocol.checks import is_token_error
from tests.protocol.communities import (
    ADA_ID,
    BEN_ID,
    FRESH,
    HALL,
    KEEPER,
    LIST_ROUTE,
    MAPPING,
    MEMBER,
    MEMBER_ROUTE,
    SCOPE,
    STALE,
    TOKEN_ROUTE,
    discord_is_well,
    hall,
    kept_out,
    reads,
)
from tests.protocol.harness import Shelf, World, settings_for
from tests.protocol.known import ADA, BEN, DISCORD_ID, FRONT, ISSUER
from tests.protocol.tokens import claims_of
from tests.protocol.watching import one_round_trip

MEMBERS = {"guilds": [{"id": HALL}]}
KEEPERS = {"guilds": [{"id": HALL, "any_role": [KEEPER]}]}
WEEK = 7 * 86400


async def refreshed(app: App, tokens: dict[str, Any]) -> dict[str, Any]:
    """Refresh; what the ID token and the access token say, and the next tokens, together."""
    answer = await app.refresh(tokens["refresh_token"])
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    carried, told = claims_of(found["access_token"]), claims_of(found["id_token"])
    for name in ("roles", "groups", "membership_as_of"):
        assert carried.get(name) == told.get(name)
    return told | found


# ── fresh ──────────────────────────────────────────────────────────────────────────────────


async def test_fresh_membership_costs_nothing(world: World, browser: Browser) -> None:
    """One Redis round trip, no SQL, no call: for a refresh, a code and userinfo alike."""
    app = await hall(world, policy=MEMBERS)
    tokens = await browser.tokens(app, scope=SCOPE)
    code = await browser.code(app, scope=SCOPE)
    await world.userinfo((await app.refresh(tokens["refresh_token"])).json()["access_token"])
    calls = dict(world.discord.calls)
    await one_round_trip(
        world.sql.engine,
        world.redis,
        lambda: app.refresh(tokens["refresh_token"]),
        lambda: app.redeem(code),
        lambda: world.userinfo(tokens["access_token"]),
    )
    assert dict(world.discord.calls) == calls


async def test_read_again_when_it_is_too_old(world: World, browser: Browser) -> None:
    """One call, not before, and the tokens say since when it is so."""
    app, begun = await hall(world), int(world.clock.at)
    tokens = await browser.tokens(app, scope=SCOPE)
    await world.advance(FRESH - 1)
    told = await refreshed(app, tokens)
    assert (told["membership_as_of"], reads(world)) == (begun, 1)
    await world.advance(2)
    told = await refreshed(app, told)
    assert (told["membership_as_of"], reads(world)) == (begun + FRESH + 1, 2)
    assert world.discord.calls[TOKEN_ROUTE] == 1


async def test_many_at_once_are_one_call(world: World, browser: Browser) -> None:
    """Several apps, several refreshes of one person in the same moment."""
    apps = [await hall(world) for _ in range(4)]
    tokens = [await browser.tokens(app, scope=SCOPE) for app in apps]
    await world.advance(FRESH + 1)
    calls = [
        app.refresh(given["refresh_token"]) for app, given in zip(apps, tokens, strict=True)
    ] * 1
    calls += [apps[0].refresh(tokens[0]["refresh_token"]) for _ in range(4)]
    answers = await asyncio.gather(*calls)
    assert {answer.status_code for answer in answers} == {200}
    assert reads(world) == 2


async def test_in_two_processes_as_well(world: World, shared: Shelf, browser: Browser) -> None:
    """Another process that is asked at the same moment waits for what the first one reads."""
    app = await hall(world)
    tokens = await browser.tokens(app, scope=SCOPE)
    await world.advance(FRESH + 1)
    world.discord.misbehave(MEMBER_ROUTE, Fault("delay", seconds=0.3))
    settings = settings_for(shared, Path(str(world.sql.engine.url.database)))
    entropy = Counted(b"another process")
    async with compose(settings, shared.redis_url, clock=world.clock, entropy=entropy) as other:
        transport = httpx2.ASGITransport(app=other.web)
        async with httpx2.AsyncClient(transport=transport, base_url=ISSUER) as program:
            data = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
            answers = await asyncio.gather(
                *(app.refresh(tokens["refresh_token"]) for _ in range(3)),
                *(program.post("/token", data=data, headers=app.proof()) for _ in range(3)),
            )
    assert [answer.status_code for answer in answers] == [200] * 6
    told = {claims_of(answer.json()["id_token"])["membership_as_of"] for answer in answers}
    assert told == {int(world.clock.at)}
    assert reads(world) == 2


# ── what was lost ──────────────────────────────────────────────────────────────────────────


async def test_a_lost_role_leaves_the_next_tokens(world: World, browser: Browser) -> None:
    """And one that was given comes."""
    app = await hall(world)
    told = await browser.tokens(app, BEN, scope=SCOPE)
    world.discord.give_role(BEN, HALL, KEEPER)
    await world.advance(FRESH + 1)
    told = await refreshed(app, told)
    assert told["roles"] == ["admin", "guest", "member", "staff"]
    world.discord.take_role(BEN, HALL, KEEPER)
    told = await refreshed(app, told)
    assert told["roles"] == ["admin", "guest", "member", "staff"]
    await world.advance(FRESH + 1)
    told = await refreshed(app, told)
    assert told["roles"] == told["groups"] == ["guest", "member"]
    userinfo = (await world.userinfo(told["access_token"])).json()
    assert userinfo["roles"] == ["guest", "member"]


async def test_a_guild_that_is_deleted(world: World, browser: Browser) -> None:
    """Nobody is in it any more; nothing breaks."""
    app = await hall(world)
    told = await browser.tokens(app, scope=SCOPE)
    world.discord.delete_guild(HALL)
    await world.advance(FRESH + 1)
    told = await refreshed(app, told)
    assert told["guilds"] == told["roles"] == []


@pytest.mark.parametrize(
    ("policy", "change"),
    [
        (MEMBERS, lambda there: there.kick(ADA, HALL)),
        (MEMBERS, lambda there: there.delete_guild(HALL)),
        (KEEPERS, lambda there: there.take_role(ADA, HALL, KEEPER)),
        ({"guilds": [{"id": HALL, "not_pending": True}]},
         lambda there: there.set_member(ADA, HALL, pending=True)),
        ({"guilds": [{"id": HALL, "not_timed_out": True}]},
         lambda there: there.set_member(
             ADA, HALL, communication_disabled_until="2030-01-01T00:00:00+00:00")),
    ],
    ids=["kicked", "deleted", "role", "pending", "timed out"],
)  # fmt: skip
async def test_a_lost_condition_ends_the_grant(
    world: World, browser: Browser, policy: dict[str, Any], change: Any
) -> None:
    """The refresh is refused and says so; nothing of the grant lives on; other apps' do."""
    app, other = await kept_out(world, policy), world.app(FRONT)
    tokens, others = await browser.tokens(app), await browser.tokens(other)
    change(world.discord)
    await world.advance(FRESH + 1)
    answer = await app.refresh(tokens["refresh_token"])
    is_token_error(answer, "invalid_grant")
    assert "may not use" in answer.json()["error_description"]
    assert (await world.userinfo(tokens["access_token"])).status_code == 401
    is_token_error(await app.refresh(tokens["refresh_token"]), "invalid_grant")
    (event,) = await world.audit("access.ended")
    assert event.event.client_id == app.client.client_id
    assert str(event.event.detail["reasons"]).endswith(HALL)
    assert reads(world) == 2
    assert (await other.refresh(others["refresh_token"])).status_code == 200
    assert browser.session is not None


async def test_a_changed_policy_counts_at_the_next_refresh(world: World, browser: Browser) -> None:
    """An operator's deny is felt before membership is old; so is the deployment's, elsewhere."""
    app = await kept_out(world, MEMBERS)
    tokens = await browser.tokens(app, BEN)
    await world.edit(app, policy={**MEMBERS, "deny": [BEN_ID]})
    is_token_error(await app.refresh(tokens["refresh_token"]), "invalid_grant")
    await world.edit(app, policy={"guilds": [{"id": HALL}], "allow": [BEN_ID]})
    world.discord.kick(BEN, HALL)
    tokens = await browser.tokens(app, BEN, prompt="login")
    await world.advance(FRESH + 1)
    assert (await app.refresh(tokens["refresh_token"])).status_code == 200


async def test_a_policy_where_there_was_none(world: World, browser: Browser) -> None:
    """What it needs was never asked for: the person signs in again, and the old token works."""
    app = await world.new_app(FRONT, guilds=(HALL,))
    tokens = await browser.tokens(app)
    await world.edit(app, policy=MEMBERS)
    answer = await app.refresh(tokens["refresh_token"])
    is_token_error(answer, "invalid_grant")
    assert "sign in again" in answer.json()["error_description"]
    await browser.code(app)
    assert (await app.refresh(tokens["refresh_token"])).status_code == 200


# ── Discord in trouble ─────────────────────────────────────────────────────────────────────

TROUBLE = [
    Fault("status", status=500), Fault("html", status=503), Fault("html", status=429),
    Fault("rate_limited", seconds=30), Fault("rate_limited", seconds=30, scope="global"),
    Fault("drop"), Fault("not_json"), Fault("truncated"), Fault("delay", seconds=5),
]  # fmt: skip


@pytest.mark.parametrize("fault", TROUBLE, ids=lambda fault: f"{fault.kind} {fault.scope}")
async def test_last_known_counts_for_a_while(world: World, browser: Browser, fault: Fault) -> None:
    """Refreshes go on with what was last known, and say how old it is; Discord is left in peace.

    After the configured age the app is told to come back later, and nothing is spent.
    """
    app, begun = await hall(world, policy=KEEPERS), int(world.clock.at)
    told = await browser.tokens(app, scope=SCOPE)
    world.discord.misbehave("*", fault)
    await world.advance(FRESH + 1)
    for _ in range(5):
        told = await refreshed(app, told)
        assert told["membership_as_of"] == begun
        assert told["roles"] == ["admin", "guest", "member", "staff"]
    assert reads(world) == 2
    await world.advance(STALE)
    answer = await app.refresh(told["refresh_token"])
    is_token_error(answer, "temporarily_unavailable", 503)
    assert int(answer.headers["retry-after"]) > 0
    await discord_is_well(world)
    told = await refreshed(app, told)
    assert told["membership_as_of"] == int(world.clock.at)


async def test_an_app_without_needs_does_not_notice(world: World, browser: Browser) -> None:
    """Discord down for days: its refreshes go on."""
    tokens = await browser.tokens(world.app(FRONT))
    world.discord.misbehave("*", Fault("drop"))
    for _ in range(3):
        await world.advance(2 * 86400)
        answer = await world.app(FRONT).refresh(tokens["refresh_token"])
        assert answer.status_code == 200
        tokens = answer.json()


async def test_a_token_that_discord_refuses(world: World, browser: Browser) -> None:
    """A lost authorization: sign in again, and nothing else is lost; Discord hears one call."""
    app = await hall(world)
    tokens = await browser.tokens(app, scope=SCOPE)
    world.discord.deauthorize(ADA_ID, DISCORD_ID)
    await world.advance(FRESH + 1)
    for _ in range(4):
        answer = await app.refresh(tokens["refresh_token"])
        is_token_error(answer, "invalid_grant")
        assert "sign in again" in answer.json()["error_description"]
    assert reads(world) == 2
    assert len(await world.audit("upstream.lost")) == 1
    assert (await world.userinfo(tokens["access_token"])).status_code in {200, 401}
    await browser.code(app, scope=SCOPE)
    assert (await refreshed(app, tokens))["roles"]


# ── Discord's own tokens ───────────────────────────────────────────────────────────────────


async def test_an_authorization_that_has_run_out(world: World, browser: Browser) -> None:
    """Is renewed once, however many ask; it is good once, so the new one is kept."""
    apps = [await hall(world) for _ in range(3)]
    tokens = [await browser.tokens(app, scope=f"{SCOPE} offline_access") for app in apps]
    for week in (1, 2):
        await world.advance(WEEK)
        answers = await asyncio.gather(
            *(a.refresh(t["refresh_token"]) for a, t in zip(apps, tokens, strict=True))
        )
        assert {answer.status_code for answer in answers} == {200}
        tokens = [answer.json() for answer in answers]
        assert world.discord.calls[TOKEN_ROUTE] == 1 + week


async def test_the_answer_to_a_renewal_is_lost(world: World, browser: Browser) -> None:
    """Discord has spent the token, we have no new one: a sign-in mends it, nothing else is lost."""
    app = await hall(world)
    told = await browser.tokens(app, scope=f"{SCOPE} offline_access")
    world.discord.misbehave(TOKEN_ROUTE, Fault("lost_answer", times=1))
    await world.advance(WEEK)
    answer = await app.refresh(told["refresh_token"])
    is_token_error(answer, "temporarily_unavailable", 503)
    await world.advance(120)
    is_token_error(await app.refresh(told["refresh_token"]), "invalid_grant")
    await browser.code(app, scope=SCOPE)
    assert (await refreshed(app, told))["roles"]


async def test_a_crash_before_the_new_one_is_kept(
    world: World, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not used either; the person signs in again, and everything else is as it was."""
    app, other = await hall(world), world.app(FRONT)
    told = await browser.tokens(app, scope=f"{SCOPE} offline_access")
    others = await browser.tokens(other, scope="openid offline_access")

    async def crash(*_: Any, **__: Any) -> None:
        raise StoreUnavailable(private="killed")

    await world.advance(WEEK)
    with monkeypatch.context() as patch:
        patch.setattr(world.sql.authorizations, "keep", crash)
        answer = await app.refresh(told["refresh_token"])
        is_token_error(answer, "temporarily_unavailable", 503)
    assert (world.discord.calls[TOKEN_ROUTE], reads(world)) == (2, 1)
    await world.advance(120)
    is_token_error(await app.refresh(told["refresh_token"]), "invalid_grant")
    assert (await other.refresh(others["refresh_token"])).status_code == 200
    await browser.code(app, scope=SCOPE)
    assert (await refreshed(app, told))["roles"]


async def test_sql_is_away(world: World, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then nobody can be asked about: what was last known counts, as while Discord is down."""
    app, begun = await hall(world), int(world.clock.at)
    told = await browser.tokens(app, scope=SCOPE)

    async def away(*_: Any) -> None:
        raise StoreUnavailable(private="SQL")

    monkeypatch.setattr(world.sql.authorizations, "get", away)
    await world.advance(FRESH + 1)
    assert (await refreshed(app, told))["membership_as_of"] == begun


async def test_a_spent_token_is_judged_all_the_same(world: World, browser: Browser) -> None:
    """A replay with old facts: Discord may be asked, and the grant is ended for the replay."""
    app = await hall(world)
    tokens = await browser.tokens(app, scope=SCOPE)
    await refreshed(app, tokens)
    await world.advance(FRESH + 1)
    is_token_error(await app.refresh(tokens["refresh_token"]), "invalid_grant")
    assert len(await world.audit("grant.reused")) == 1


async def test_a_bad_request_asks_nobody(world: World, browser: Browser) -> None:
    """Of another client, for more scope: refused before Discord is asked, and nothing spent."""
    app, other = await hall(world), await hall(world)
    tokens = await browser.tokens(app, scope="openid roles")
    await world.advance(FRESH + 1)
    is_token_error(await other.refresh(tokens["refresh_token"]), "invalid_grant")
    wider = await app.refresh(tokens["refresh_token"], scope="openid roles email")
    is_token_error(wider, "invalid_scope")
    assert reads(world) == 1
    assert (await refreshed(app, tokens))["roles"]


async def test_listed_guilds_are_kept_fresh_too(world: World, browser: Browser) -> None:
    """One call for the list, whatever the number of guilds."""
    many = tuple(world.discord.add_guild(f"Guild {number}").id for number in range(7))
    world.discord.join(ADA, many[2])
    app = await hall(world, guilds=many, role_mapping=None)
    told = await browser.tokens(app, scope=SCOPE)
    world.discord.kick(ADA, many[2])
    world.discord.join(ADA, many[4])
    await world.advance(FRESH + 1)
    told = await refreshed(app, told)
    assert [guild["id"] for guild in told["guilds"]] == [many[4]]
    assert world.discord.calls[LIST_ROUTE] == 2
    assert reads(world) == 0


async def test_one_guild_of_several_fails(world: World, browser: Browser) -> None:
    """Nothing partial: all is as last known, and read again later."""
    yard = world.discord.add_guild("Yard").id
    world.discord.join(ADA, yard)
    app = await hall(world, guilds=(HALL, yard), role_mapping={**MAPPING, yard: {"*": ["yard"]}})
    told = await browser.tokens(app, scope=SCOPE)
    world.discord.take_role(ADA, HALL, MEMBER)
    world.discord.misbehave(MEMBER_ROUTE, Fault("status", status=500, times=1))
    await world.advance(FRESH + 1)
    told = await refreshed(app, told)
    assert "member" in told["roles"]
    await discord_is_well(world)
    told = await refreshed(app, told)
    assert told["roles"] == ["admin", "guest", "staff", "yard"]
