"""What an app is told of its people's guilds: by scope, by name, of its own guilds alone."""

import json
import re
from typing import Any

import pytest_asyncio

from tests.protocol.actors import App, Browser
from tests.protocol.checks import is_page
from tests.protocol.communities import (
    HALL,
    KEEPER,
    LIST_ROUTE,
    MEMBER,
    SCOPE,
    YARD,
    hall,
    reads,
    register,
)
from tests.protocol.harness import World
from tests.protocol.known import API, BACK, BEN
from tests.protocol.tokens import claims_of

COMMUNITY = {"guilds", "roles", "groups", "membership_as_of"}


def community(claims: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in claims.items() if name in COMMUNITY}


@pytest_asyncio.fixture(loop_scope="session")
async def app(world: World) -> App:
    await register(world)
    return await hall(world)


async def test_in_every_place(world: World, browser: Browser, app: App) -> None:
    """The ID token and userinfo tell all that was asked for, the access token what services need.

    So it is after a code and after a refresh, and introspection repeats the access token.
    """
    now = int(world.clock.at)
    tokens = await browser.tokens(app, scope=SCOPE)
    for found in (tokens, (await app.refresh(tokens["refresh_token"])).json()):
        told = community(claims_of(found["id_token"]))
        (guild,) = told.pop("guilds")
        names = ["admin", "guest", "member", "staff"]
        assert told == {"roles": names, "groups": names, "membership_as_of": now}
        joined = guild.pop("joined_at")
        assert guild == {
            "id": HALL, "name": "The Lighthouse", "nick": "Ada", "pending": False,
            "roles": [{"id": KEEPER, "name": "Keeper"}, {"id": MEMBER}],
        }  # fmt: skip
        assert isinstance(joined, int)
        userinfo = (await world.userinfo(found["access_token"])).json()
        assert community(userinfo) == community(claims_of(found["id_token"]))
        carried = community(claims_of(found["access_token"]))
        assert carried == told
        introspected = await app.post("/introspect", token=found["access_token"])
        assert community(introspected.json()) == carried


async def test_as_old_as_the_oldest_of_it(world: World, browser: Browser) -> None:
    """What was read for another app is not read again; how old it is says the oldest part."""
    begun = int(world.clock.at)
    await browser.tokens(await hall(world), scope=SCOPE)
    await world.advance(300)
    app = await hall(world, guilds=(HALL, YARD))
    tokens = await browser.tokens(app, scope=SCOPE)
    claims = claims_of(tokens["id_token"])
    assert [guild["id"] for guild in claims["guilds"]] == [HALL, YARD]
    assert claims["membership_as_of"] == begun
    assert reads(world) == 2


async def test_by_scope(world: World, browser: Browser, app: App) -> None:
    """Each scope releases its own claim and no other; without one nothing of the kind is told."""
    for word in ("guilds", "roles", "groups"):
        tokens = await browser.tokens(app, scope=f"openid {word}")
        userinfo = (await world.userinfo(tokens["access_token"])).json()
        for claims in (claims_of(tokens["id_token"]), userinfo):
            assert community(claims).keys() == {word, "membership_as_of"}
    tokens = await browser.tokens(app)
    assert community(claims_of(tokens["id_token"])) == {}
    assert community(claims_of(tokens["access_token"])) == {}


async def test_by_name(world: World, browser: Browser, app: App) -> None:
    """The claims parameter asks for one where its scope was not asked for (Core §5.5)."""
    asked = json.dumps({"id_token": {"roles": {"essential": True}}, "userinfo": {"guilds": None}})
    tokens = await browser.tokens(app, scope="openid", claims=asked)
    told = community(claims_of(tokens["id_token"]))
    assert told.keys() == {"roles", "membership_as_of"}
    userinfo = (await world.userinfo(tokens["access_token"])).json()
    assert community(userinfo).keys() == {"guilds", "membership_as_of"}
    assert community(claims_of(tokens["access_token"])) == {}


