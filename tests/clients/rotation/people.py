"""Those who refresh all the time, and one who looks at the JWKS from outside."""

import asyncio
import re
import time
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import httpx2
import jwt
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from tests.browsing import sign_in
from tests.clients.conftest import CALLBACK
from tests.clients.rotation.judging import Bench
from tests.clients.rotation.tally import Tally, Token
from tests.running import RunningBroker

VERIFIER: Final = "a-code-verifier-that-is-long-enough-for-the-rules-0123456789"
KINDS: Final = ("access_token", "id_token")
JWKS: Final = "/.well-known/jwks.json"
RESETS: Final = (httpx2.ReadError, httpx2.WriteError, httpx2.RemoteProtocolError)
EXCUSED: Final = 5.0  # seconds after a kill in which a kept connection may prove to be cut
ATTEMPTS: Final = 3
RECONNECT: Final = 20  # every so many requests a new connection, so that all workers are met
LOOK: Final = 0.2  # seconds between two looks at the JWKS


@dataclass(slots=True)
class Line:
    """An honest client over HTTP: what a killed worker has cut it sends again, and nothing else.

    Attributes:
        http: its connections.
        tally: told what comes of it.
    """

    http: httpx2.AsyncClient
    tally: Tally

    async def send(self, method: str, path: str, **words: Any) -> httpx2.Response | None:
        """Return the answer; None, and a failure counted, where there is none but 200."""
        why = f"cut {ATTEMPTS} times"
        for _ in range(ATTEMPTS):
            try:
                answer = await self.http.request(method, path, **words)
            except RESETS as error:
                if time.time() - self.tally.killed_at <= EXCUSED:
                    self.tally.repeated += 1
                    continue
                why = f"{error!r}, though no worker was killed"
            except httpx2.HTTPError as error:
                why = repr(error)
            else:
                if answer.status_code == 200:
                    return answer
                why = f"{answer.status_code} {answer.text}"
            break
        self.tally.failures.append(f"request {path} at {time.strftime('%H:%M:%S')}: {why}")
        return None


@dataclass(slots=True)
class Person:
    """Somebody signed in, whose app refreshes again and again with the newest token."""

    line: Line
    client_id: str
    token: str

    async def refresh(self, bench: Bench, *, reconnect: bool) -> None:
        """Refresh once, and hand the tokens to the verifiers."""
        form = {
            "grant_type": "refresh_token",
            "client_id": self.client_id,
            "refresh_token": self.token,
        }
        headers = {"connection": "close"} if reconnect else {}
        sent = time.time()
        answer = await self.line.send("POST", "/token", data=form, headers=headers)
        if answer is None:
            return
        self.line.tally.requests += 1
        found = answer.json()
        self.token = found["refresh_token"]
        for kind in KINDS:
            token = read(kind, found[kind], sent)
            self.line.tally.issued(token, time.time())
            bench.give(token)

    async def go_on(self, bench: Bench, every: float) -> None:
        """Refresh at this pace in seconds, until cancelled."""
        number, due = 0, time.monotonic()
        while True:
            number, due = number + 1, max(due + every, time.monotonic())
            await self.refresh(bench, reconnect=number % RECONNECT == 0)
            await asyncio.sleep(max(0.0, due - time.monotonic()))


async def look(line: Line) -> None:
    """Look at the JWKS again and again, each time over a new connection, until cancelled."""
    while True:
        sent = time.time()
        answer = await line.send("GET", JWKS, headers={"connection": "close"})
        if answer is not None:
            kids = {key["kid"] for key in answer.json()["keys"]}
            line.tally.published(kids, sent, max_age(answer))
        await asyncio.sleep(LOOK)


def max_age(answer: httpx2.Response) -> int:
    """Return how long an answer may be kept, in seconds: 0 where it is of a worker that lags."""
    told = answer.headers["cache-control"]
    found = re.search(r"\bmax-age=(\d+)", told)
    assert found or told == "no-cache", told
    return int(found[1]) if found else 0


def read(kind: str, text: str, sent: float) -> Token:
    """Read a token without judging it."""
    claims = jwt.decode(text, options={"verify_signature": False})
    return Token(kind, text, jwt.get_unverified_header(text)["kid"], claims["exp"], sent)


def audience(token: str) -> str:
    """Return whom a token is for."""
    found = jwt.decode(token, options={"verify_signature": False})["aud"]
    return str(found[0] if isinstance(found, list) else found)


async def first_tokens(broker: RunningBroker, client_id: str, person: str) -> dict[str, Any]:
    """Sign somebody in and return what the token endpoint answered."""
    query = {
        "client_id": client_id,
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "scope": "openid",
        "code_challenge": create_s256_code_challenge(VERIFIER),
        "code_challenge_method": "S256",
    }
    async with httpx2.AsyncClient(trust_env=False, timeout=30) as browser:
        url = str(httpx2.URL(f"{broker.issuer}/authorize", params=query))
        back = await sign_in(browser, url, CALLBACK, discord=broker.discord_origin, person=person)
        form = {
            "grant_type": "authorization_code",
            "client_id": client_id,
            "redirect_uri": CALLBACK,
            "code": parse_qs(urlsplit(back).query)["code"][0],
            "code_verifier": VERIFIER,
        }
        answer = await browser.post(f"{broker.issuer}/token", data=form)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found
