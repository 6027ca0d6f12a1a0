"""Webhook events of the simulated Discord: signatures, tries, and endpoints that fail."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from broker.demo.discord import Application, EndpointRefusedError, SimulatedDiscord
from broker.demo.discord.cast import ADA, BEN
from broker.demo.loopback import NotLoopbackError
from tests.demo.conftest import REDIRECT, Clock, Discord

URL = "http://127.0.0.1:9/webhooks/discord"


@dataclass
class Receiver:
    """An endpoint that verifies as Discord documents it, or does not."""

    key: str
    careless: bool = False
    down: int = 0
    seen: list[dict] = field(default_factory=list)
    stamps: list[str] = field(default_factory=list)

    def __call__(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        assert url == URL
        stamp = headers["X-Signature-Timestamp"]
        signature = bytes.fromhex(headers["X-Signature-Ed25519"])
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(self.key))
        try:
            key.verify(signature, stamp.encode() + body)
        except InvalidSignature:
            return 204 if self.careless else 401
        self.stamps.append(stamp)
        if self.down:
            self.down -= 1
            raise ConnectionRefusedError
        self.seen.append(json.loads(body))
        return 204


@dataclass
class Wired:
    """A simulator that sends to a receiver, and the pauses it made."""

    state: SimulatedDiscord
    receiver: Receiver
    pauses: list[float]


@pytest.fixture
def wired(clock: Clock) -> Wired:
    """An application whose events are received; time passes in the pauses."""
    application = Application("1001", "s3cret", (REDIRECT,))
    receiver = Receiver(application.verify_key)
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        clock.seconds += seconds

    state = SimulatedDiscord(now=clock, sleep=sleep, send=receiver)
    state.add_application(application)
    state.send_events("1001", URL)
    state.issue_code("1001", ADA.id, REDIRECT, {"identify"})
    return Wired(state, receiver, pauses)


def test_deauthorizing_tells_the_application(wired: Wired):
    """Promise: the documented event with the user object, signed over timestamp and raw body."""
    delivery = wired.state.deauthorize(ADA.id, "1001")
    assert delivery is not None
    assert delivery.wait()
    ping, event = wired.receiver.seen
    assert ping == {"version": 1, "application_id": "1001", "type": 0}
    assert (event["version"], event["application_id"], event["type"]) == (1, "1001", 1)
    assert event["event"]["type"] == "APPLICATION_DEAUTHORIZED"
    assert event["event"]["timestamp"] == "2027-01-15T08:00:00.000000"
    assert event["event"]["data"]["user"]["id"] == ADA.id
    assert wired.receiver.stamps[-1] == "1800000000"


def test_what_was_never_allowed_makes_no_event(wired: Wired):
    """Promise: nothing to withdraw, nothing to tell."""
    assert wired.state.deauthorize(BEN.id, "1001") is None
    assert wired.state.deauthorize(ADA.id, "1001") is not None
    assert wired.state.deauthorize(ADA.id, "1001") is None


def test_an_event_is_tried_again_with_growing_pauses(wired: Wired):
    """Promise: until it is taken, each try stamped anew, the body the same."""
    wired.receiver.down = 3
    delivery = wired.state.deauthorize(ADA.id, "1001")
    assert delivery is not None
    assert delivery.wait()
    assert delivery.answers == [0, 0, 0, 204]
    assert wired.pauses == [1, 2, 4]
    assert wired.receiver.stamps[1:] == ["1800000000", "1800000001", "1800000003", "1800000007"]


def test_an_event_is_given_up_after_ten_minutes(wired: Wired):
    """Promise: pauses grow, and end within ten minutes."""
    wired.receiver.down = 1000
    delivery = wired.state.deauthorize(ADA.id, "1001")
    assert delivery is not None
    assert not delivery.wait()
    assert wired.pauses == sorted(wired.pauses)
    assert 300 < sum(wired.pauses) <= 600
    assert len(delivery.answers) == len(wired.pauses) + 1


def test_an_endpoint_that_takes_bad_signatures_is_not_registered(wired: Wired):
    """Promise: PING wants 204, a bad signature 401, or there are no events."""
    wired.receiver.careless = True
    with pytest.raises(EndpointRefusedError, match="401"):
        wired.state.send_events("1001", URL)
    wired.receiver.careless, wired.receiver.down = False, 1
    with pytest.raises(EndpointRefusedError, match="PING"):
        wired.state.send_events("1001", URL)
    with pytest.raises(NotLoopbackError):
        wired.state.send_events("1001", "https://login.example.com/webhooks/discord")


def test_an_endpoint_that_takes_bad_signatures_later_is_removed(wired: Wired):
    """Promise: it gets no events from then on."""
    application = wired.state.applications["1001"]
    assert wired.state.events.probe(application)
    wired.receiver.careless = True
    assert not wired.state.events.probe(application)
    assert wired.state.deauthorize(ADA.id, "1001") is None


def test_a_signed_event_can_be_had_without_sending_it(wired: Wired):
    """Promise: for receivers that are reached otherwise, at any time of stamp."""
    events, application = wired.state.events, wired.state.applications["1001"]
    signed = events.signed(application, b"{}", at=5)
    assert signed.headers["X-Signature-Timestamp"] == "5"
    assert wired.receiver(URL, signed.headers, signed.body) == 204
    assert wired.receiver(URL, signed.headers, b"{ }") == 401


async def test_a_withdrawn_authorization_ends_all_its_tokens(discord: Discord):
    """Promise: however often the person signed in; the next time, Discord asks again."""
    first = await discord.sign_in()
    held = dict(discord.headers)
    await discord.sign_in()
    code = await discord.code()
    discord.state.deauthorize(ADA.id, "1001")
    for headers in (held, discord.headers):
        discord.headers = headers
        assert (await discord.get("/users/@me")).status_code == 401
    assert (await discord.redeem(code)).json()["error"] == "invalid_grant"
    renewed = await discord.token(grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert renewed.json()["error"] == "invalid_grant"
    page = await discord.client.get(discord.authorize_url(prompt="none"))
    assert page.status_code == 200
