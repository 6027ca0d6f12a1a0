"""The switches to misbehave, and where the simulator refuses to be."""

import asyncio

import httpx2
import pytest

from broker.demo.discord import Application, Fault, SimulatedDiscord, serve, serve_in_thread
from broker.demo.loopback import NotLoopbackError, is_loopback_host
from broker.demo.run import discord_application
from tests.demo.conftest import REDIRECT, Discord


@pytest.fixture
async def signed_in(discord: Discord) -> Discord:
    await discord.sign_in()
    return discord


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_a_status_can_be_forced(signed_in: Discord, status: int):
    """Promise: the status asked for, in Discord's shape, until told to behave."""
    signed_in.state.misbehave("/users/@me", Fault("status", status=status))
    for _ in range(2):
        assert (await signed_in.get("/users/@me")).status_code == status
    assert (await signed_in.get("/oauth2/@me")).status_code == 200
    signed_in.state.behave()
    assert (await signed_in.get("/users/@me")).status_code == 200


async def test_a_fault_lasts_as_many_requests_as_it_says(signed_in: Discord):
    """Promise: `times` counts requests of the route alone; the state counts all calls."""
    signed_in.state.misbehave("/users/@me", Fault("status", times=2))
    seen = [(await signed_in.get("/users/@me")).status_code for _ in range(3)]
    assert seen == [503, 503, 200]
    assert signed_in.state.calls["/users/@me"] == 3


async def test_a_star_covers_every_route_but_those_with_their_own(signed_in: Discord):
    """Promise: the fault of a route goes before that of `*`."""
    signed_in.state.misbehave("*", Fault("status", status=502))
    signed_in.state.misbehave("/oauth2/@me", Fault("status", status=500))
    assert (await signed_in.get("/users/@me")).status_code == 502
    assert (await signed_in.get("/oauth2/@me")).status_code == 500
    assert (await signed_in.redeem("x")).status_code == 502


async def test_a_delay_answers_late_and_well(signed_in: Discord):
    """Promise: the answer comes after the delay; a client with less patience times out."""
    signed_in.state.misbehave("/users/@me", Fault("delay", seconds=0.3))
    impatient = httpx2.Timeout(10, read=0.1)
    with pytest.raises(httpx2.ReadTimeout):
        await signed_in.client.get(
            f"{signed_in.origin}/api/v10/users/@me", headers=signed_in.headers, timeout=impatient
        )
    assert (await signed_in.get("/users/@me")).status_code == 200


async def test_cloudflares_page_is_html(discord: Discord):
    """Promise: 429 with HTML at the token endpoint, as shared addresses see it."""
    discord.state.misbehave("/oauth2/token", Fault("html", status=429))
    answer = await discord.redeem("x")
    assert answer.status_code == 429
    assert answer.headers["content-type"].startswith("text/html")
    assert "1015" in answer.text


@pytest.mark.parametrize(
    ("kind", "good"), [("truncated", False), ("not_json", False), ("missing", True)]
)
async def test_spoiled_bodies(signed_in: Discord, kind: str, good: bool):
    """Promise: 200 with a body that is cut, is no JSON, or lacks the named fields."""
    signed_in.state.misbehave("/users/@me", Fault(kind, fields=("id", "username")))
    answer = await signed_in.get("/users/@me")
    assert answer.status_code == 200
    if not good:
        with pytest.raises(ValueError, match=r"."):
            answer.json()
    else:
        assert not {"id", "username"} & set(answer.json())
        assert "global_name" in answer.json()


@pytest.mark.parametrize(
    ("kind", "seen"),
    [
        ("bot", {"bot": True}),
        ("unverified", {"verified": False, "email": "ada@example.com"}),
        ("no_email", {"email": None, "verified": None}),
    ],
)
async def test_odd_accounts(signed_in: Discord, kind: str, seen: dict[str, object]):
    """Promise: the profile is that of a bot, unverified, or without e-mail."""
    signed_in.state.misbehave("/users/@me", Fault(kind))
    profile = (await signed_in.get("/users/@me")).json()
    assert {name: profile.get(name) for name in seen} == seen
    assert ("email" in profile) == (kind != "no_email")


async def test_a_field_can_be_replaced_by_null(signed_in: Discord):
    """Promise: the field is there, and null."""
    signed_in.state.misbehave("/users/@me", Fault("replaced", fields=("username",)))
    profile = (await signed_in.get("/users/@me")).json()
    assert "username" in profile
    assert profile["username"] is None


@pytest.mark.parametrize("scope", ["user", "global", "shared"])
async def test_a_rate_limit_can_be_forced(signed_in: Discord, scope: str):
    """Promise: 429 with the wait that was asked for, in body and header."""
    signed_in.state.misbehave("/users/@me", Fault("rate_limited", seconds=7.5, scope=scope))
    answer = await signed_in.get("/users/@me")
    assert answer.status_code == 429
    assert (answer.json()["retry_after"], answer.json()["global"]) == (7.5, scope == "global")
    assert answer.headers["x-ratelimit-scope"] == scope
    assert answer.headers["retry-after"] == "8"


