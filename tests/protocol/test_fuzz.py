"""Anything is sent to every endpoint: never a 500, never a hang, never an open redirect."""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from broker.admin.console import console_of
from broker.core import vocabulary as v
from broker.web.branding import Look
from broker.web.documents import static_files
from broker.web.routes import ROUTES, Entry
from tests.protocol.actors import App
from tests.protocol.checks import hidden
from tests.protocol.events import ping, signed, withdrawal
from tests.protocol.fuzzing import FIELDS, Kept, changes, shots
from tests.protocol.harness import Shelf, World, begin
from tests.protocol.known import API, BACK, CLIENTS, FRONT, ISSUER, SECRET, THIRD
from tests.protocol.offering import discord_token
from tests.protocol.proving import Prover
from tests.protocol.registering import registered
from tests.protocol.services import TYPE_ACCESS
from tests.protocol.shots import MARKER, Diverted, Judge, Shot, Unreachable, kept_in_clear

LONG = os.environ.get("BROKER_TEST_LONG") == "1"
EACH, FLOWS = (1500, 1500) if LONG else (40, 40)
ALL = (*v.GRANT_TYPES, v.GRANT_CLIENT, v.GRANT_DEVICE, v.GRANT_EXCHANGE)
BYE = "https://back.example/bye"
URIS = {uri for one in CLIENTS for uri in (*one.redirect_uris, *one.post_logout_redirect_uris)}
NAMES = tuple(one.name for one in static_files(Look()))
URIS |= {"http://127.0.0.1:1/callback"}  # a native app chooses its port (RFC 8252 §7.3)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def fuzzed_world(
    shared: Shelf, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    """A broker with everything on."""
    folder = tmp_path_factory.mktemp("fuzzed")
    async with begin(shared, folder, console=console_of, registration="open") as found:
        yield found


@pytest_asyncio.fixture(loop_scope="session")
async def fuzzed(fuzzed_world: World) -> World:
    """The same, with nobody signed in."""
    await fuzzed_world.reset()
    return fuzzed_world


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> Unreachable:
    """Nobody outside can be reached, and whoever would be called is written down."""
    return Unreachable(monkeypatch)


def form(path: str, header: dict[str, str] | None = None, /, **fields: str) -> Shot:
    """An honest POST."""
    headers = tuple((k.encode(), one.encode()) for k, one in (header or {}).items())
    return Shot("POST", path, body=tuple(fields.items()), headers=headers)


def event(world: World, content: bytes) -> Shot:
    """What Discord posts."""
    request = signed(world, content)
    headers = tuple((k.lower().encode(), v.encode()) for k, v in request.headers.items())
    kept = tuple(pair for pair in headers if pair[0] != b"content-type")
    return Shot("POST", "/webhooks/discord", body=content, kind=b"application/json", headers=kept)


async def everything(world: World, **fields: Any) -> App:
    """A confidential client that may do all there is."""
    ways = {"exchange": ("impersonation", "delegation", "upstream"), "upstream_token": True}
    return await world.new_app(BACK, grant_types=ALL, **ways, **fields)


