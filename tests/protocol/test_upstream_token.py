"""Apps that may have their people's tokens at Discord, and apps that may not."""

import asyncio
from typing import Any

import httpx2
import pytest

from broker.core import vocabulary as v
from broker.demo.discord import Fault
from tests.protocol.actors import App, Browser
from tests.protocol.checks import is_token_error
from tests.protocol.events import withdrawn
from tests.protocol.harness import World
from tests.protocol.known import ADA, BACK, FRONT
from tests.protocol.offering import discord_token, given
from tests.protocol.proving import Prover
from tests.protocol.services import TYPE_ACCESS, TYPE_JWT

WEEK = 604_800  # an access token of Discord; a session of ours that nobody uses
OFFLINE = "openid offline_access"
WORDS = "The subject_token is not one that may be exchanged here"


async def caller(world: World, **fields: Any) -> App:
    """An app with a server of its own that may call Discord for its people."""
    grants = (v.GRANT_CODE, v.GRANT_REFRESH, v.GRANT_EXCHANGE)
    named: dict[str, Any] = {"grant_types": grants, "upstream_token": True}
    world.discord.now = world.clock.now
    return await world.new_app(BACK, **(named | fields))


async def asks(app: App, subject: str | None, **changes: str | None) -> httpx2.Response:
    named: dict[str, str | None] = {
        "grant_type": v.GRANT_EXCHANGE,
        "subject_token": subject,
        "subject_token_type": TYPE_ACCESS,
        "requested_issuer": "discord",
    }
    return await app.token(**named | changes)


async def works(world: World, token: str) -> bool:
    """Whether Discord takes a token."""
    address = f"{world.discord_origin}/api/v10/users/@me"
    async with httpx2.AsyncClient(trust_env=False) as http:
        answer = await http.get(address, headers={"authorization": f"Bearer {token}"})
    return answer.status_code == 200


async def test_the_token_that_discord_gave(world: World, browser: Browser) -> None:
    """RFC 8693 §2.2.1: an access token, what it may do, how long it lives; no refresh token."""
    app = await caller(world)
    tokens = await browser.tokens(app)
    await world.advance(100)
    answer = await asks(app, tokens["access_token"])
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    token = body.pop("access_token")
    assert await works(world, token)
    scope = set(body.pop("scope").split())
    assert "identify" in scope
    assert body == {
        "issued_token_type": TYPE_ACCESS, "token_type": "Bearer", "expires_in": WEEK - 100,
    }  # fmt: skip
    again = await asks(app, tokens["access_token"], subject_token_type=TYPE_JWT)
    assert again.json()["access_token"] == token


async def test_each_time_is_in_the_audit_log(world: World, browser: Browser) -> None:
    """Who, which app, which grant; nothing of the token, there or in a log."""
    app = await caller(world)
    tokens = await browser.tokens(app)
    given_to = [(await asks(app, tokens["access_token"])).json()["access_token"] for _ in range(2)]
    events = await world.audit("upstream_token.given")
    assert len(events) == 2
    event = events[0].event
    assert event.account_id == await world.account_of(ADA)
    assert (event.client_id, event.actor) == (app.client.client_id, "client")
    assert event.detail.keys() == {"upstream", "grant"}
    assert given_to[0] not in str(await world.sql.audit.page())


