"""Signing keys change under load, and verifiers that cache as they may notice nothing.

Two workers answer a steady stream of refreshes. Every token goes at once, and again some seconds
later, to two long-running verifiers written by others: PyJWT's and npm's jose. Both keep the JWKS
as long as its Cache-Control allows; neither may ever meet a key it does not know.
"""

import asyncio
import re
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import jwt
import pytest
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.browsing import sign_in
from tests.clients.conftest import CALLBACK, NodeProgram, Registered, register
from tests.running import RunningBroker

# As short as the policy allows, so that whole lives of keys pass within the test.
SHORT = {
    "BROKER_WORKERS": "2",
    "BROKER_JWKS_CACHE": "2",
    "BROKER_CLOCK_SKEW": "1",
    "BROKER_KEYS_POLL": "1",
}
VERIFIER = "a-code-verifier-that-is-long-enough-for-the-rules-0123456789"
STREAMS = 3
PAUSE = 0.05  # seconds between two refreshes of a stream
AGAIN = 3.0  # seconds after which a token is judged once more
NEVER = 1e9  # seconds: longer than any test
SETTLE = 6.0  # seconds in which every cache has followed a change

pytestmark = [pytest.mark.node, pytest.mark.slow]


@pytest.fixture
def two_workers(tmp_path: Path) -> Iterator[RunningBroker]:
    """A broker of two processes with short-lived caches."""
    with RunningBroker(tmp_path, SHORT) as running:
        yield running


@dataclass(slots=True)
class Load:
    """Streams of refreshes and what came of them."""

    broker: RunningBroker
    keys: jwt.PyJWKClient
    node: NodeProgram
    revoked: set[str] = field(default_factory=set)
    requests: int = 0
    signed: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    recent: deque[tuple[float, str]] = field(default_factory=deque)
    turn: threading.Lock = field(default_factory=threading.Lock)

    async def stream(self, client: httpx2.AsyncClient, app: Registered, token: str) -> None:
        """Refresh again and again, each time with the newest token."""
        while True:
            form = {"grant_type": "refresh_token", "client_id": app.client_id}
            try:
                answer = await client.post("/token", data=form | {"refresh_token": token})
            except httpx2.HTTPError as error:
                self.failures.append(f"request: {error!r}")
                return
            self.requests += 1
            if answer.status_code != 200:
                self.failures.append(f"request: {answer.status_code} {answer.text}")
                return
            found = answer.json()
            token = found["refresh_token"]
            for kind in ("access_token", "id_token"):
                await asyncio.to_thread(self.judge, found[kind])
                self.recent.append((time.monotonic(), found[kind]))
            await asyncio.sleep(PAUSE)

    async def again(self) -> None:
        """Judge each token once more, some seconds later: retired keys must still be known."""
        while True:
            while self.recent and self.recent[0][0] < time.monotonic() - AGAIN:
                await asyncio.to_thread(self.judge, self.recent.popleft()[1])
            await asyncio.sleep(PAUSE)

    def judge(self, token: str) -> None:
        """Let both verify a token; what a revoked key signed is nobody's promise."""
        kid = jwt.get_unverified_header(token)["kid"]
        self.signed[kid] = self.signed.get(kid, 0) + 1
        reasons = [reason for reason in (self._python(token), self._node(token)) if reason]
        if kid not in self.revoked:
            self.failures += [f"{kid}: {reason}" for reason in reasons]

    def _python(self, token: str) -> str | None:
        try:
            key = self.keys.get_signing_key_from_jwt(token)
            jwt.decode(
                token,
                key,
                algorithms=["RS256"],
                issuer=self.broker.issuer,
                options={"verify_aud": False, "require": ["exp", "iat", "sub"]},
            )
        except jwt.PyJWTError as error:
            return f"PyJWT: {error!r}"
        return None

    def _node(self, token: str) -> str | None:
        with self.turn:
            self.node.tell({"token": token})
            said = self.node.hear()
        return None if said["ok"] else f"jose: {said['reason']}"


async def first_token(broker: RunningBroker, app: Registered) -> str:
    """Sign a person in and return the refresh token of a grant."""
    query = {
        "client_id": app.client_id,
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "scope": "openid",
        "code_challenge": create_s256_code_challenge(VERIFIER),
        "code_challenge_method": "S256",
    }
    async with httpx2.AsyncClient(trust_env=False, timeout=20) as browser:
        url = str(httpx2.URL(f"{broker.issuer}/authorize", params=query))
        back = await sign_in(browser, url, CALLBACK, discord=broker.discord_origin)
        form = {
            "grant_type": "authorization_code",
            "client_id": app.client_id,
            "redirect_uri": CALLBACK,
            "code": parse_qs(urlsplit(back).query)["code"][0],
            "code_verifier": VERIFIER,
        }
        answer = await browser.post(f"{broker.issuer}/token", data=form)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["refresh_token"])


