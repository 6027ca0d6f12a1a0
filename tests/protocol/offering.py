"""Apps that hold a token of Discord, and offer it in exchange."""

from typing import Any, Final

import httpx2

from broker.core import vocabulary as v
from tests.protocol.actors import App
from tests.protocol.harness import World
from tests.protocol.known import ADA, BACK, DISCORD_ID, FRONT, ISSUER
from tests.protocol.services import TYPE_ACCESS

CALLBACK: Final = f"{ISSUER}/login/discord/callback"
GRANTS: Final = (v.GRANT_EXCHANGE, v.GRANT_REFRESH)
WAY: Final = ("upstream",)
PUBLIC: Final[dict[str, Any]] = {"grant_types": GRANTS, "exchange": WAY}


def discord_token(
    world: World,
    person: str = ADA,
    *scopes: str,
    application: str = DISCORD_ID,
    redirect_uri: str = CALLBACK,
) -> str:
    """What Discord gives an application for a person, as an Activity or a bot gets it."""
    world.discord.now = world.clock.now  # else it would have run out by the broker's time
    found = world.discord.find_person(person)
    assert found is not None, person
    wanted = scopes or ("identify", "email")
    code = world.discord.issue_code(application, found.id, redirect_uri, wanted)
    return world.discord.redeem_code(application, code, redirect_uri, None)[1]


async def activity(world: World, **fields: Any) -> App:
    """An app inside Discord: a browser without a redirect, that anybody could be."""
    return await world.new_app(FRONT, **(PUBLIC | fields))


async def bot(world: World, **fields: Any) -> App:
    """A program with a secret."""
    return await world.new_app(BACK, **(PUBLIC | fields))


async def offer(app: App, token: str | None, **changes: str | None) -> httpx2.Response:
    """Offer a token of Discord for tokens of ours."""
    named: dict[str, str | None] = {
        "grant_type": v.GRANT_EXCHANGE,
        "subject_token": token,
        "subject_token_type": TYPE_ACCESS,
        "subject_issuer": "discord",
    }
    return await app.token(**named | changes)


async def given(app: App, token: str, **changes: str | None) -> dict[str, Any]:
    """What is given for a good one."""
    answer = await offer(app, token, **changes)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found
