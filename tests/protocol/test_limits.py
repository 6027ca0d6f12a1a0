"""How much may be asked for: by one address, one client, one account."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio

from tests.protocol.harness import Shelf, World, begin
from tests.protocol.known import BACK, FRONT


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def limited_world(
    shared: Shelf, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    """A broker that lets little through."""
    limits = {"limit_address": "10/minute", "limit_client": "8/minute", "limit_account": "5/minute"}
    folder: Path = tmp_path_factory.mktemp("limited")
    async with begin(shared, folder, trusted_proxies=("127.0.0.1",), **limits) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="session")
async def limited(limited_world: World) -> World:
    """The same, with nobody signed in and a minute of its own."""
    await limited_world.reset()
    await limited_world.advance(120)
    return limited_world


def asked_by(address: str) -> dict[str, str]:
    """Headers as a trusted proxy writes them."""
    return {"x-forwarded-for": address}


async def until_refused(world: World, path: str, headers: dict[str, str]) -> httpx2.Response:
    for _ in range(30):
        answer = await world.api.get(path, headers=headers)
        if answer.status_code == 429:
            return answer
    raise AssertionError("nothing was refused")


async def test_a_program_is_told_how_long_to_wait(limited: World) -> None:
    """429 in JSON with Retry-After and the RateLimit fields; another address is not concerned."""
    answer = await until_refused(limited, "/userinfo", asked_by("192.0.2.1"))
    assert answer.json()["error"] == "too_many_requests"
    wait = int(answer.headers["retry-after"])
    assert 1 <= wait <= 60
    assert answer.headers["ratelimit-policy"] == '"address";q=10;w=60'
    assert answer.headers["ratelimit"] == f'"address";r=0;t={wait}'
    assert answer.headers["cache-control"] == "no-store"
    other = await limited.api.get("/userinfo", headers=asked_by("192.0.2.2"))
    assert other.status_code == 401
    await limited.advance(wait + 1)
    again = await limited.api.get("/userinfo", headers=asked_by("192.0.2.1"))
    assert again.status_code == 401


async def test_a_person_gets_a_page(limited: World) -> None:
    """What happened, and when to try again."""
    answer = await until_refused(limited, "/device", asked_by("192.0.2.7"))
    assert answer.headers["content-type"].startswith("text/html")
    assert "Too many requests from this address" in answer.text
    assert "Please wait" in answer.text


async def test_public_documents_and_probes_are_never_kept_back(limited: World) -> None:
    """A verifier that polls too often still gets the keys, and a balancer its answer."""
    address = asked_by("192.0.2.3")
    await until_refused(limited, "/userinfo", address)
    for path in (
        "/.well-known/jwks.json",
        "/.well-known/openid-configuration",
        "/livez",
        "/readyz",
    ):
        # A query keeps it from the shortcut of plain GETs.
        for asked in (path, f"{path}?x=1"):
            assert (await limited.api.get(asked, headers=address)).status_code == 200, asked


async def test_one_household_of_ipv6_is_one_address(limited: World) -> None:
    """Whoever has 2⁶⁴ addresses has one share."""
    for number in range(10):
        await limited.api.get("/userinfo", headers=asked_by(f"2001:db8:1:2::{number + 1:x}"))
    answer = await limited.api.get("/userinfo", headers=asked_by("2001:db8:1:2:ffff::1"))
    assert answer.status_code == 429
    other = await limited.api.get("/userinfo", headers=asked_by("2001:db8:1:3::1"))
    assert other.status_code == 401


async def test_this_machine_is_not_counted(limited: World) -> None:
    """A local proxy that nobody named as trusted must not make one asker of everybody."""
    for _ in range(30):
        assert (await limited.api.get("/userinfo")).status_code == 401


async def test_a_client_that_authenticates_is_counted(limited: World) -> None:
    """From however many addresses it comes; a wrong secret is not its own."""
    app = await limited.new_app(BACK)
    for number in range(20):
        answer = await limited.api.post(
            "/introspect", data={"token": "x"}, auth=(app.client.client_id, "wrong"),
            headers=asked_by(f"198.51.100.{number}"),
        )  # fmt: skip
        assert answer.status_code == 401
    answers = [
        await limited.api.post(
            "/introspect",
            data={"token": "x"},
            headers=app.proof() | asked_by(f"203.0.113.{number}"),
        )
        for number in range(9)
    ]
    assert [answer.status_code for answer in answers] == [200] * 8 + [429]
    assert answers[-1].headers["ratelimit-policy"] == '"client";q=8;w=60'
    assert answers[-1].json()["error"] == "too_many_requests"


async def test_nobody_can_use_a_public_clients_share_up(limited: World) -> None:
    """It proves nothing, so its name is not counted: anybody could send it."""
    for number in range(30):
        answer = await limited.api.post(
            "/token",
            data={
                "grant_type": "refresh_token",
                "refresh_token": "x",
                "client_id": FRONT.client_id,
            },
            headers=asked_by(f"198.51.100.{number}"),
        )
        assert answer.json()["error"] == "invalid_grant"


async def test_an_account_is_counted_and_nothing_is_spent(limited: World) -> None:
    """A token that is refused for it is as good as before once the minute is over."""
    app, browser = limited.app(FRONT), limited.browser()
    tokens = await browser.tokens(app, scope="openid offline_access")
    token = tokens["refresh_token"]
    answer = None
    for _ in range(6):
        answer = await app.refresh(token)
        if answer.status_code == 429:
            break
        token = answer.json()["refresh_token"]
    assert answer is not None
    assert answer.status_code == 429
    assert answer.headers["ratelimit-policy"] == '"account";q=5;w=60'
    await limited.advance(int(answer.headers["retry-after"]) + 1)
    assert (await app.refresh(token)).status_code == 200