async def honest(world: World) -> Kept:
    """Let people and programs do all they can; return what they came by."""
    app, browser = await everything(world), world.browser()
    prover, third = Prover(world.app(FRONT)), world.browser()
    wide = await browser.tokens(app, scope="openid profile email offline_access")
    code = await browser.code(app)
    bound = (await prover.redeem(await browser.code(prover.app))).json()
    pushed = (await app.post("/par", **app.asks(resource=API))).json()["request_uri"]
    device = (await app.post("/device_authorization", scope="openid")).json()
    page = hidden(await third.arrive(world.app(THIRD)))
    out = hidden(await browser.http.get("/logout"))
    entry = hidden(await browser.http.get("/device"))
    told = await registered(world)
    theirs_there = discord_token(world)
    own, proof = app.client.client_id, app.proof()
    cookies = {"cookie": "; ".join(f"{k}={x}" for k, x in browser.http.cookies.items())}
    theirs = {"cookie": "; ".join(f"{k}={x}" for k, x in third.http.cookies.items())}
    hint, access, refresh = (wide[f"{k}_token"] for k in ("id", "access", "refresh"))
    bearer = {"authorization": f"Bearer {access}"}
    manager = {"authorization": f"Bearer {told['registration_access_token']}"}
    named = f"/register/{told['client_id']}"
    asks = tuple(app.asks().items())
    posted = tuple(app.asks(response_mode="form_post", prompt="none", state=MARKER).items())
    bases = {
        "/token": [
            form("/token", proof, grant_type="authorization_code", code=code,
                 redirect_uri=app.redirect_uri, code_verifier=app.verifier),
            form("/token", proof, grant_type="refresh_token", refresh_token=refresh),
            form("/token", proof, grant_type=v.GRANT_CLIENT, resource=API),
            form("/token", proof, grant_type=v.GRANT_DEVICE,
                 device_code=device["device_code"]),
            form("/token", proof, grant_type=v.GRANT_EXCHANGE, subject_token=access,
                 subject_token_type=TYPE_ACCESS),
            form("/token", proof, grant_type=v.GRANT_EXCHANGE, subject_token=theirs_there,
                 subject_token_type=TYPE_ACCESS, subject_issuer="discord"),
            form("/token", proof, grant_type=v.GRANT_EXCHANGE, subject_token=access,
                 subject_token_type=TYPE_ACCESS, requested_issuer="discord"),
            form("/token", {"dpop": prover.proof()}, grant_type="refresh_token",
                 refresh_token=bound["refresh_token"], client_id="front"),
        ],
        "/par": [form("/par", proof, **app.asks())],
        "/userinfo": [Shot("GET", "/userinfo", headers=_raw(bearer)),
                      form("/userinfo", access_token=access)],
        "/revoke": [form("/revoke", proof, token="x")],
        "/introspect": [form("/introspect", proof, token=access)],
        "/device_authorization": [form("/device_authorization", proof, scope="openid")],
        "/authorize": [Shot("GET", "/authorize", asks, headers=_raw(cookies)),
                       Shot("GET", "/authorize", posted, headers=_raw(cookies)),
                       Shot("GET", "/authorize", (("client_id", own), ("request_uri", pushed))),
                       form("/authorize", **app.asks())],
        "/interaction": [form("/interaction", theirs, **{"decision": "allow"} | page)],
        "/account": [Shot("GET", "/account", (("notice", "linked"),), headers=_raw(cookies)),
                     form("/account", cookies, csrf="x", action="unlink", upstream="discord"),
                     form("/account", cookies, csrf="x", action="link", upstream="discord"),
                     form("/account", cookies, csrf="x", action="sign_out", session="x"),
                     form("/account", cookies, csrf="x", action="withdraw", client="x"),
                     form("/account", cookies, csrf="x", action="delete", sure="yes")],
        "/logout": [form("/logout", cookies, **{"confirm": "yes"} | out),
                    Shot("GET", "/logout", (("id_token_hint", hint),
                         ("post_logout_redirect_uri", BYE), ("state", MARKER)))],
        "/device": [form("/device", cookies, **entry, user_code=device["user_code"]),
                    form("/device", cookies, **entry, user_code=MARKER),
                    Shot("GET", "/device", (("user_code", device["user_code"]),))],
        "/webhooks/discord": [event(world, ping()), event(world, withdrawal(world)),
                              event(world, withdrawal(world, "nobody")), event(world, b"[]")],
        "/register/{client_id}": [Shot("GET", named, headers=_raw(manager)),
                                  Shot("PUT", named, body=b"{}", kind=b"application/json",
                                       headers=_raw(manager))],
    }  # fmt: skip
    things = [*wide.values(), *bound.values(), *device.values(), *page.values(), *out.values()]
    things += [code, pushed, own, SECRET, "front", "native", API, BYE, ISSUER, app.verifier]
    things += [theirs_there, told["registration_access_token"], *(app.asks().values())]
    return Kept(
        tuple(dict.fromkeys(str(one) for one in things)),
        bases,
        (*_raw(proof), *_raw(bearer), *_raw(manager), *_raw(cookies), *_raw(theirs),
         (b"dpop", prover.proof().encode())),
        {"upstream": ("discord", "x"), "code": (device["user_code"], "AAAA-BBBB"),
         "name": (*NAMES, "broker.css", "..%2f..%2fetc%2fpasswd"),
         "path:path": ("console.css", "accounts", "keys/rotate", "..%2f..%2fetc", "a/../b"),
         "client_id": (told["client_id"], own)},
    )  # fmt: skip


def _raw(headers: dict[str, str]) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((name.encode(), value.encode()) for name, value in headers.items())


