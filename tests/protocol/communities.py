"""Apps that go by guilds and roles, and the simulated Discord's guilds as they know them."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import httpx2

from broker.core import vocabulary as v
from broker.core.community.registry import Guild
from broker.demo.discord.cast import ADA as ADA_THERE
from broker.demo.discord.cast import BEN as BEN_THERE
from broker.demo.discord.cast import GREENHOUSE, LIGHTHOUSE
from tests.protocol.actors import App, Browser
from tests.protocol.checks import hidden, query_of
from tests.protocol.harness import World
from tests.protocol.known import BACK

HALL, YARD = LIGHTHOUSE.id, GREENHOUSE.id
KEEPER, MEMBER = LIGHTHOUSE.roles
ADA_ID, BEN_ID = ADA_THERE.id, BEN_THERE.id
MEMBER_ROUTE: Final = "/users/@me/guilds/{guild_id}/member"
LIST_ROUTE: Final = "/users/@me/guilds"
ME_ROUTE: Final = "/users/@me"
TOKEN_ROUTE: Final = "/oauth2/token"
SCOPE: Final = "openid profile guilds roles groups"
MAPPING: Final[Mapping[str, Any]] = {
    HALL: {KEEPER: ["admin", "staff"], MEMBER: ["member"], "*": ["guest"]}
}
FRESH, STALE = 600, 86400


async def hall(world: World, **fields: Any) -> App:
    """An app of the Lighthouse, which maps its roles."""
    own = {
        "scopes": (*v.SCOPES, *v.COMMUNITY_SCOPES),
        "guilds": (HALL,),
        "role_mapping": MAPPING,
    }
    return await world.new_app(BACK, **(own | fields))


async def kept_out(world: World, policy: Mapping[str, Any], **fields: Any) -> App:
    """An app with a policy, which is told nothing of guilds."""
    return await world.new_app(BACK, policy=policy, guilds=(HALL, YARD), **fields)


async def register(world: World) -> None:
    """Have the operator name the Lighthouse and its keepers, and an invitation."""
    guild = Guild(HALL, "The Lighthouse", "https://discord.gg/lighthouse", {KEEPER: "Keeper"})
    await world.sql.guilds.add(guild, now=world.clock.at)
    await world.advance(0)


async def press(browser: Browser, page: httpx2.Response, decision: str) -> httpx2.Response:
    """Press a button of the page that says why the app may not be used."""
    data = {**hidden(page, 403), "decision": decision}
    return await browser.http.post("/interaction", data=data)


def asked_for(answer: httpx2.Response) -> set[str]:
    """The scopes that a person is asked for at Discord, where an answer leads there."""
    return set(query_of(answer.headers["location"])["scope"].split())


async def discord_is_well(world: World) -> None:
    """Discord works again, and the time is over for which it wanted to be left in peace."""
    world.discord.behave()
    while await _is_asking(world):  # what waited for it may have been answered before that ended
        await asyncio.sleep(0.01)
    async for key in world.redis.scan_iter("*{upstream:discord}*"):
        await world.redis.delete(key)  # it is kept in Redis' own time
    await world.advance(120)


async def _is_asking(world: World) -> bool:
    """Whether it is still somebody's turn to ask Discord about a person."""
    turns = [await world.redis.get(key) async for key in world.redis.scan_iter("*:turn")]
    return any(not turn.startswith("|") for turn in turns if turn)


def reads(world: World) -> int:
    """How many member records were read at Discord."""
    return world.discord.calls[MEMBER_ROUTE]
