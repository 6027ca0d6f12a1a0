"""Clients that look after their own registration: RFC 7592."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio

from broker.app.compose import compose
from broker.core.client import ClientSecret
from broker.core.clients import digest
from broker.stores.sql.followed_register import INTERVAL
from tests.core.helpers import Counted
from tests.protocol.checks import is_challenge, is_token_error
from tests.protocol.harness import Shelf, World, begin, settings_for
from tests.protocol.known import ISSUER
from tests.protocol.registering import app_of, bearer, edit, kept, manage, registered


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def open_world(
    shared: Shelf, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    """A broker where anybody may register."""
    async with begin(shared, tmp_path_factory.mktemp("own"), registration="open") as found:
        yield found


@pytest_asyncio.fixture(loop_scope="session")
async def world(open_world: World) -> World:
    await open_world.reset()
    return open_world


async def operator(world: World, told: dict, **fields) -> None:
    """Change a client as an operator does, and let the broker follow."""
    record = await world.sql.clients.get(told["client_id"])
    changed = replace(record.client, **fields)
    await world.sql.clients.edit(changed, version=record.version, now=world.clock.now())
    await world.advance(0)


async def test_a_client_reads_its_registration(world: World) -> None:
    """RFC 7592 §2.1: as it was told, but for the secret, which nobody has any more."""
    told = await registered(world)
    answer = await manage(world, told, "GET")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    told.pop("client_secret")
    assert answer.json() == told


async def test_an_edit_replaces_everything(world: World) -> None:
    """RFC 7592 §2.2: what is omitted is unset; secret and token stay as they were."""
    told = await registered(world, tos_uri="https://lantern.example/tos")
    before = await kept(world, told)
    answer = await edit(world, told, tos_uri=None, client_name="Lamp", scope="openid")
    assert answer.status_code == 200
    after = answer.json()
    assert "tos_uri" not in after
    assert "client_secret" not in after
    assert (after["client_name"], after["scope"]) == ("Lamp", "openid")
    assert after["registration_access_token"] == told["registration_access_token"]
    assert after["client_id_issued_at"] == told["client_id_issued_at"]
    client = await kept(world, told)
    assert (client.secrets, client.registration_digest) == (
        before.secrets,
        before.registration_digest,
    )
    assert (await manage(world, told, "GET")).json() == after


async def test_an_edit_counts_at_once(world: World) -> None:
    """In the process that took it; others follow within two seconds."""
    told = await registered(world)
    app, browser = await app_of(world, told), world.browser()
    assert (await browser.authorize(app)).status_code == 303
    await edit(world, told, redirect_uris=["https://moved.example/cb"])
    assert (await browser.authorize(app)).status_code == 400
    app.redirect_uri = "https://moved.example/cb"
    assert (await browser.authorize(app)).status_code == 303


async def test_a_client_that_becomes_public_loses_its_secret_and_gets_a_new_one_later(
    world: World,
) -> None:
    """A secret is told at the moment it is made, and only then."""
    told = await registered(world)
    public = (await edit(world, told, token_endpoint_auth_method="none")).json()
    assert "client_secret" not in public
    assert "client_secret_expires_at" not in public
    client = await kept(world, told)
    assert (client.secrets, client.origins) == ((), ("https://lantern.example",))
    again = (await edit(world, told, token_endpoint_auth_method="client_secret_post")).json()
    assert again["client_secret"] != told["client_secret"]
    client = await kept(world, told)
    assert client.secrets[0].digest == digest(again["client_secret"])
    assert client.origins == ()


async def test_a_client_cannot_choose_its_secret(world: World) -> None:
    """RFC 7592 §2.2: it may repeat the current one; any other is refused."""
    told = await registered(world)
    assert (await edit(world, told, client_secret=told["client_secret"])).status_code == 200
    for other in ("mine", told["client_secret"][:-1], "\u00e9", 5, ["x"]):
        answer = await edit(world, told, client_secret=other)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client_metadata")


async def test_which_secret_is_current(world: World) -> None:
    """One that an operator has replaced may be repeated until it ends; it is said when it does."""
    told, now = await registered(world), world.clock.now()
    (mine,) = (await kept(world, told)).secrets
    ending = replace(mine, expires_at=now + 100)
    await operator(world, told, secrets=(ending, ClientSecret(digest("new"), now)))
    answer = await edit(world, told, client_secret=told["client_secret"])
    assert answer.status_code == 200
    assert answer.json()["client_secret_expires_at"] == int(now + 100)
    await world.advance(100)
    for secret, status in ((told["client_secret"], 400), ("new", 200)):
        assert (await edit(world, told, client_secret=secret)).status_code == status


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"client_id": "front"}, "invalid_client_metadata"),
        ({"client_id": None}, "invalid_client_metadata"),
        ({"redirect_uris": None}, "invalid_redirect_uri"),
        ({"redirect_uris": ["http://evil.example"]}, "invalid_redirect_uri"),
        ({"grant_types": ["client_credentials"]}, "invalid_client_metadata"),
        ({"registration_access_token": "x"}, "invalid_request"),
        ({"registration_client_uri": f"{ISSUER}/register/front"}, "invalid_request"),
        ({"client_id_issued_at": 1}, "invalid_request"),
        ({"client_secret_expires_at": 0}, "invalid_request"),
    ],
)
async def test_what_an_edit_must_not_say(world: World, changes: dict, error: str) -> None:
    """RFC 7592 §2.2; nothing is changed."""
    told = await registered(world)
    before = await kept(world, told)
    answer = await edit(world, told, **changes)
    assert (answer.status_code, answer.json()["error"]) == (400, error), answer.text
    assert await kept(world, told) == before


async def test_what_an_operator_gave_stays(world: World) -> None:
    """An edit neither takes nor loses it, and cannot widen it."""
    told = await registered(world)
    await operator(
        world, told, resources=("https://api.example",), access_token_lifetime=60,
        scopes=("openid", "orders.read"),
        grant_types=("authorization_code", "client_credentials"), origins=("https://x.example",),
    )  # fmt: skip
    types = ["authorization_code", "client_credentials"]
    more = {"scope": "openid email orders.read orders.write", "resources": ["https://evil.example"]}
    answer = await edit(world, told, grant_types=types, audience="x", **more)
    assert answer.status_code == 200, answer.text
    client = await kept(world, told)
    assert client.grant_types == tuple(types)
    assert client.scopes == ("openid", "email", "orders.read")
    assert client.resources == ("https://api.example",)
    assert (client.access_token_lifetime, client.audience) == (60, None)
    assert client.origins == ("https://x.example",)


async def test_a_disabled_client_manages_nothing(world: World) -> None:
    """Its operator has switched it off; it cannot switch itself on."""
    told = await registered(world)
    await operator(world, told, disabled=True)
    is_challenge(await manage(world, told, "GET"))
    is_challenge(await edit(world, told))
    is_challenge(await manage(world, told, "DELETE"))


async def test_a_client_removes_itself(world: World) -> None:
    """RFC 7592 §2.3: 204; its tokens end here, its token too, its name is never given again."""
    told = await registered(world)
    app, browser = await app_of(world, told), world.browser()
    tokens = await browser.tokens(app, scope="openid offline_access", prompt="consent")
    answer = await manage(world, told, "DELETE")
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["cache-control"] == "no-store"
    is_token_error(await app.refresh(tokens["refresh_token"]), "invalid_client", 401)
    is_challenge(await world.userinfo(tokens["access_token"]))
    assert (await browser.authorize(app)).status_code == 400
    for method in ("GET", "PUT", "DELETE"):
        is_challenge(await manage(world, told, method, **({"json": {}} if method == "PUT" else {})))
    (event,) = await world.audit("client.removed")
    assert (event.event.actor, event.event.client_id) == ("client", told["client_id"])


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_only_a_client_s_own_token_opens_its_registration(world: World, method: str) -> None:
    """401 alike for a wrong token, another's, none, and a client that does not exist."""
    told, other = await registered(world), await registered(world)
    path, foreign = f"/register/{told['client_id']}", other["registration_access_token"]
    json = {"json": {"client_id": told["client_id"]}} if method == "PUT" else {}
    attempts = [
        *((path, token) for token in ("x", foreign, told["registration_access_token"][:-1])),
        *((f"/register/{one}", foreign) for one in ("f" * 32, "front", "%00", "a" * 300, "%F0%9F")),
    ]
    answers = [
        await world.api.request(method, where, headers=bearer(token), **json)
        for where, token in attempts
    ]
    for answer in answers:
        is_challenge(answer)
    assert len({answer.content for answer in answers}) == 1
    assert len({answer.headers["www-authenticate"] for answer in answers}) == 1
    is_challenge(await world.api.request(method, path, **json), None)
    assert await kept(world, told)


