"""Nothing secret in a log, the audit log or the metrics, whatever people and programs do."""

import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog
from prometheus_client import generate_latest

from broker.admin.console import console_of
from broker.app.watching import Watch
from broker.core import clients
from broker.core import vocabulary as v
from broker.core.parameters import Parameters
from broker.demo.discord import Fault
from broker.demo.discord.faults import KINDS
from tests.protocol import devices, events, offering, registering, test_token_exchange
from tests.protocol.harness import Shelf, World, begin
from tests.protocol.known import BACK, BEN, DISCORD_SECRET, FRONT, OPERATOR_SECRET, POST, THIRD
from tests.protocol.listening import listening
from tests.protocol.operating import operate
from tests.protocol.proving import Prover
from tests.protocol.secrecy import Wire, forms, logged, overheard
from tests.protocol.services import TYPE_ACCESS, introspected
from tests.protocol.trying import ASSERTION, assertion, request_object, response_mode, signer

OFFLINE = "openid profile offline_access"
METHODS = ("client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt")


# ── what people and programs do ────────────────────────────────────────────────────────────────


async def sign_in_and_refresh(world: World) -> None:
    """Codes and refresh tokens: good, spent before, garbage, of another; their ends."""
    for client in (FRONT, BACK, POST, THIRD):
        browser, app = world.browser(), world.app(client)
        code = await browser.code(app, scope=OFFLINE)
        tokens = (await app.redeem(code)).json()
        newer = (await app.refresh(tokens["refresh_token"])).json()
        await world.userinfo(newer["access_token"])
        await world.userinfo(newer["access_token"] + "x")
        await world.api.get("/userinfo", params={"access_token": newer["access_token"]})
        await app.redeem(code)
        await app.redeem("garbage" + code)
        await app.redeem(await browser.code(app), code_verifier="v" * 43 + "-wrong")
        await world.app(BACK).refresh(newer["refresh_token"])
        again = (await app.redeem(await browser.code(app))).json()
        await world.advance(60)
        newest = (await app.refresh(again["refresh_token"])).json()
        await world.advance(60)
        await app.refresh(again["refresh_token"])  # spent long ago: reuse
        await app.refresh(newest["refresh_token"])
        await app.revoke(again["access_token"])
        await browser.authorize(app, prompt="none", id_token_hint=tokens["id_token"])
        page = await browser.http.get("/logout", params={"id_token_hint": tokens["id_token"] + "x"})
        assert page.status_code == 200
        await browser.http.get("/account")
        await browser.http.get("/logout", params={"id_token_hint": tokens["id_token"]})


async def authenticate(world: World) -> None:
    """Every way to authenticate, right and wrong."""
    good = await signer(world, auth_method="private_key_jwt")
    proof = {
        "client_assertion_type": ASSERTION,
        "client_assertion": assertion(world, good, "ES256"),
    }
    for _ in range(2):  # the second time its jti is spent
        await world.api.post("/par", data=good.asks() | proof)
    for alg in ("HS256", "none"):
        bad = assertion(world, good, alg)
        await world.api.post("/par", data=good.asks() | proof | {"client_assertion": bad})
    liar = world.app(BACK)
    liar.secret = "no secret of any client"
    await liar.token(grant_type=v.GRANT_REFRESH, refresh_token="an invented refresh token")
    both = {"client_id": "back", "client_secret": liar.secret, "grant_type": "refresh_token"}
    await world.api.post("/token", data=both, headers=world.app(BACK).proof())
    await world.api.post("/token", params={"client_secret": liar.secret})
    await world.api.post("/token", headers={"authorization": "Basic " + "not-base64!" * 3})


async def ask_in_other_ways(world: World) -> None:
    """Pushed requests, request objects, response modes, requests that are wrong."""
    app = world.app(BACK)
    pushed = (await app.post("/par", **app.asks())).json()["request_uri"]
    browser = world.browser()
    for _ in range(2):
        asked = {"client_id": "back", "request_uri": pushed}
        await browser.go_on(await browser.http.get("/authorize", params=asked))
    assert await request_object(world, "ES256")
    await request_object(world, "none")
    for mode in ("fragment", "form_post"):
        assert await response_mode(world, mode)
    for changes in ({"redirect_uri": "https://evil.example"}, {"scope": "x"}, {"request": "a.b.c"}):
        await browser.authorize(app, **changes)
    await browser.http.get("/login/discord/callback", params={"code": "c" * 30, "state": "s" * 30})
    await browser.http.get("/static/" + "c" * 60)
    third = world.app(THIRD)
    page = await browser.arrive(third, BEN)
    await browser.decide(page, "allow", csrf="forged" * 6)
    await browser.decide(page, "deny")
    await browser.go_on(await browser.authorize(app, prompt="login"), deny=True)