async def test_signed_userinfo(world: World, browser: Browser, app: App) -> None:
    """Tells the same (Core §5.3.2)."""
    await world.edit(app, userinfo_signed_response_alg="RS256")
    tokens = await browser.tokens(app, scope=SCOPE)
    answer = await world.userinfo(tokens["access_token"])
    assert community(claims_of(answer.text)) == community(claims_of(tokens["id_token"]))


async def test_scope_that_is_not_registered(world: World, browser: Browser) -> None:
    """For an app that is not registered for roles the word means nothing: it is never told."""
    app = await hall(world, scopes=("openid", "guilds"))
    tokens = await browser.tokens(app, scope="openid roles groups")
    assert tokens["scope"] == "openid"
    assert community(claims_of(tokens["id_token"])) == {}
    assert community(claims_of(tokens["access_token"])) == {}


async def test_of_its_own_guilds_alone(world: World, browser: Browser) -> None:
    """Ada is in the Greenhouse too; an app of the Lighthouse hears nothing of that."""
    other, app = await hall(world, guilds=(YARD,), role_mapping=None), await hall(world)
    tokens = await browser.tokens(other, scope=SCOPE)
    assert [guild["id"] for guild in claims_of(tokens["id_token"])["guilds"]] == [YARD]
    tokens = await browser.tokens(app, scope=SCOPE)
    assert [guild["id"] for guild in claims_of(tokens["id_token"])["guilds"]] == [HALL]


async def test_somebody_who_is_in_none(world: World, browser: Browser, app: App) -> None:
    """Is told to be in none: that is known, not unknown."""
    world.discord.kick(BEN, HALL)
    now = int(world.clock.at)
    tokens = await browser.tokens(app, BEN, scope=SCOPE)
    told = community(claims_of(tokens["id_token"]))
    assert told == {"guilds": [], "roles": [], "groups": [], "membership_as_of": now}


async def test_pending_and_timed_out(world: World, browser: Browser, app: App) -> None:
    """Both are told; a time-out by its end."""
    world.discord.set_member(BEN, HALL, pending=True, nick=None)
    world.discord.set_member(BEN, HALL, communication_disabled_until="2027-01-01T00:00:00+00:00")
    tokens = await browser.tokens(app, BEN, scope=SCOPE)
    (guild,) = claims_of(tokens["id_token"])["guilds"]
    assert guild["pending"] is True
    assert guild["timed_out_until"] == 1798761600
    assert "nick" not in guild


async def test_strange_names(world: World, browser: Browser, app: App) -> None:
    """A nickname from right to left, fields nobody knows, nulls: told as they are, or passed by."""
    backwards = "\u202e\u05e9\u05dc\u05d5\u05dd\u202c"
    more = {"flags": None, "unheard_of": {"a": [1]}}
    world.discord.set_member(BEN, HALL, nick=backwards, more=more)
    tokens = await browser.tokens(app, BEN, scope=SCOPE)
    (guild,) = claims_of(tokens["id_token"])["guilds"]
    assert guild["nick"] == backwards


async def test_more_guilds_than_member_records(world: World, browser: Browser) -> None:
    """With more than five guilds the person's list says which; records are read where needed."""
    others = tuple(world.discord.add_guild(f"Guild {number}").id for number in range(8))
    app = await hall(world, guilds=(HALL, YARD, *others))
    world.discord.join(BEN, others[3])
    tokens = await browser.tokens(app, BEN, scope=SCOPE)
    found = {guild["id"]: guild for guild in claims_of(tokens["id_token"])["guilds"]}
    assert found.keys() == {HALL, others[3]}
    assert found[others[3]] == {"id": others[3], "name": "Guild 3"}
    assert "joined_at" in found[HALL]
    assert reads(world) == 1
    assert world.discord.calls[LIST_ROUTE] == 1


