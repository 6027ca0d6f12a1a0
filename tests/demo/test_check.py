"""The check that walks a sign-in, on an issuer that is right or wrong in one thing."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from broker.demo.check import check
from broker.demo.forms import read_forms
from broker.demo.loopback import NotLoopbackError
from broker.demo.run import DISCORD_CLIENT_ID, Demo, DemoPorts, running, sample_client
from broker.demo.serving import serving
from tests.demo.issuer import Issuer, new_key
from tests.ports import free_port

KEY = new_key()


@dataclass
class Stage:
    issuer: Issuer
    demo: Demo
    steps: list[tuple[str, bool, str]]

    async def walk(self, *, community: bool = False) -> bool:
        return await check(
            self.issuer.issuer,
            self.demo.sample_origin,
            self.demo.discord_origin,
            lambda name, good, detail: self.steps.append((name, good, detail)),
            community=community,
        )


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    issuer = Issuer(time.time, keys=[KEY])
    async with serving(issuer.app()) as issuer.issuer:
        ports = DemoPorts(int(issuer.issuer.rsplit(":", 1)[1]), free_port(), free_port())
        issuer.discord, issuer.audience = ports.discord_origin, ports.audience
        issuer.backchannel = sample_client(ports).backchannel_logout_uri
        async with running(ports, issuer=issuer.issuer) as demo:
            events = f"{issuer.issuer}/webhooks/discord"
            await asyncio.to_thread(demo.discord.send_events, DISCORD_CLIENT_ID, events)
            yield Stage(issuer, demo, [])


async def test_a_good_sign_in_passes_every_step(stage: Stage):
    """Promise: all steps are reported in order, each good."""
    assert await stage.walk(), stage.steps[-1]
    names = [name for name, _, _ in stage.steps]
    assert names[0] == "discovery"
    assert names[-1] == "refresh after sign-out"
    assert len(names) == 13
    assert all(good for _, good, _ in stage.steps)


async def test_a_good_community_passes_every_step(stage: Stage):
    """Promise: roles, their loss and a withdrawal are walked too, and the API is asked."""
    assert await stage.walk(community=True), stage.steps[-1]
    names = [name for name, _, _ in stage.steps]
    assert len(names) == 17
    assert [names[11], names[12], names[-1]] == ["roles", "lose a role", "deauthorize at Discord"]


@pytest.mark.parametrize(
    ("flaw", "step"),
    [
        ("no roles", "roles"),
        ("role kept", "lose a role"),
        ("deafness", "deauthorize at Discord"),
        ("silence", "deauthorize at Discord"),
    ],
)
async def test_a_flaw_of_a_community_is_found_at_its_step(stage: Stage, flaw: str, step: str):
    """Promise: a role that stays, a withdrawal that ends nothing or tells nobody, is a failure."""
    stage.issuer.flaw = flaw
    assert not await stage.walk(community=True)
    assert stage.steps[-1][:2] == (step, False)


@pytest.mark.parametrize(
    ("flaw", "step"),
    [
        ("issuer", "discovery"),
        ("private key", "public keys"),
        ("iss", "consent and callback"),
        ("nonce", "verify the ID token"),
        ("at_hash", "verify the ID token"),
        ("no rotation", "refresh"),
        ("two alive", "refresh"),
        ("logout", "refresh after sign-out"),
    ],
)
async def test_a_flaw_is_found_at_its_step(stage: Stage, flaw: str, step: str):
    """Promise: the check fails where something is wrong, says so, and stops."""
    stage.issuer.flaw = flaw
    assert not await stage.walk()
    name, good, detail = stage.steps[-1]
    assert (name, good) == (step, False)
    assert detail
    assert all(good for _, good, _ in stage.steps[:-1])


async def test_a_wrong_audience_is_found_by_the_api(stage: Stage):
    """Promise: the sample's API is really asked."""
    stage.issuer.audience = "another"
    assert not await stage.walk()
    assert stage.steps[-1][0] == "call the sample API"


async def test_a_broker_that_is_not_there_is_a_failed_step():
    """Promise: no traceback, the first step fails."""
    steps = []
    good = await check(
        "http://127.0.0.1:9",
        "http://127.0.0.1:9",
        "http://127.0.0.1:9",
        lambda *step: steps.append(step),
    )
    assert not good
    assert [(name, ok) for name, ok, _ in steps] == [("discovery", False)]


async def test_the_demonstration_serves_loopback_issuers_only():
    """Promise: invariant 10."""
    with pytest.raises(NotLoopbackError):
        async with running(DemoPorts.from_base(9000), issuer="https://login.example.com"):
            pass


def test_the_ports_follow_the_brokers_and_the_client_fits_them():
    """Promise: port, port + 1, port + 2; the registration has the sample's addresses."""
    ports = DemoPorts.from_base(8000)
    assert (ports.broker, ports.discord, ports.sample) == (8000, 8001, 8002)
    client = sample_client(ports)
    assert client.redirect_uri == "http://127.0.0.1:8002/callback"
    assert client.post_logout_redirect_uri == "http://127.0.0.1:8002/"
    assert client.audience == ports.audience


def test_forms_are_read_as_a_browser_sends_them():
    """Promise: hidden and checked fields go along, of the buttons only the pressed one."""
    html = """<form action="../b?c=1" method=POST><input type=hidden name=h value="&amp;1">
    <input type=checkbox name=no><input type=checkbox name=yes value=1 checked>
    <input name=gone disabled value=x><button name=decision value=allow>Go</button>
    <input type=submit name=decision value=deny></form><input name=outside value=1>"""
    (form,) = read_forms(html, "http://127.0.0.1:1/a/x")
    assert (form.action, form.method) == ("http://127.0.0.1:1/b?c=1", "post")
    assert form.pressed("decision", "allow") == {"h": "&1", "yes": "1", "decision": "allow"}
    assert form.offers("decision", "deny")
    with pytest.raises(ValueError, match="no button"):
        form.pressed("decision", "other")
