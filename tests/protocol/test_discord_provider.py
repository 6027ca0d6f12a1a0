"""Discord as a relying party of ours: our documents and ID tokens are what it demands."""

import pytest

from broker.doctor.model import Answer, Evidence, Trip
from broker.doctor.provider import examine_provider
from tests.protocol.actors import App, Browser
from tests.protocol.harness import World
from tests.protocol.known import BACK, ISSUER
from tests.protocol.tokens import claims_of

PUBLIC = ("93.184.215.14",)


async def seen(world: World) -> Evidence:
    """Both documents, as they come."""
    answers = []
    for name in ("openid-configuration", "jwks.json"):
        url = f"{ISSUER}/.well-known/{name}"
        got = await world.api.get(url, follow_redirects=False)
        answers.append(Answer(url, got.status_code, tuple(got.headers.items()), got.content))
    document = (await world.api.get(answers[0].url)).json()
    trips = [Trip((), one) for one in answers]
    return Evidence(ISSUER, world.clock.at, trips[0], metadata=document, jwks=trips[1])


async def wrong(world: World, app: App, id_token: str) -> set[tuple[str, str]]:
    """What Discord would find fault with, apart from the test's own address."""
    sections = examine_provider(
        await seen(world), PUBLIC, ISSUER, client_id=app.client.client_id, received=id_token
    )
    assert [one.title for one in sections] == ["Issuer", "Discovery", "Keys", "The ID token"]
    found = {(part.title, one.name) for part in sections for one in part.findings if one.cure}
    return found - {("Issuer", "host")}  # 127.0.0.1


@pytest.mark.parametrize("scope", ["openid", "openid profile email offline_access"])
async def test_an_id_token_is_what_discord_demands(
    world: World, browser: Browser, scope: str
) -> None:
    """The first one and a refreshed one: kid, iss, sub, aud, exp, iat, preferred_username."""
    app = world.app(BACK)
    tokens = await browser.tokens(app, scope=scope)
    assert await wrong(world, app, tokens["id_token"]) == set()
    await world.advance(200)
    tokens = (await app.refresh(tokens["refresh_token"])).json()
    assert await wrong(world, app, tokens["id_token"]) == set()
    await world.advance(300)
    assert await wrong(world, app, tokens["id_token"]) == {("The ID token", "exp")}


@pytest.mark.parametrize("name", ["a" * 32, "🦊" * 32])
async def test_a_username_that_fits(world: World, browser: Browser, name: str) -> None:
    """Characters are counted, not bytes."""
    person = world.discord.add_person(name)
    app = world.app(BACK)
    tokens = await browser.tokens(app, person.id)
    assert claims_of(tokens["id_token"])["preferred_username"] == name
    assert await wrong(world, app, tokens["id_token"]) == set()


@pytest.mark.parametrize("claims", [None, '{"id_token": {"preferred_username": null}}'])
async def test_a_username_that_is_too_long(
    world: World, browser: Browser, claims: str | None
) -> None:
    """It is not in ID tokens, by scope or by name; userinfo has it whole."""
    person = world.discord.add_person("a" * 33)
    app = world.app(BACK)
    more = {} if claims is None else {"claims": claims}
    tokens = await browser.tokens(app, person.id, **more)
    assert "preferred_username" not in claims_of(tokens["id_token"])
    assert claims_of(tokens["id_token"])["name"] == "a" * 33
    assert await wrong(world, app, tokens["id_token"]) == set()
    told = (await world.userinfo(tokens["access_token"])).json()
    assert told["preferred_username"] == "a" * 33
