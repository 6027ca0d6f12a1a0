"""Introspection (RFC 7662): what a token says, to those whom it concerns."""

import pytest

from broker.core import vocabulary as v
from tests.protocol.actors import App, Browser
from tests.protocol.checks import is_token_error
from tests.protocol.harness import World
from tests.protocol.known import API, BACK, BEN, FRONT, ISSUER, KEPT, SECRET
from tests.protocol.proving import Prover
from tests.protocol.services import (
    ORDERS,
    READ,
    STOCK,
    api,
    introspected,
    own_token,
    service,
    shop,
    shops,
)
from tests.protocol.tokens import b64, claims_of
from tests.protocol.watching import round_trips, statements

DEAD = {"active": False}
SCOPE = f"openid profile {READ}"


async def test_what_an_access_token_says(world: World, browser: Browser) -> None:
    """RFC 7662 §2.2, to the client that it was issued to."""
    await shops(world)
    app = await shop(world)
    token = (await browser.tokens(app, scope=SCOPE, resource=ORDERS, max_age="0"))["access_token"]
    claims = claims_of(token)
    assert await introspected(app, token) == {
        "active": True, "scope": SCOPE, "client_id": app.client.client_id, "aud": ORDERS,
        "username": "ada.lindqvist", "token_type": "Bearer", "iss": ISSUER,
        "exp": claims["exp"], "iat": claims["iat"], "sub": claims["sub"], "jti": claims["jti"],
        "auth_time": claims["auth_time"],
    }  # fmt: skip


async def test_the_username_needs_the_scope(world: World, browser: Browser, app: App) -> None:
    """Nobody learns by introspection what the token itself may not open."""
    back = world.app(BACK)
    token = (await browser.tokens(back, scope="openid"))["access_token"]
    assert "username" not in await introspected(back, token)


async def test_what_a_refresh_token_says(world: World, browser: Browser) -> None:
    """To the client it was issued to; only the live one of its grant."""
    app = world.app(BACK)
    tokens = await browser.tokens(app, prompt="login")
    for hint in (None, "refresh_token", "access_token", "something else"):
        told = await introspected(app, tokens["refresh_token"], token_type_hint=hint)
        begun = int(world.clock.at)
        assert told == {
            "active": True, "scope": "openid profile", "client_id": "back", "iss": ISSUER,
            "sub": claims_of(tokens["access_token"])["sub"], "username": "ada.lindqvist",
            "iat": begun, "exp": begun + 90 * 86400, "auth_time": begun,
        }  # fmt: skip
    newer = (await app.refresh(tokens["refresh_token"])).json()["refresh_token"]
    assert await introspected(app, tokens["refresh_token"]) == DEAD
    assert (await introspected(app, newer))["active"]
    assert (await app.refresh(newer)).status_code == 200, "looking ends nothing"


async def test_whom_a_token_concerns(world: World, browser: Browser) -> None:
    """Its client, a client in its audience, a client that serves an API in it; nobody else."""
    server, stranger = await service(world), await service(world)
    await shops(world, server.client.client_id)
    app = await shop(world, audience=stranger.client.client_id)
    for resource, seers in (
        (ORDERS, (app, server)),
        (STOCK, (app,)),
        (None, (app, stranger)),
    ):
        tokens = await browser.tokens(app, scope=SCOPE, resource=resource)
        for client in (app, server, stranger):
            told = await introspected(client, tokens["access_token"])
            assert told["active"] == (client in seers), (resource, client.client.client_id)
            assert told["active"] or told == DEAD
            refresh = await introspected(client, tokens["refresh_token"])
            assert refresh["active"] == (client is app)


async def test_a_refresh_token_concerns_its_client_alone(world: World, browser: Browser) -> None:
    """Not another one that refreshes as well."""
    app, other = world.app(BACK), await world.new_app(BACK)
    token = (await browser.tokens(app))["refresh_token"]
    assert await introspected(other, token) == DEAD
    assert (await introspected(app, token))["active"]


async def test_a_refresh_token_is_worth_what_it_would_bring(world: World, browser: Browser) -> None:
    """What was taken from its client since is left out; with no scope, or no grant, it is dead."""
    app = await world.new_app(BACK)
    token = (await browser.tokens(app, scope="openid profile"))["refresh_token"]
    assert (await introspected(app, token))["scope"] == "openid profile"
    await world.edit(app, scopes=("openid",))
    told = await introspected(app, token)
    assert (told["scope"], told.get("username")) == ("openid", None)
    await world.edit(app, scopes=("email",))
    assert await introspected(app, token) == DEAD
    await world.edit(app, scopes=("openid",), grant_types=(v.GRANT_CODE,))
    assert await introspected(app, token) == DEAD


async def test_a_refresh_token_for_offline_use(world: World, browser: Browser) -> None:
    """It outlives its session for as long as its client may have it."""
    app = await world.new_app(BACK)
    tokens = await browser.tokens(app, scope="openid offline_access")
    await browser.http.get("/logout", params={"id_token_hint": tokens["id_token"]})
    assert (await introspected(app, tokens["refresh_token"]))["active"]
    await world.edit(app, scopes=("openid",))
    assert await introspected(app, tokens["refresh_token"]) == DEAD


async def test_a_bound_refresh_token_names_its_key(world: World, browser: Browser) -> None:
    """It was a public client's, whose refresh tokens are bound; today it can prove itself."""
    prover = Prover(await world.new_app(FRONT))
    token = (await prover.redeem(await browser.code(prover.app))).json()["refresh_token"]
    await world.edit(prover.app, auth_method="client_secret_basic", secrets=KEPT)
    prover.app.secret = SECRET
    assert (await introspected(prover.app, token))["cnf"] == {"jkt": prover.jkt}