async def storm(
    strategy: st.SearchStrategy[Any], run: Callable[[Any], Awaitable[Any]], examples: int
) -> None:
    """Let Hypothesis, in a thread of its own, choose what runs in this loop."""
    loop = asyncio.get_running_loop()

    @settings(
        max_examples=examples,
        derandomize=not LONG,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
    )
    @given(strategy)
    def attempt(chosen: Any) -> None:
        asyncio.run_coroutine_threadsafe(_awaited(run(chosen)), loop).result(30)

    await asyncio.to_thread(attempt)


async def _awaited(what: Awaitable[Any]) -> Any:
    return await what


async def still_well(world: World) -> None:
    """A person signs in as ever; Redis keeps nothing for ever, and no secret."""
    await world.advance(1)  # whoever withdraws and comes back in the same instant is not let in
    tokens = await world.browser().tokens(world.app(FRONT))
    assert (await world.userinfo(tokens["access_token"])).status_code == 200
    assert await kept_in_clear(world) == []


async def test_every_route_has_its_recipe() -> None:
    """A new route is not left out."""
    assert {entry.path for entry in ROUTES} == set(FIELDS)


@pytest.mark.parametrize("entry", ROUTES, ids=lambda entry: entry.path)
async def test_anything_at_all(fuzzed: World, entry: Entry, outside: Unreachable) -> None:
    """Each endpoint answers whatever comes as its table says, and goes on working."""
    kept = await honest(fuzzed)
    judge = Judge(fuzzed, URIS)
    await storm(shots(entry, kept), judge, EACH)
    print(entry.path, dict(Counter(judge.statuses)), f"slowest {judge.slowest:.2f} s")
    if "register" not in entry.path:  # a sector's document is fetched when it is registered
        assert outside.called == []
    await still_well(fuzzed)


async def test_one_thing_changed_on_the_way(fuzzed: World, outside: Unreachable) -> None:
    """Push, sign in, decide, redeem, refresh, exchange, introspect, revoke, sign out: one bent."""
    kept = await honest(fuzzed)
    app, judge = await everything(fuzzed, first_party=False), Judge(fuzzed, URIS)
    names = sorted({name for fields in FIELDS.values() for name in fields.split()})

    async def attempt(chosen: tuple[int, Callable[[Shot], Shot]]) -> None:
        way = Diverted(judge, *chosen)
        ordinary, fuzzed.api = fuzzed.api, httpx2.AsyncClient(transport=way, base_url=ISSUER)
        browser = fuzzed.browser()
        browser.http = httpx2.AsyncClient(transport=way, base_url=ISSUER)
        try:
            await life(fuzzed, app, browser)
        except (AssertionError, KeyError, ValueError):
            pass  # what is bent may be refused; whether it may be answered so is judged
        finally:
            await fuzzed.api.aclose()
            await browser.http.aclose()
            fuzzed.api = ordinary
        assert way.faults == []

    await storm(st.tuples(st.integers(0, 13), changes(kept, names)), attempt, FLOWS)
    print("flows", dict(Counter(judge.statuses)), f"slowest {judge.slowest:.2f} s")
    assert outside.called == []
    await still_well(fuzzed)


async def life(world: World, app: App, browser: Any) -> None:
    """All that an honest client and its user do, fourteen requests or so."""
    pushed = (await app.post("/par", **app.asks(prompt="consent"))).json()["request_uri"]
    asked = {"client_id": app.client.client_id, "request_uri": pushed}
    answer = await browser.go_on(await browser.http.get("/authorize", params=asked))
    if answer.status_code == 200:  # the page that asks
        answer = await browser.go_on(await browser.decide(answer, "allow"))
    code = httpx2.URL(answer.headers["location"]).params["code"]
    tokens = (await app.redeem(code)).json()
    newer = (await app.refresh(tokens["refresh_token"])).json()
    await world.userinfo(newer["access_token"])
    await app.post("/introspect", token=newer["access_token"])
    kind = "urn:ietf:params:oauth:token-type:access_token"
    await app.token(grant_type=v.GRANT_EXCHANGE, subject_token=tokens["access_token"],
                    subject_token_type=kind)  # fmt: skip
    await app.revoke(newer["refresh_token"])
    out = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": BYE}
    await browser.go_on(await browser.http.get("/logout", params=out))
