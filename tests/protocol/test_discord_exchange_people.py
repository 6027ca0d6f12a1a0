"""Tokens of Discord in exchange, for apps that go by guilds and roles."""

from typing import Any

import pytest

from broker.core.federation import UpstreamAuthorization
from broker.demo.discord import Fault
from tests.protocol.checks import is_token_error
from tests.protocol.communities import (
    FRESH,
    HALL,
    KEEPER,
    MEMBER_ROUTE,
    SCOPE,
    hall,
    kept_out,
    reads,
)
from tests.protocol.harness import World
from tests.protocol.known import ADA, BEN
from tests.protocol.offering import PUBLIC, discord_token, given, offer
from tests.protocol.tokens import claims_of

MEMBERS = ("identify", "guilds.members.read")
KEEPERS = {"guilds": [{"id": HALL, "any_role": [KEEPER]}]}
WEEK = 604_800


async def sessions(world: World) -> list[str]:
    """What Redis holds of sessions, codes and grants."""
    keys = [str(key) async for key in world.redis.scan_iter()]
    return [key for key in keys if any(kind in key for kind in (":session:", ":code:", ":grant:"))]


async def kept(world: World) -> UpstreamAuthorization | None:
    found = await world.sql.authorizations.get(await world.account_of(ADA), "discord")
    return None if found is None or found.lost else found.authorization


async def test_what_the_token_reaches_is_read_with_it(world: World) -> None:
    """Claims as after a sign-in by browser; what is known goes on being re-checked by refreshes."""
    app = await hall(world, **PUBLIC)
    body = await given(app, discord_token(world, ADA, *MEMBERS), scope=SCOPE)
    claims = claims_of(body["id_token"])
    assert claims["roles"] == claims["groups"] == ["admin", "guest", "member", "staff"]
    assert claims["guilds"][0]["id"] == HALL
    assert reads(world) == 1
    newer = (await app.refresh(body["refresh_token"])).json()
    assert claims_of(newer["id_token"])["roles"] == claims["roles"]
    assert reads(world) == 1
    world.discord.take_role(world.discord.find_person(ADA).id, HALL, KEEPER)  # type: ignore[union-attr]
    await world.advance(FRESH + 1)
    newer = (await app.refresh(newer["refresh_token"])).json()
    assert claims_of(newer["id_token"])["roles"] == ["guest", "member"]
    assert reads(world) == 2


async def test_guilds_that_are_nobody_s_business_are_not_kept(world: World) -> None:
    """Of the person's list of guilds what some client is registered for, as after a sign-in."""
    others = tuple(str(int(HALL) + n) for n in range(1, 6))
    person = world.discord.find_person(ADA)
    assert person is not None
    (unheard_of,) = world.discord.add_guilds(person.id, 1)
    app = await hall(world, **PUBLIC, guilds=(HALL, *others), role_mapping=None)
    await given(app, discord_token(world, ADA, "identify", "guilds"), scope="openid guilds")
    facts = await world.sql.accounts.facts(await world.account_of(ADA))
    assert facts is not None
    assert facts.community.listed is not None
    names = [one.guild_id for one in facts.community.listed.guilds]
    assert HALL in names
    assert unheard_of.id not in names


async def test_a_policy_lets_in(world: World) -> None:
    """Whoever meets it."""
    app = await kept_out(world, KEEPERS, **PUBLIC)
    assert await given(app, discord_token(world, ADA, *MEMBERS))


@pytest.mark.parametrize(
    ("person", "policy"),
    [(BEN, KEEPERS), ("newcomer", {"account_age": "30d"}), (ADA, {"deny": ["ada"]})],
    ids=["role", "age", "deny"],
)
async def test_a_policy_refuses(world: World, person: str, policy: dict[str, Any]) -> None:
    """The app hears that it is the person; no session, no grant, an audit event."""
    world.discord.now = world.clock.now
    found = world.discord.find_person(person) or world.discord.add_person(person)
    told = {"deny": [found.id]} if "deny" in policy else policy
    app = await kept_out(world, told, **PUBLIC)
    answer = await offer(app, discord_token(world, person, *MEMBERS))
    is_token_error(answer, "access_denied")
    assert answer.json()["error_description"] == "This person may not use the app"
    assert await sessions(world) == []
    (entry,) = await world.audit("access.refused")
    assert entry.event.client_id == app.client.client_id


async def test_a_token_that_tells_too_little(world: World) -> None:
    """Nothing is known of the person: there is nothing to judge by, so nobody is let in."""
    app = await kept_out(world, KEEPERS, **PUBLIC)
    answer = await offer(app, discord_token(world, ADA, "identify"))
    is_token_error(answer, "invalid_request")
    assert "what has to be known" in answer.json()["error_description"]
    assert await sessions(world) == []
    assert reads(world) == 0


async def test_what_is_known_already_counts(world: World) -> None:
    """A sign-in by browser has told it: a token with fewer scopes will do while that is fresh."""
    app = await kept_out(world, KEEPERS, **PUBLIC)
    narrow = discord_token(world, ADA, "identify")
    await world.browser().tokens(await kept_out(world, KEEPERS))
    assert await given(app, narrow)
    await world.advance(FRESH + 1)
    before = reads(world)
    assert await given(app, narrow)
    assert reads(world) == before + 1, "with what the sign-in has left"


async def test_discord_in_trouble(world: World) -> None:
    """503 and nothing half-written, where the guild does not answer."""
    app = await kept_out(world, KEEPERS, **PUBLIC)
    world.discord.misbehave(MEMBER_ROUTE, Fault("status", status=503))
    answer = await offer(app, discord_token(world, ADA, *MEMBERS))
    assert answer.status_code == 503
    assert await world.sql.accounts.page() == ()


async def test_which_token_is_kept(world: World) -> None:
    """None where nobody needs it; else the better of two."""
    app = await hall(world, **PUBLIC)
    first = discord_token(world, ADA, *MEMBERS)
    await given(app, first)
    assert (await kept(world)) == UpstreamAuthorization(
        first, None, tuple(sorted(MEMBERS)), world.clock.at + WEEK
    )
    second = discord_token(world, ADA, *MEMBERS)
    await given(app, second)
    assert (await kept(world)).access_token == second  # type: ignore[union-attr]
    await given(app, discord_token(world, ADA, "identify"))
    assert (await kept(world)).access_token == second  # type: ignore[union-attr]


async def test_one_that_can_be_renewed_stays(world: World) -> None:
    """A sign-in's lasts for months, an Activity's a week; unless the latter reaches further."""
    app = await hall(world, **PUBLIC)
    await world.browser().tokens(await hall(world))
    signed_in = await kept(world)
    assert signed_in is not None
    assert signed_in.refresh_token is not None
    await given(app, discord_token(world, ADA, *signed_in.scope))
    assert await kept(world) == signed_in
    wider = discord_token(world, ADA, *signed_in.scope, "guilds")
    await given(app, wider)
    assert (await kept(world)).access_token == wider  # type: ignore[union-attr]


async def test_one_that_was_lost_gives_way(world: World) -> None:
    """Whatever it could do, it can do nothing any more."""
    app = await hall(world, **PUBLIC)
    await world.browser().tokens(await hall(world))
    account = await world.account_of(ADA)
    found = await world.sql.authorizations.get(account, "discord")
    assert found is not None
    now = world.clock.at
    await world.sql.authorizations.lose(account, "discord", version=found.version, now=now)
    token = discord_token(world, ADA, *MEMBERS)
    await given(app, token)
    assert (await kept(world)).access_token == token  # type: ignore[union-attr]