async def test_no_log_holds_it(
    world: World, browser: Browser, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither the old token nor the renewed one."""
    app = await caller(world)
    tokens = await browser.tokens(app, scope=OFFLINE)
    first = (await asks(app, tokens["access_token"])).json()["access_token"]
    await world.advance(WEEK)
    newer = (await app.refresh(tokens["refresh_token"])).json()
    second = (await asks(app, newer["access_token"])).json()["access_token"]
    said = "".join(capsys.readouterr())
    assert "upstream_token.given" in said
    assert first != second
    assert not any(token in said for token in (first, second))


async def test_one_that_has_run_out_is_renewed(world: World, browser: Browser) -> None:
    """Discord's refresh tokens are good once: of many requests at once one spends it."""
    app = await caller(world)
    tokens = await browser.tokens(app, scope=OFFLINE)
    first = (await asks(app, tokens["access_token"])).json()["access_token"]
    await world.advance(WEEK)
    tokens = (await app.refresh(tokens["refresh_token"])).json()
    calls = world.discord.calls["/oauth2/token"]
    answers = await asyncio.gather(*(asks(app, tokens["access_token"]) for _ in range(8)))
    assert {answer.status_code for answer in answers} == {200}
    (second,) = {answer.json()["access_token"] for answer in answers}
    assert second != first
    assert await works(world, second)
    assert world.discord.calls["/oauth2/token"] == calls + 1


async def test_one_that_cannot_be_renewed_now(world: World, browser: Browser) -> None:
    """503 while Discord is in trouble; afterwards it is as if nothing had been."""
    app = await caller(world)
    tokens = await browser.tokens(app, scope=OFFLINE)
    await world.advance(WEEK)
    tokens = (await app.refresh(tokens["refresh_token"])).json()
    world.discord.misbehave("/oauth2/token", Fault("status", status=503))
    answer = await asks(app, tokens["access_token"])
    assert answer.status_code == 503
    assert "retry-after" in answer.headers
    world.discord.behave()
    await world.advance(120)
    tokens = (await app.refresh(tokens["refresh_token"])).json()
    assert (await asks(app, tokens["access_token"])).status_code == 200


async def test_one_that_is_lost(world: World, browser: Browser) -> None:
    """The person signs in again, and that mends it; nothing else is lost by it."""
    app = await caller(world)
    tokens = await browser.tokens(app)
    account = await world.account_of(ADA)
    await world.sql.authorizations.forget(account, "discord")
    answer = await asks(app, tokens["access_token"])
    is_token_error(answer, "login_required")
    assert "sign-in mends that" in answer.json()["error_description"]
    assert (await app.refresh(tokens["refresh_token"])).status_code == 200
    tokens = await world.browser().tokens(app)
    assert (await asks(app, tokens["access_token"])).status_code == 200


async def test_what_was_withdrawn_is_given_to_nobody(world: World, browser: Browser) -> None:
    """The grant is over by then; so is what was kept."""
    app = await caller(world)
    tokens = await browser.tokens(app)
    await world.advance(1)
    await withdrawn(world)
    is_token_error(await asks(app, tokens["access_token"]), "invalid_request")
    assert await world.sql.authorizations.get(await world.account_of(ADA), "discord") is None


async def test_one_that_an_activity_brought(world: World) -> None:
    """Who came by a token of Discord gets it back as long as it lives; it cannot be renewed."""
    app = await caller(world, exchange=("upstream",))
    brought = discord_token(world)
    tokens = await given(app, brought, scope=OFFLINE)
    assert (await asks(app, tokens["access_token"])).json()["access_token"] == brought
    await world.advance(WEEK)
    tokens = (await app.refresh(tokens["refresh_token"])).json()
    is_token_error(await asks(app, tokens["access_token"]), "login_required")


async def test_who_may_not(world: World, browser: Browser) -> None:
    """Off by default; never for an app that anybody could be, whatever its registration says."""
    tokens = await browser.tokens(await caller(world))
    for app in (
        await caller(world, upstream_token=False),
        await caller(world, upstream_token=False, exchange=("impersonation", "delegation")),
        await caller(world, grant_types=(v.GRANT_CODE, v.GRANT_REFRESH)),
        await world.new_app(FRONT, grant_types=(v.GRANT_EXCHANGE,), upstream_token=True),
    ):
        is_token_error(await asks(app, tokens["access_token"]), "unauthorized_client")


async def test_whose_tokens_open_it(world: World, browser: Browser) -> None:
    """The client's own, alive: not another's, not one exchanged for another's, nobody's."""
    app, other = await caller(world), await caller(world)
    tokens = await browser.tokens(other)
    mine = await browser.tokens(app)
    for token in (
        tokens["access_token"], mine["id_token"], mine["refresh_token"], "x", "a.b.c", None,
    ):  # fmt: skip
        answer = await asks(app, token)
        is_token_error(answer, "invalid_request")
        if token is not None:
            assert answer.json()["error_description"] == WORDS
    machine = await caller(world, grant_types=(v.GRANT_CLIENT, v.GRANT_EXCHANGE), scopes=("api",))
    own = (await machine.token(grant_type=v.GRANT_CLIENT)).json()["access_token"]
    is_token_error(await asks(machine, own), "invalid_request")
    await app.revoke(mine["refresh_token"])
    is_token_error(await asks(app, mine["access_token"]), "invalid_request")
    await world.advance(301)
    is_token_error(await asks(other, tokens["access_token"]), "invalid_request")


async def test_a_token_exchanged_for_another_s_does_not_open_it(
    world: World, browser: Browser
) -> None:
    """A service that acts for people of an app is not where they have signed in."""
    service = await caller(world, exchange=("impersonation",))
    app = await world.new_app(BACK, audience=service.client.client_id)
    tokens = await browser.tokens(app)
    answer = await service.token(
        grant_type=v.GRANT_EXCHANGE,
        subject_token=tokens["access_token"],
        subject_token_type=TYPE_ACCESS,
    )
    assert answer.status_code == 200, answer.text
    exchanged = answer.json()["access_token"]
    is_token_error(await asks(service, exchanged), "invalid_request")
    await world.edit(app, upstream_token=True, grant_types=service.client.grant_types)
    is_token_error(await asks(app, exchanged), "invalid_request")


async def test_a_bound_token_needs_its_key(world: World, browser: Browser) -> None:
    """RFC 9449 §7.1: and a proof counts once."""
    app = await caller(world)
    prover = Prover(app)
    tokens = (await prover.redeem(await browser.code(app))).json()
    is_token_error(await asks(app, tokens["access_token"]), "invalid_request")
    fields: dict[str, str | None] = {
        "grant_type": v.GRANT_EXCHANGE, "subject_token": tokens["access_token"],
        "subject_token_type": TYPE_ACCESS, "requested_issuer": "discord",
    }  # fmt: skip
    proof = prover.proof()
    answer = await prover.post(dpop=proof, **fields)
    assert answer.status_code == 200
    assert answer.json()["token_type"] == "Bearer", "Discord knows of no keys"
    is_token_error(await prover.post(dpop=proof, **fields), "invalid_dpop_proof")


@pytest.mark.parametrize(
    "changes",
    [
        {"subject_token_type": None},
        {"subject_token_type": "urn:ietf:params:oauth:token-type:id_token"},
        {"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"},
        {"requested_issuer": "github"},
        {"requested_issuer": "https://discord.com"},
        {"subject_issuer": "discord"},
        {"scope": "identify"},
        {"audience": "discord"},
        {"actor_token": "x"},
        {"actor_token_type": TYPE_ACCESS},
    ],
)
async def test_malformed_requests(
    world: World, browser: Browser, changes: dict[str, str | None]
) -> None:
    """Nothing about the token can be chosen."""
    app = await caller(world)
    tokens = await browser.tokens(app)
    is_token_error(await asks(app, tokens["access_token"], **changes), "invalid_request")
    assert await world.audit("upstream_token.given") == []
