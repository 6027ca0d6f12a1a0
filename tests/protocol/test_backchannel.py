"""Back-channel logout: every client of a session hears of its end, and hears the truth."""

import asyncio
import math
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from broker.app.telling import Pace, Telling
from broker.core.subjects import subject_for
from tests.pace import until
from tests.ports import free_port
from tests.protocol.actors import App, Browser
from tests.protocol.checks import hidden, is_challenge, is_token_error
from tests.protocol.communities import HALL
from tests.protocol.harness import Shelf, World, begin
from tests.protocol.known import ADA, BACK, BEN, FRONT
from tests.protocol.listening import Listener, judged, listening
from tests.protocol.tokens import claims_of, header_of
from tests.upstream.receiving import receiving, silence

QUIET = 0.5  # seconds in which whoever is to hear nothing has heard nothing
PACE = Pace(interval=0.05, first=0.05, longest=0.2)


@dataclass
class Impatient:
    """A ``Pace`` whose patience is over when two tries have failed, however long they took."""

    interval: float = 0.05
    first: float = 0.05
    longest: float = 0.1
    failed: int = 0

    @property
    def give_up(self) -> float:
        self.failed += 1
        return math.inf if self.failed <= 2 else 0.1


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def quick_world(
    shared: Shelf, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    """A broker whose operator allows receivers on loopback, and which tries again quickly."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("broker.app.compose.Telling", partial(Telling, pace=PACE))
        folder = tmp_path_factory.mktemp("backchannel")
        allowed: dict[str, Any] = {"outbound_allow": ("127.0.0.1",), "redis_prefix": "back"}
        async with begin(shared, folder, signing_algorithms=("ES256",), **allowed) as found:
            await found.advance(3600)  # by then the keys of the added algorithm sign
            yield found


@pytest_asyncio.fixture(loop_scope="session")
async def world(quick_world: World) -> World:
    """That broker with nobody signed in."""
    await quick_world.reset()
    return quick_world


@pytest_asyncio.fixture(loop_scope="session")
async def listener() -> AsyncIterator[Listener]:
    """A receiver that is content with what it gets."""
    async with listening() as found:
        yield found


async def heard_by(world: World, listener: Listener, **fields: Any) -> App:
    """An app that wants to be told at that receiver."""
    return await world.new_app(FRONT, backchannel_logout_uri=listener.uri, **fields)


async def log_out(browser: Browser, tokens: dict[str, Any]) -> None:
    answer = await browser.http.get("/logout", params={"id_token_hint": tokens["id_token"]})
    assert answer.status_code == 200


# ── what is told ───────────────────────────────────────────────────────────────────────────


async def test_a_logout_token(world: World, browser: Browser, listener: Listener) -> None:
    """§2.4, §2.5: a form with a signed token that names subject and session, and no nonce."""
    app = await heard_by(world, listener)
    tokens = await browser.tokens(app)
    await log_out(browser, tokens)
    (token,) = await listener.hears()
    known = claims_of(tokens["id_token"])
    claims = await judged(world, token, app.client.client_id)
    assert (claims["sub"], claims["sid"]) == (known["sub"], known["sid"])
    head = listener.requests[0][0]
    assert head.startswith("POST /logout?of=us HTTP/1.1")
    assert "content-type: application/x-www-form-urlencoded" in head.lower()


async def test_it_is_signed_as_the_client_wants_it(
    world: World, browser: Browser, listener: Listener
) -> None:
    """With the algorithm of its ID tokens (§2.4)."""
    app = await heard_by(world, listener, id_token_signed_response_alg="ES256")
    await log_out(browser, await browser.tokens(app))
    (token,) = await listener.hears()
    await judged(world, token, app.client.client_id, "ES256")


async def test_a_pairwise_client_hears_its_own_subject(
    world: World, browser: Browser, listener: Listener
) -> None:
    """Core §8: the public identifier is nobody's business but ours."""
    app = await heard_by(world, listener, subject_type="pairwise")
    await browser.tokens(app)
    account = await world.account_of(ADA)
    facts = await world.sql.accounts.facts(account)
    assert facts is not None
    await world.sign_out(account)
    (token,) = await listener.hears()
    claims = await judged(world, token, app.client.client_id)
    assert claims["sub"] == subject_for(app.client, account, facts.sub) != facts.sub


async def test_a_logout_token_is_good_for_nothing_else(
    world: World, browser: Browser, listener: Listener
) -> None:
    """Neither as an access token nor as a hint: its type is its own (RFC 8725 §3.11)."""
    app = await heard_by(world, listener)
    await log_out(browser, await browser.tokens(app))
    (token,) = await listener.hears()
    is_challenge(await world.userinfo(token))
    again = world.browser()
    await again.tokens(app)
    page = await again.http.get("/logout", params={"id_token_hint": token})
    assert "csrf" in hidden(page)
    assert again.session


async def test_a_withdrawal_is_told_to_its_app_alone(
    world: World, browser: Browser, listener: Listener
) -> None:
    """A person takes one app's access away: it hears of it, once, and nobody else does."""
    async with listening() as others:
        app, other = await heard_by(world, listener), await heard_by(world, others)
        tokens, _ = await browser.tokens(app), await browser.tokens(other)
        page = await browser.http.get("/account")
        withdrawn = {"action": "withdraw", "client": app.client.client_id}
        await browser.http.post("/account", data={"csrf": hidden(page)["csrf"], **withdrawn})
        (token,) = await listener.hears()
        claims = await judged(world, token, app.client.client_id)
        assert claims["sid"] == claims_of(tokens["id_token"])["sid"]
        await world.drain()
        await asyncio.sleep(QUIET)
        assert (len(listener.tokens), others.tokens) == (1, [])


# ── who is told ────────────────────────────────────────────────────────────────────────────


async def test_every_client_of_the_session_and_no_other(world: World, browser: Browser) -> None:
    """Once each; not the client of another session, nor of another person, nor one without URI."""
    async with listening() as first, listening() as second, listening() as others:
        one, two = await heard_by(world, first), await heard_by(world, second)
        elsewhere = await heard_by(world, others)
        tokens = await browser.tokens(one)
        await browser.tokens(one)
        await browser.tokens(two)
        await browser.tokens(world.app(BACK))
        await world.browser().tokens(elsewhere)
        await world.browser().tokens(one, BEN)
        await log_out(browser, tokens)
        await first.hears()
        await second.hears()
        await asyncio.sleep(QUIET)
        assert (len(first.requests), len(second.requests)) == (1, 1)
        assert others.requests == []


async def test_offline_grants_stay_and_their_clients_are_told(
    world: World, browser: Browser, listener: Listener
) -> None:
    """§2.7: the person is signed out, what was granted for later goes on."""
    app = await heard_by(world, listener)
    tokens = await browser.tokens(app, scope="openid offline_access")
    await log_out(browser, tokens)
    await listener.hears()
    assert (await app.refresh(tokens["refresh_token"])).status_code == 200


async def test_our_own_logout_page(world: World, browser: Browser, listener: Listener) -> None:
    """Whoever signs out here is signed out there."""
    app = await heard_by(world, listener)
    await browser.tokens(app)
    page = await browser.http.get("/logout")
    await browser.http.post("/logout", data={**hidden(page), "confirm": "yes"})
    await listener.hears()


async def test_another_person_in_the_same_browser(
    world: World, browser: Browser, listener: Listener
) -> None:
    """The former session ends when somebody else signs in there."""
    app = await heard_by(world, listener)
    known = claims_of((await browser.tokens(app))["id_token"])
    await browser.arrive(world.app(BACK), BEN, prompt="login")
    (token,) = await listener.hears()
    assert claims_of(token)["sub"] == known["sub"]


@pytest.mark.parametrize("how", ["disable", "sign_out"])
async def test_an_operator_ends_everything(
    world: World, browser: Browser, listener: Listener, how: str
) -> None:
    """Each session is named; offline grants end too, and their clients are told."""
    app = await heard_by(world, listener)
    first = await browser.tokens(app)
    second = await world.browser().tokens(app, scope="openid offline_access")
    await getattr(world, how)(await world.account_of(ADA))
    heard = {claims_of(token)["sid"] for token in await listener.hears(2)}
    assert heard == {claims_of(tokens["id_token"])["sid"] for tokens in (first, second)}
    is_token_error(await app.refresh(second["refresh_token"]), "invalid_grant")


async def test_a_client_that_is_switched_off_is_not_called(
    world: World, browser: Browser, listener: Listener
) -> None:
    """Nor one that has taken its address back."""
    off, without = await heard_by(world, listener), await heard_by(world, listener)
    tokens = await browser.tokens(off)
    await browser.tokens(without)
    await world.edit(off, disabled=True)
    await world.edit(without, backchannel_logout_uri=None)
    await log_out(browser, tokens)
    await forgotten(world, "back")
    await asyncio.sleep(QUIET)
    assert listener.requests == []


# ── receivers that do not do as they should ────────────────────────────────────────────────


async def test_a_receiver_that_fails_is_told_again(world: World, browser: Browser) -> None:
    """Each time with a new token, signed anew; until it takes one."""
    failures = ("500 Internal Server Error", "429 Too Many Requests", "400 Bad Request")
    async with listening(*failures, "204 No Content") as listener:
        app = await heard_by(world, listener)
        await log_out(browser, await browser.tokens(app))
        tokens = await listener.hears(4)
        await asyncio.sleep(QUIET)
        assert len(listener.requests) == 4
    found = [await judged(world, token, app.client.client_id) for token in tokens]
    assert len({claims["jti"] for claims in found}) == 4
    assert await world.audit("logout.undelivered") == []


async def test_the_key_that_signs_then_is_the_one_that_signs_it(
    world: World, browser: Browser
) -> None:
    """A change of keys between the logout and its delivery troubles nobody."""
    async with listening(*["503 Service Unavailable"] * 2) as listener:
        app = await heard_by(world, listener)
        await log_out(browser, await browser.tokens(app))
        (first,) = (await listener.hears())[:1]
        await world.advance(31 * 86400)
        later = (await listener.hears(3))[-1]
        assert header_of(first)["kid"] != header_of(later)["kid"]
        await judged(world, later, app.client.client_id)


async def test_a_receiver_that_keeps_saying_no_is_given_up(world: World, browser: Browser) -> None:
    """§2.8: a 400 means that it could not do it. An operator can read of it."""
    async with listening(*["400 Bad Request"] * 9) as listener:
        app = await heard_by(world, listener)
        tokens = await browser.tokens(app)
        await log_out(browser, tokens)
        entry = await undelivered(world)
        assert len(listener.requests) == 5
        await asyncio.sleep(QUIET)
        assert len(listener.requests) == 5
    assert entry.client_id == app.client.client_id
    assert entry.account_id == await world.account_of(ADA)
    sid = claims_of(tokens["id_token"])["sid"]
    assert entry.detail == {"reason": "answered 400", "tries": 5, "sid": sid}


async def test_a_receiver_in_a_private_network_is_not_called(
    world: World, browser: Browser
) -> None:
    """Not once, and the audit log says which setting would allow it (CVE-2026-1180)."""
    async with receiving(b"HTTP/1.1 200 OK\r\n\r\n", host="127.0.0.2") as (port, requests):
        uri = f"https://127.0.0.2:{port}/logout"
        app = await world.new_app(FRONT, backchannel_logout_uri=uri)
        await log_out(browser, await browser.tokens(app))
        entry = await undelivered(world)
        assert requests == []
    assert "BROKER_OUTBOUND_ALLOW" in entry.detail["reason"]
    assert entry.detail["tries"] == 1


async def test_a_redirect_is_not_followed(world: World, browser: Browser) -> None:
    """Wherever a receiver would like to send us: that is a no."""
    async with listening() as inner:
        moved = f"307 Temporary Redirect\r\nlocation: {inner.uri}"
        async with listening(*[moved] * 9) as listener:
            app = await heard_by(world, listener)
            await log_out(browser, await browser.tokens(app))
            assert (await undelivered(world)).detail["reason"] == "answered 307"
        assert inner.requests == []


async def test_a_silent_receiver_holds_up_nobody(
    world: World, browser: Browser, listener: Listener
) -> None:
    """Others hear at once; those who wait for the silent one wait alone."""
    async with receiving(silence) as (port, asked):
        uri = f"http://127.0.0.1:{port}/"
        dead = await world.new_app(FRONT, backchannel_logout_uri=uri)
        app = await heard_by(world, listener)
        sessions = [world.browser() for _ in range(6)]
        for each in sessions:
            await each.tokens(dead)
        tokens = await browser.tokens(app)
        for each in sessions:
            await log_out(each, await each.tokens(dead))
        await log_out(browser, tokens)
        await listener.hears(within=4.0)  # the silent one is given up after five seconds
        await until(lambda: asked)
        assert len(asked) <= 4


async def test_what_cannot_be_delivered_is_given_up_in_the_end(
    shared: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody listens there, for as long as a notice is kept: an operator reads why."""
    monkeypatch.setattr("broker.app.compose.Telling", partial(Telling, pace=Impatient()))
    allowed: dict[str, Any] = {"outbound_allow": ("127.0.0.1",), "redis_prefix": "patience"}
    async with begin(shared, tmp_path, **allowed) as world:
        uri = f"http://127.0.0.1:{free_port()}/"
        app, browser = await world.new_app(FRONT, backchannel_logout_uri=uri), world.browser()
        await log_out(browser, await browser.tokens(app))
        entry = await undelivered(world)
        assert "ConnectError" in entry.detail["reason"]
        assert entry.detail["tries"] == 3
        await forgotten(world, "patience")


async def forgotten(world: World, prefix: str, within: float = 20.0) -> None:
    """Wait until nobody is to be told of anything."""
    async with asyncio.timeout(within):
        while await world.redis.keys(f"{prefix}:*:notices"):
            await asyncio.sleep(0.02)


async def undelivered(world: World, within: float = 20.0) -> Any:
    """Wait for the one event that says so."""
    async with asyncio.timeout(within):
        while not (found := await world.audit("logout.undelivered")):
            await asyncio.sleep(0.02)
    (entry,) = found
    return entry.event


async def test_a_grant_that_a_policy_ends_is_no_sign_out(
    world: World, browser: Browser, listener: Listener
) -> None:
    """Nothing is sent for it: the session goes on, and its own end is told later."""
    app = await heard_by(world, listener, policy={"guilds": [{"id": HALL}]}, guilds=(HALL,))
    tokens = await browser.tokens(app)
    world.discord.kick(ADA, HALL)
    await world.advance(601)
    is_token_error(await app.refresh(tokens["refresh_token"]), "invalid_grant")
    await asyncio.sleep(QUIET)
    assert listener.tokens == []
    await log_out(browser, tokens)
    assert len(await listener.hears()) == 1