async def test_edits_at_once_are_all_answered(world: World) -> None:
    """Each is taken whole, one after the other; the registration is that of one of them."""
    told = await registered(world)
    names = [f"Name {number}" for number in range(4)]
    answers = await asyncio.gather(*(edit(world, told, client_name=name) for name in names))
    assert {answer.status_code for answer in answers} <= {200, 503}
    assert any(answer.status_code == 200 for answer in answers)
    assert (await kept(world, told)).name in names


async def test_an_edit_meets_an_operator_s(world: World, monkeypatch) -> None:
    """What an operator changes between reading and writing is not lost: the edit is made anew."""
    told, edited = await registered(world), world.sql.clients.edit
    beaten = []

    async def late(client, **more):
        if not beaten:
            beaten.append(True)
            monkeypatch.undo()
            await operator(world, told, audience="https://api.example")
        return await edited(client, **more)

    monkeypatch.setattr(world.sql.clients, "edit", late)
    assert (await edit(world, told, client_name="Lamp")).status_code == 200
    client = await kept(world, told)
    assert beaten
    assert (client.name, client.audience) == ("Lamp", "https://api.example")


async def test_a_client_that_is_changed_all_the_time(world: World, monkeypatch) -> None:
    """It is told to come again, and nothing of its edit counts."""
    told, edited, numbers = await registered(world), world.sql.clients.edit, count()

    async def beaten(client, **more):
        record = await world.sql.clients.get(told["client_id"])
        other = replace(record.client, audience=f"https://api.example/{next(numbers)}")
        await edited(other, version=record.version, now=world.clock.now())
        return await edited(client, **more)

    monkeypatch.setattr(world.sql.clients, "edit", beaten)
    answer = await edit(world, told, client_name="Lamp")
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert (await kept(world, told)).name == "Lantern"