async def test_somebody_in_two_hundred_guilds(world: World, browser: Browser) -> None:
    """Only those that matter here are kept, and told."""
    mine = tuple(world.discord.add_guild(f"Mine {number}").id for number in range(6))
    for number in range(199):
        world.discord.join(BEN, world.discord.add_guild(f"Other {number}").id)
    world.discord.join(BEN, mine[5])
    app = await hall(world, guilds=mine, role_mapping=None)
    tokens = await browser.tokens(app, BEN, scope=SCOPE)
    assert [guild["id"] for guild in claims_of(tokens["id_token"])["guilds"]] == [mine[5]]
    facts = await world.sql.accounts.facts(await world.account_of(BEN))
    assert facts is not None
    assert facts.community.listed is not None
    assert not [one for one in facts.community.listed.guilds if one.name.startswith("Other")]
    in_redis = await world.redis.hget(f"tb:{{{await world.account_of(BEN)}}}:facts", "gl")
    assert b"Other" not in (in_redis if isinstance(in_redis, bytes) else in_redis.encode())


async def test_taken_from_the_registration(world: World, browser: Browser, app: App) -> None:
    """A guild, a mapping or a scope that an operator takes away is not told at the next refresh."""
    tokens = await browser.tokens(app, scope=SCOPE)
    changes: list[dict[str, Any]] = [
        {"role_mapping": {HALL: {MEMBER: ["reader"]}}},
        {"guilds": (YARD,), "role_mapping": None},
        {"scopes": ("openid", "profile")},
    ]
    told = []
    for fields in changes:
        await world.edit(app, **fields)
        answer = await app.refresh(tokens["refresh_token"])
        tokens = answer.json()
        told.append(community(claims_of(tokens["id_token"])))
    assert told[0]["roles"] == told[0]["groups"] == ["reader"]
    assert [guild["id"] for guild in told[1]["guilds"]] == [YARD]
    assert told[1]["roles"] == []
    assert told[2] == {}


async def test_the_consent_page_says_so(world: World, browser: Browser) -> None:
    """In plain words, with what the app would be told of this very person."""
    await register(world)
    app = await hall(world, first_party=False)
    text = is_page(await browser.arrive(app, scope=SCOPE), 200)
    for words in (
        "Which of its Discord servers you are in", "The Lighthouse", "Your roles in this app",
        "admin · guest · member · staff", "Your groups in this app",
    ):  # fmt: skip
        assert words in text, words
    assert not re.search(r"Permission", text)


async def test_a_service_is_told_offline(world: World, browser: Browser) -> None:
    """An access token for an API carries the app's roles (RFC 9068 §2.2.3.1)."""
    app = await hall(world)
    tokens = await browser.tokens(app, scope=SCOPE, resource=API)
    claims = claims_of(tokens["access_token"])
    assert claims["aud"] == API
    assert claims["roles"] == ["admin", "guest", "member", "staff"]
    assert "guilds" not in claims


async def test_exchanged_for_another(world: World, browser: Browser) -> None:
    """A service that is registered for roles hands them on, as old as they are; others do not."""
    app = await hall(world)
    given = {"exchange": ("impersonation",), "resources": (API,)}
    grants = (*BACK.grant_types, "urn:ietf:params:oauth:grant-type:token-exchange")
    for scopes, told in ((("roles",), ["admin", "guest", "member", "staff"]), (("x",), None)):
        service = await world.new_app(BACK, scopes=scopes, grant_types=grants, **given)
        await world.edit(app, resources=(), audience=service.client.client_id)
        tokens = await browser.tokens(app, scope=SCOPE)
        answer = await service.token(
            grant_type=grants[-1],
            subject_token=tokens["access_token"],
            subject_token_type="urn:ietf:params:oauth:token-type:access_token",
            audience=API,
        )
        assert answer.status_code == 200, answer.text
        claims = claims_of(answer.json()["access_token"])
        assert claims.get("roles") == told
        assert "guilds" not in claims
        assert "groups" not in claims


async def test_pairwise_apps_and_public_ones(world: World, browser: Browser) -> None:
    """Claims depend on neither."""
    for fields in ({"subject_type": "pairwise"}, {"auth_method": "none", "secrets": ()}):
        app = await hall(world, **fields)
        tokens = await browser.tokens(app, scope=SCOPE)
        assert claims_of(tokens["id_token"])["roles"] == ["admin", "guest", "member", "staff"]
