"""The sample app hears that a session is over (Back-Channel Logout 1.0)."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from broker.demo.sample import SampleSettings, Verifier, create_app
from broker.demo.sample.ended import EVENT
from broker.demo.serving import serving
from tests.demo.conftest import Clock
from tests.demo.issuer import Issuer, new_key

KEY, FOREIGN = new_key(), new_key()


@dataclass
class Receiver:
    """The sample app, and an issuer that sends it logout tokens."""

    client: httpx2.AsyncClient
    issuer: Issuer

    def token(self, typ: str = "logout+jwt", key: RSAKey = KEY, **changes: Any) -> str:
        now = int(self.issuer.now())
        claims = {
            "iss": self.issuer.issuer,
            "aud": "sample-app",
            "sub": "subject-1",
            "sid": "s1",
            "iat": now,
            "exp": now + 120,
            "jti": "j1",
            "events": {EVENT: {}},
        } | changes
        kept = {name: value for name, value in claims.items() if value is not None}
        header = {"alg": "RS256", "kid": KEY.kid, "typ": typ}
        return jwt.encode(header, kept, key, algorithms=["RS256"])

    async def send(self, token: str) -> httpx2.Response:
        return await self.client.post("/backchannel-logout", data={"logout_token": token})

    async def ended(self, sid: str = "s1") -> bool:
        return (await self.client.get("/session", params={"sid": sid})).json()["ended"]


@pytest.fixture
async def receiver(clock: Clock) -> AsyncIterator[Receiver]:
    issuer = Issuer(clock, keys=[KEY])
    async with serving(issuer.app()) as issuer.issuer:
        verifier = Verifier(issuer.issuer, "api", now=clock)
        app = create_app(SampleSettings(issuer.issuer, "api"), verifier, now=clock)
        async with (
            serving(app) as origin,
            httpx2.AsyncClient(base_url=origin, timeout=5) as client,
        ):
            yield Receiver(client, issuer)
        await verifier.close()


async def test_a_logout_token_ends_its_session(receiver: Receiver):
    """Promise: 200, that session is over and no other; the same token again changes nothing."""
    assert not await receiver.ended()
    for _ in range(2):
        answer = await receiver.send(receiver.token())
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert await receiver.ended()
    assert not await receiver.ended("s2")


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "http://127.0.0.1:1"},
        {"aud": "another"},
        {"exp": 1},
        {"iat": 9_999_999_999},
        {"sid": None},
        {"jti": None},
        {"events": None},
        {"events": {"other": {}}},
        {"events": [EVENT]},
        {"nonce": "n"},
        {"typ": "JWT"},
        {"typ": "at+jwt"},
        {"key": FOREIGN},
    ],
    ids=lambda changes: " ".join(map(str, changes)),
)
async def test_anything_else_ends_nothing(receiver: Receiver, changes: dict[str, Any]):
    """Promise: 400 for what is not the broker's logout token for this app (§2.6)."""
    answer = await receiver.send(receiver.token(**changes))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert not await receiver.ended()


@pytest.mark.parametrize("body", [b"", b"logout_token=", b"logout_token=a.b.c", b"x" * 20_000])
async def test_rubbish_ends_nothing(receiver: Receiver, body: bytes):
    """Promise: 400, however it is malformed."""
    answer = await receiver.client.post("/backchannel-logout", content=body)
    assert answer.status_code == 400


async def test_without_keys_the_broker_is_to_come_again(receiver: Receiver):
    """Promise: 503, so that the broker tries again, and the token is taken then."""
    receiver.issuer.jwks_status = 500
    assert (await receiver.send(receiver.token())).status_code == 503
    receiver.issuer.jwks_status = 200
    receiver.issuer.now.seconds += 6
    assert (await receiver.send(receiver.token())).status_code == 200