async def use_devices(world: World) -> None:
    """A device that is let in, polls too often, and one whose code is guessed."""
    device = await devices.begin(world)
    await device.poll()
    await device.poll()
    await devices.allow(world.browser(), device)
    await device.poll_in_time()
    await device.poll_in_time()
    await devices.enter(world.browser(), "BCDF-GHJK")
    await world.browser().http.get(f"/device/qr/{device.code}.svg")


async def exchange(world: World) -> None:
    """Tokens of ours, tokens of Discord taken and given, and what is refused."""
    at = await test_token_exchange.scene(world, world.browser(), exchange=test_token_exchange.BOTH)
    await at.given()
    await at.acting()
    await test_token_exchange.exchange(at.server, at.token + "x")
    await introspected(at.server, at.token)
    app = await offering.activity(world)
    await offering.given(app, offering.discord_token(world), scope=OFFLINE)
    await offering.offer(app, "an-invented-token-of-discord")
    grants = (v.GRANT_CODE, v.GRANT_REFRESH, v.GRANT_EXCHANGE)
    caller = await world.new_app(BACK, grant_types=grants, upstream_token=True)
    token = (await world.browser().tokens(caller, BEN, scope=OFFLINE))["access_token"]
    asked = {"subject_token": token, "subject_token_type": TYPE_ACCESS}
    given = await caller.token(grant_type=v.GRANT_EXCHANGE, requested_issuer="discord", **asked)
    assert given.status_code == 200, given.text


async def prove(world: World) -> None:
    """Proofs of possession: good, twice, for another address."""
    prover = Prover(world.app(FRONT))
    proof = prover.proof()
    code = await world.browser().code(prover.app)
    tokens = (await prover.redeem(code, dpop=proof)).json()
    await prover.refresh(tokens["refresh_token"], dpop=proof)
    await prover.refresh(tokens["refresh_token"])
    await prover.userinfo(tokens["access_token"])
    await prover.userinfo(tokens["access_token"], dpop=prover.proof("/elsewhere"))
    await world.userinfo(tokens["access_token"])


async def register(world: World) -> None:
    """A program that registers itself, with tickets good and bad, and manages what it has."""
    told = (await registering.register(world, registering.ticket(world))).json()
    await registering.edit(world, told, client_name="Renamed")
    await registering.manage(world, told | {"registration_access_token": "x" * 40}, "GET")
    await registering.register(world, "an invented ticket", redirect_uris=["not an address"])
    await registering.manage(world, told, "DELETE")


async def hear_of_ends(world: World) -> None:
    """Webhooks of Discord, good and forged; logout tokens, delivered and not."""
    async with listening("500 Broken") as listener:
        app = await world.new_app(FRONT, backchannel_logout_uri=listener.uri)
        browser = world.browser()
        tokens = await browser.tokens(app)
        await browser.http.get("/logout", params={"id_token_hint": tokens["id_token"]})
        await listener.hears()
    await world.browser().tokens(world.app(BACK), scope=OFFLINE)
    content = events.withdrawal(world)
    await events.send(world, content, x_signature_ed25519="ab" * 64)
    await events.send(world, events.body(event={"type": "UNKNOWN", "data": 1}))
    await world.advance(1)
    await events.withdrawn(world)
    await world.drain()


async def fail_upstream(world: World) -> None:
    """Discord that is broken in every way that it knows of."""
    for kind in KINDS:
        for where in ("/oauth2/token", "/users/@me"):
            world.discord.faults.set(where, Fault(kind, seconds=0.01, size=2**20))
            await world.browser().arrive(world.app(FRONT), BEN)
            world.discord.faults.clear()


async def operate_console(world: World) -> None:
    """An operator looks at each page, and makes a client with a secret."""
    desk = await operate(world)
    for path in ("/accounts", "/clients", "/apis", "/guilds", "/keys", "/operators", "/audit"):
        assert (await desk.get(path)).status_code == 200, path
    await desk.get(f"/accounts/{desk.account}")
    await desk.get("/clients/back")


async def fail_inside(world: World) -> None:
    """Failures nobody foresaw, in the midst of requests: their traces are in the log."""
    browser, app = world.browser(), world.app(BACK)
    tokens, code = await browser.tokens(app), await browser.code(app)
    places = (
        "broker.core.tokens.Mint.answer",
        "broker.core.handles.Handles.open",
        "broker.stores.redis.grants.RedisGrants.refresh",
        "broker.stores.redis.grants.RedisGrants.redeem",
        "broker.core.clients._proven",
    )
    for place in places:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(place, _broken)
            await app.redeem(code)
            await app.refresh(tokens["refresh_token"])
            await world.userinfo(tokens["access_token"])