async def test_a_resource_server_that_gets_no_tokens(world: World, browser: Browser) -> None:
    """A client without any grant can serve an API: it only asks."""
    server = await world.new_app(BACK, grant_types=(v.GRANT_CLIENT,), scopes=())
    await api(world, API, introspected_by=(server.client.client_id,))
    app = world.app(BACK)
    token = (await browser.tokens(app, resource=API))["access_token"]
    assert (await introspected(server, token))["active"]


async def test_who_may_ask(world: World, browser: Browser, app: App) -> None:
    """RFC 7662 §2.1: 401 for whoever proves nothing, a public client too; not by GET."""
    tokens = await browser.tokens(app)
    is_token_error(
        await app.post("/introspect", token=tokens["access_token"]), "invalid_client", 401
    )
    answer = await world.api.post("/introspect", data={"token": tokens["access_token"]})
    is_token_error(answer, "invalid_client", 401)
    wrong = world.app(BACK)
    wrong.secret = "wrong"
    answer = await wrong.post("/introspect", token=tokens["access_token"])
    is_token_error(answer, "invalid_client", 401)
    bearer = {"authorization": f"Bearer {tokens['access_token']}"}
    answer = await world.api.post("/introspect", data={"token": "x"}, headers=bearer)
    is_token_error(answer, "invalid_client", 401)
    answer = await world.api.get(
        "/introspect", params={"token": "x"}, headers=world.app(BACK).proof()
    )
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_malformed_requests(world: World) -> None:
    """No token, one too many, or one that is too long."""
    app = world.app(BACK)
    is_token_error(await app.post("/introspect"), "invalid_request")
    is_token_error(await app.post("/introspect", token="x" * 4097), "invalid_request")
    for name in ("token", "token_type_hint"):
        data = {"token": "x"} | {name: ["x", "y"]}
        answer = await world.api.post("/introspect", data=data, headers=app.proof())
        is_token_error(answer, "invalid_request")


@pytest.mark.parametrize(
    "token", ["x", "A" * 82, "a.b.c", "é", "..", "eyJhbGciOiJub25lIn0.e30.", "' OR 1=1", "null"]
)
async def test_garbage(world: World, token: str) -> None:
    """RFC 7662 §2.2: not active, and not a word more."""
    assert await introspected(world.app(BACK), token) == DEAD


async def test_other_tokens_of_ours_are_none(world: World, browser: Browser) -> None:
    """An ID token, a code; and an access token whose payload was changed."""
    app = world.app(BACK)
    tokens = await browser.tokens(app)
    assert await introspected(app, tokens["id_token"]) == DEAD
    assert await introspected(app, await browser.code(app)) == DEAD
    head, _, signature = tokens["access_token"].split(".")
    wider = b64(claims_of(tokens["access_token"]) | {"scope": "admin"})
    assert await introspected(app, f"{head}.{wider}.{signature}") == DEAD


async def test_dead_tokens(world: World, browser: Browser) -> None:
    """Expired, revoked, signed out, account disabled, client switched off: from that moment on."""
    app = world.app(BACK)

    async def both(person: str = "ada.lindqvist") -> list[str]:
        found = await world.browser().tokens(app, person)
        return [found["access_token"], found["refresh_token"]]

    async def told(tokens: list[str]) -> list[bool]:
        return [(await introspected(app, token))["active"] for token in tokens]

    expiring, revoked, disabled = await both(), await both(), await both(BEN)
    assert await told(expiring + revoked + disabled) == [True] * 6
    await app.revoke(revoked[1])
    assert await told(revoked) == [False, False]
    await world.disable(await world.account_of("ben_okafor"))
    assert await told(disabled) == [False, False]
    await world.advance(300)
    assert await told(expiring) == [False, True]
    await world.sign_out(await world.account_of("ada.lindqvist"))
    assert await told(expiring) == [False, False]


async def test_a_client_that_was_switched_off(world: World, browser: Browser) -> None:
    """Its tokens are dead for those that it shows them to."""
    server = await service(world)
    await shops(world, server.client.client_id)
    app = await shop(world)
    token = (await browser.tokens(app, scope=SCOPE, resource=ORDERS))["access_token"]
    own = (await own_token(await service(world), resource=ORDERS))["access_token"]
    assert (await introspected(server, token))["active"]
    assert (await introspected(server, own))["active"]
    await world.edit(app, disabled=True)
    assert await introspected(server, token) == DEAD


async def test_one_round_trip(world: World, browser: Browser) -> None:
    """And no SQL; a token that does not concern the client costs nothing at all."""
    app, other = world.app(BACK), await service(world)
    tokens = await browser.tokens(app)
    own = (await own_token(other))["access_token"]
    for asker, token, commands in (
        (app, tokens["access_token"], ["EVALSHA"]),
        (app, tokens["refresh_token"], ["EVALSHA"]),
        (other, own, ["EXISTS"]),
        (other, tokens["access_token"], []),
        (other, "garbage", []),
    ):
        await introspected(asker, token)
        with statements(world.sql.engine) as seen:
            async with round_trips(world.redis) as trips:
                await introspected(asker, token)
        assert [trip.split()[0] for trip in trips] == commands
        assert seen == []


async def test_facts_that_redis_has_lost(world: World, browser: Browser) -> None:
    """They are read from SQL once; a token stays alive."""
    app = world.app(BACK)
    tokens = await browser.tokens(app)
    account = await world.account_of("ada.lindqvist")
    for name in ("access_token", "refresh_token"):
        assert await world.redis.delete(f"tb:{{{account}}}:facts") == 1
        assert (await introspected(app, tokens[name]))["active"]