@contextmanager
def verifiers(broker: RunningBroker, node_folder: Path) -> Iterator[Load]:
    """Both verifiers, keeping the JWKS as long as its Cache-Control allows.

    An unknown kid never makes them ask anew (their cool-down outlasts the test), so they fail on
    every one they meet instead of hiding it behind another fetch.
    """
    url = f"{broker.issuer}/.well-known/jwks.json"
    cached = httpx2.get(url, trust_env=False).headers["cache-control"]
    found = re.search(r"max-age=(\d+)", cached)
    assert found, cached
    lifetime = int(found[1])
    arguments = {"issuer": broker.issuer, "jwksUri": url, "maxAge": lifetime}
    keys = jwt.PyJWKClient(url, lifespan=lifetime, cache_keys=False, cooldown_duration=NEVER)
    with NodeProgram(node_folder, "verifier.mjs", arguments) as node:
        yield Load(broker, keys, node)


@asynccontextmanager
async def under_load(broker: RunningBroker, node_folder: Path) -> AsyncIterator[Load]:
    """Refresh and verify without a pause until the block ends."""
    app = register(broker, "Busy", "--public")
    tokens = [await first_token(broker, app) for _ in range(STREAMS)]
    async with httpx2.AsyncClient(base_url=broker.issuer, trust_env=False, timeout=10) as client:
        with verifiers(broker, node_folder) as load:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(load.stream(client, app, token)) for token in tokens]
                tasks.append(group.create_task(load.again()))
                yield load
                for task in tasks:
                    task.cancel()


async def keys_of(broker: RunningBroker) -> dict[str, str]:
    """Return the keys' states by their identifiers."""
    found = await asyncio.to_thread(broker.cli, "keys", "list")
    return {key["kid"]: key["state"] for key in found}


async def signing(broker: RunningBroker) -> str:
    """Return which key signs."""
    return next(kid for kid, state in (await keys_of(broker)).items() if state == "signing")


async def change(load: Load, *words: str) -> str:
    """Give a command about keys, wait until every cache has followed; return what signs then."""
    outcome = await asyncio.to_thread(load.broker.cli, "keys", *words)
    wait = SETTLE
    # Where the subject still signs, the change-over is to come; else it has happened already.
    if outcome["signing"] == outcome["subject"]:
        wait += max(0.0, datetime.fromisoformat(outcome["switches_at"]).timestamp() - time.time())
    await asyncio.sleep(wait)
    return await signing(load.broker)


async def test_nobody_notices(two_workers: RunningBroker, node_folder: Path) -> None:
    """Zero failed requests, zero failed verifications of live keys, through every change-over."""
    async with under_load(two_workers, node_folder) as load:
        first = await signing(two_workers)
        await asyncio.sleep(SETTLE)
        second = await change(load, "rotate")
        third = await change(load, "rotate", "--now")
        load.revoked.add(third)
        fourth = await change(load, "revoke", third, "--yes")
        load.signed.pop(third)
        await asyncio.sleep(1)
    assert load.failures == []
    assert len({first, second, third, fourth}) == 4
    # Each key really signed, and the revoked one signs no more.
    assert {first, second, fourth} <= set(load.signed)
    assert third not in load.signed
    assert load.requests > 100


async def test_the_revoked_key_is_gone(two_workers: RunningBroker) -> None:
    """Within the polling time no process publishes a revoked key."""
    revoked = await signing(two_workers)
    await asyncio.to_thread(two_workers.cli, "keys", "revoke", revoked, "--yes")
    await asyncio.sleep(2.5)
    async with httpx2.AsyncClient(trust_env=False) as client:
        for _ in range(20):  # each worker is met
            answer: Any = await client.get(
                f"{two_workers.issuer}/.well-known/jwks.json", headers={"Connection": "close"}
            )
            assert revoked not in [key["kid"] for key in answer.json()["keys"]]


def test_the_verifiers_do_notice(two_workers: RunningBroker, node_folder: Path) -> None:
    """A key that is not in the JWKS fails both verifiers: their silence above means something."""
    stranger = rsa.generate_private_key(65537, 2048)
    claims = {"iss": two_workers.issuer, "sub": "x", "iat": time.time(), "exp": time.time() + 60}
    token = jwt.encode(claims, stranger, "RS256", headers={"kid": "of-nobody"})
    with verifiers(two_workers, node_folder) as load:
        load.judge(token)
    assert [reason.split(":")[1].strip() for reason in load.failures] == ["PyJWT", "jose"]