async def test_a_body_is_read_only_from_who_may_edit(world: World) -> None:
    """A stranger's megabytes are not; the client's own are judged like a registration."""
    told = await registered(world)
    path = f"/register/{told['client_id']}"
    huge = {"client_name": "x" * 70_000}
    is_challenge(await world.api.put(path, json=huge, headers=bearer("x")))
    assert (await manage(world, told, "PUT", json=huge)).status_code == 413
    assert (await manage(world, told, "PUT", content="{}")).json()["error"] == "invalid_request"
    assert (await manage(world, told, "PUT", json=[])).json()["error"] == "invalid_client_metadata"


async def test_every_process_follows(shared: Shelf, tmp_path: Path) -> None:
    """Registered at one, a client works at another at once; edits and its end within two seconds.

    The bound is the interval at which processes compare; here it is done by hand.
    """
    async with begin(shared, tmp_path, registration="open") as world:
        same = settings_for(shared, tmp_path / "broker.db", registration="open")
        async with compose(same, shared.redis_url, clock=world.clock, entropy=Counted()) as other:
            transport = httpx2.ASGITransport(app=other.web)
            async with httpx2.AsyncClient(transport=transport, base_url=ISSUER) as elsewhere:
                told = await registered(world)
                app = await app_of(world, told)
                answer = await elsewhere.get("/authorize", params=app.asks())
                assert answer.status_code == 303
                headers = bearer(told["registration_access_token"])
                path = f"/register/{told['client_id']}"
                assert (await elsewhere.get(path, headers=headers)).status_code == 200
                await edit(world, told, redirect_uris=["https://moved.example/cb"])
                await other.stores.sql.followed_clients.compare()
                answer = await elsewhere.get("/authorize", params=app.asks())
                assert answer.status_code == 400
                assert (await manage(world, told, "DELETE")).status_code == 204
                assert (await elsewhere.get(path, headers=headers)).status_code == 401
                await other.stores.sql.followed_clients.compare()
                data = {"grant_type": "refresh_token", "refresh_token": "x"}
                answer = await elsewhere.post("/token", data=data, headers=app.proof())
                assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert INTERVAL <= 2