def _broken(*_: Any, **__: Any) -> Any:
    raise RuntimeError("injected")


Walk = Callable[[World], Awaitable[None]]

WALKS: tuple[Walk, ...] = (
    sign_in_and_refresh, authenticate, ask_in_other_ways, use_devices, exchange, prove, register,
    hear_of_ends, operate_console, fail_upstream, fail_inside,
)  # fmt: skip


# ── what was said ──────────────────────────────────────────────────────────────────────────────


@asynccontextmanager
async def watched(shared: Shelf, folder: Path, watch: Watch) -> AsyncIterator[World]:
    """A broker with everything on: console, registration, metrics, access log."""
    made: dict[str, Any] = {"console": console_of, "watch": watch, "quiet": False}
    on: dict[str, Any] = {"admin": "on", "registration": "token", "redis_prefix": folder.name[-40:]}
    async with begin(shared, folder, **made, **on, outbound_allow=("127.0.0.1",)) as world:
        yield world


async def walked(
    shared: Shelf, folder: Path, form: str, walks: Sequence[Walk]
) -> tuple[Wire, dict[str, str]]:
    """Take the walks; returns what was heard, and by walk what an operator can read of it."""
    watch, texts, end = Watch(), dict[str, str](), 0
    with overheard() as wire, logged(form) as said:
        async with watched(shared, folder, watch) as world:
            for walk in walks:
                await world.reset()
                await walk(world)
                entries = await world.sql.audit.page(limit=10_000)
                texts[f"audit of {walk.__name__}"] = str(entries)
                texts[f"log of {walk.__name__}"] = said.getvalue()[end:]
                end = len(said.getvalue())
        texts["metrics"] = generate_latest(watch.registry).decode()
        texts["log of the end"] = said.getvalue()[end:]
    for secret in (DISCORD_SECRET, OPERATOR_SECRET):
        wire.note("configured secret", secret)
    return wire, texts


@pytest.mark.parametrize("form", ["json", "console"])
async def test_nothing_secret_is_said(shared: Shelf, tmp_path: Path, form: str) -> None:
    """Every flow, good and bad, at debug level: no code, token, secret, cookie or proof of it.

    Neither itself nor in part, escaped, in hexadecimal or base64. What is drawn for a terminal
    differs in how it draws a failure, so that much is walked again.
    """
    wire, texts = await walked(shared, tmp_path, form, WALKS if form == "json" else WALKS[-2:])
    for name, text in texts.items():
        assert wire.found_in(text) == set(), name
    assert texts["log of fail_inside"].count("injected") >= 4
    assert " request " in texts["log of fail_inside"] or '"request"' in texts["log of fail_inside"]
    if form == "json":
        kinds = {"code", "cookie", "refresh_token", "client_assertion", "DPoP", "of Discord"}
        assert kinds | {"user_code", "state", "logout_token"} <= set(wire.heard.values())
        events = ("grant.reused", "device.approved", "token.exchanged", "account.deauthorized")
        assert {kind for kind in events if kind not in str(texts)} == set()


async def test_a_leak_in_the_broker_is_found(shared: Shelf, tmp_path: Path) -> None:
    """A line that some endpoint writes of what it was sent."""
    seen = clients.authenticate
    with pytest.MonkeyPatch.context() as patch:

        async def talkative(known: Any, params: Parameters, *more: Any, **named: Any) -> Any:
            structlog.get_logger("leak").debug("asked", cause=ValueError(params.one("code")))
            return await seen(known, params, *more, **named)

        patch.setattr("broker.core.grants.authenticate", talkative)
        wire, texts = await walked(shared, tmp_path, "json", [fail_inside])
    assert "code" in wire.found_in(texts["log of fail_inside"])


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("leak", ["{}", "https://x.example/?c={}", '{{"code": "{}"}}'])
async def test_every_form_of_a_leak_is_found(leak: str, form: str) -> None:
    """Whole, in part, escaped, encoded."""
    wire, secret = Wire(), "AQJx3-kk+/9%" * 6
    wire.note("code", secret)
    for shape in forms(secret):
        with logged(form) as said:
            structlog.get_logger("leak").debug("said", what=leak.format(shape))
        assert wire.found_in(said.getvalue()) == {"code"}, shape
    encoded = base64.b64encode(f"Basic of app:{secret}".encode()).decode()
    assert wire.found_in(encoded) == {"code"}