async def test_a_huge_body_is_streamed(signed_in: Discord):
    """Promise: as many bytes as asked for; a client that stops reading stops it."""
    signed_in.state.misbehave("/users/@me", Fault("huge", size=1_000_000))
    url = f"{signed_in.origin}/api/v10/users/@me"
    read = 0
    async with signed_in.client.stream("GET", url, headers=signed_in.headers) as answer:
        async for chunk in answer.aiter_bytes():
            read += len(chunk)
            if read > 200_000:
                break
    assert (await signed_in.get("/users/@me")).content.startswith(b'{"filler"')


async def test_a_dropped_connection_leaves_the_request_undone(discord: Discord):
    """Promise: `drop` closes the connection, and the code is still good."""
    code = await discord.code()
    discord.state.misbehave("/oauth2/token", Fault("drop", times=1))
    with pytest.raises(httpx2.RemoteProtocolError):
        await discord.redeem(code)
    assert (await discord.redeem(code)).status_code == 200


async def test_a_lost_answer_leaves_the_request_done(discord: Discord):
    """Promise: `lost_answer` closes the connection after the refresh token was spent."""
    tokens = await discord.sign_in()
    discord.state.misbehave("/oauth2/token", Fault("lost_answer", times=1))
    fields = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    with pytest.raises(httpx2.RemoteProtocolError):
        await discord.token(**fields)
    assert (await discord.token(**fields)).json()["error"] == "invalid_grant"


async def test_another_process_can_pull_the_switches(signed_in: Discord):
    """Promise: POST sets a fault, DELETE ends it, mistakes are told."""
    url = f"{signed_in.origin}/_simulator/misbehave"
    fault = {"route": "/users/@me", "kind": "status", "status": 500}
    assert (await signed_in.client.post(url, json=fault)).status_code == 204
    assert (await signed_in.get("/users/@me")).status_code == 500
    assert (await signed_in.client.delete(url)).status_code == 204
    assert (await signed_in.get("/users/@me")).status_code == 200
    for wrong in (
        {"kind": "nonsense"},
        {"route": "/x", "kind": "drop"},
        {"kind": "drop", "a": 1},
        [],
    ):
        assert (await signed_in.client.post(url, json=wrong)).status_code == 400
    assert (await signed_in.client.post(url, data={"kind": "drop"})).status_code == 415


def test_an_unknown_kind_or_route_is_an_error():
    """Promise: a typing error in a test does not pass for good behaviour."""
    with pytest.raises(ValueError, match="kind"):
        Fault("dorp")
    with pytest.raises(ValueError, match="route"):
        SimulatedDiscord().misbehave("/users/me", Fault("drop"))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "example.com", ""])
async def test_the_simulator_listens_on_loopback_only(host: str):
    """Promise: it refuses to start where others could reach it."""
    with pytest.raises(NotLoopbackError):
        async with serve(SimulatedDiscord(), host):
            pass
    with pytest.raises(NotLoopbackError), serve_in_thread(SimulatedDiscord(), host):
        pass


@pytest.mark.parametrize(
    "url", ["https://login.example.com", "http://192.168.1.4:8000", "http://127.0.0.1.evil.example"]
)
def test_the_simulator_serves_no_broker_others_can_reach(url: str):
    """Promise: invariant 10: a public issuer never signs people in by the simulator."""
    with pytest.raises(NotLoopbackError):
        discord_application(url)
    with pytest.raises(NotLoopbackError):
        SimulatedDiscord().add_application(Application("1", "s", (REDIRECT, url + "/cb")))


async def test_a_request_by_another_host_name_is_refused(discord: Discord):
    """Promise: a tunnel, or a name that leads to loopback, finds nothing here."""
    for host in ("login.example.com", "127.0.0.1.nip.example"):
        answer = await discord.client.get(discord.authorize_url(), headers={"Host": host})
        assert answer.status_code == 421


@pytest.mark.parametrize(
    ("host", "is_loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("10.0.0.1", False),
        ("localhost.example", False),
        ("", False),
    ],
)
def test_what_loopback_is(host: str, is_loopback: bool):
    """Promise: loopback addresses and `localhost`, nothing that merely looks so."""
    assert is_loopback_host(host) is is_loopback


async def test_two_simulators_know_nothing_of_each_other(discord: Discord):
    """Promise: state lives in the object."""
    other = SimulatedDiscord()
    async with serve(other) as origin:
        answers = await asyncio.gather(
            discord.client.get(discord.authorize_url()),
            discord.client.get(discord.authorize_url().replace(discord.origin, origin)),
        )
    assert [answer.status_code for answer in answers] == [200, 400]
