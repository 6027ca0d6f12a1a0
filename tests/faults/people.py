"""Who uses a broker while it is being hurt: people who sign in, and programs that refresh."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import httpx2

from broker.core.handles import Handles, Kind
from broker.core.model import Client
from broker.core.pkce import challenge_of
from broker.demo.discord import approve_sync

SECRET = "Zk3vS0yq7cVhWm1uXr9TgLb5nPd2JfEa8iYo4HxQ"
CALLBACK = "https://front.example/callback"
CLIENT = Client("front", "Front", redirect_uris=(CALLBACK,), first_party=True)
VERIFIER = "v" * 64
ADA, BEN = "ada.lindqvist", "ben_okafor"
SLOW = 10.0  # seconds; longer than any answer may take


class Person:
    """Somebody with a browser that keeps cookies.

    Args:
        issuer: the broker.
        name: who they are at Discord.
    """

    def __init__(self, issuer: str, name: str = ADA) -> None:
        self.issuer = issuer
        self.name = name
        # The connection is kept as long as the broker keeps it, whatever is done in between.
        kept = httpx2.Limits(keepalive_expiry=60.0)
        self.http = httpx2.Client(
            base_url=issuer, timeout=SLOW, limits=kept, trust_env=False, verify=False
        )
        self._outside = httpx2.Client(timeout=SLOW, trust_env=False, verify=False)

    def authorize(self, client_id: str = CLIENT.client_id, **more: str) -> httpx2.Response:
        """GET /authorize, no further."""
        asked = {
            "client_id": client_id,
            "redirect_uri": CALLBACK,
            "response_type": "code",
            "scope": "openid profile",
            "code_challenge": challenge_of(VERIFIER),
            "code_challenge_method": "S256",
        }
        return self.http.get("/authorize", params=asked | more)

    def follow(self, answer: httpx2.Response) -> httpx2.Response:
        """Follow redirects until one leads to the client, or there is something to look at."""
        while answer.status_code == 303 and not answer.headers["location"].startswith(CALLBACK):
            answer = self.http.get(self.passed(answer.headers["location"]))
        return answer

    def passed(self, location: str) -> str:
        """Say yes at Discord, where that is where we are sent; returns where we are sent next."""
        if location.startswith(("/", self.issuer)):
            return location
        return approve_sync(self._outside, location, self.name)

    def code(self, **more: str) -> str:
        """Sign in and return the code."""
        answer = self.follow(self.authorize(**more))
        assert answer.status_code == 303, (answer.status_code, answer.text)
        return parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]

    def tokens(self) -> dict[str, Any]:
        """Sign in and redeem the code."""
        answer = self.redeem(self.code())
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def redeem(self, code: str) -> httpx2.Response:
        fields = {"code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
        return self._post("/token", grant_type="authorization_code", **fields)

    def refresh(self, token: str) -> httpx2.Response:
        return self._post("/token", grant_type="refresh_token", refresh_token=token)

    def revoke(self, token: str) -> httpx2.Response:
        return self._post("/revoke", token=token)

    def userinfo(self, access_token: str) -> httpx2.Response:
        return self.http.get("/userinfo", headers={"authorization": f"Bearer {access_token}"})

    def _post(self, path: str, **fields: str) -> httpx2.Response:
        return self.http.post(path, data={"client_id": CLIENT.client_id} | fields)


def generation(token: str) -> int:
    """The place of a refresh token in its line; only whoever has the secret can tell."""
    handle = Handles((SECRET.encode(),)).open(Kind.REFRESH, token)
    assert handle is not None
    return handle.generation


@dataclass
class Line:
    """A client that refreshes for ever with the newest token that was acknowledged to it.

    Attributes:
        acknowledged: every refresh token it was given, oldest first.
        seen: how often it met which status, or which failure of the connection.
        wrong: answers that no honest client may ever get.
    """

    acknowledged: list[str]
    seen: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    @property
    def newest(self) -> str:
        return self.acknowledged[-1]

    async def once(self, http: httpx2.AsyncClient) -> None:
        """Refresh once."""
        asked = {"grant_type": "refresh_token", "refresh_token": self.newest}
        try:
            answer = await http.post("/token", data=asked | {"client_id": CLIENT.client_id})
        except httpx2.TransportError as error:
            self.seen[type(error).__name__] += 1
            await asyncio.sleep(0.05)
            return
        self.seen[str(answer.status_code)] += 1
        if answer.status_code == 200:
            self.acknowledged.append(answer.json()["refresh_token"])
        elif answer.status_code == 503 and "retry-after" in answer.headers:
            await asyncio.sleep(0.05)
        else:
            self.wrong.append(f"{answer.status_code} {answer.text}")


class Load:
    """Several lines that refresh at once while the block runs.

    Args:
        issuer: the broker.
        lines: who refreshes.
        keep_alive: whether connections are used again.
        rest: seconds between an answer and the next request of a line.
    """

    def __init__(
        self, issuer: str, lines: list[Line], *, keep_alive: bool = True, rest: float = 0.0
    ) -> None:
        kept = None if keep_alive else 0
        limits = httpx2.Limits(max_connections=100, max_keepalive_connections=kept)
        self._http = httpx2.AsyncClient(
            base_url=issuer, timeout=SLOW, limits=limits, trust_env=False, verify=False
        )
        self.lines = lines
        self._rest = rest
        self._tasks: list[asyncio.Task[None]] = []
        self._over = False

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._go(line)) for line in self.lines]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._over = True
        await asyncio.gather(*self._tasks)
        await self._http.aclose()

    async def _go(self, line: Line) -> None:
        while not self._over:
            await line.once(self._http)
            await asyncio.sleep(self._rest)

    async def reaches(self, answers: int, seconds: float = 20.0) -> None:
        """Wait until every line has got that many more tokens."""
        goals = [(line, len(line.acknowledged) + answers) for line in self.lines]
        async with asyncio.timeout(seconds):
            while any(len(line.acknowledged) < goal for line, goal in goals):
                await asyncio.sleep(0.01)

    def check(self) -> None:
        """No line met what an honest client may not meet, and none went backwards."""
        for line in self.lines:
            assert not line.wrong, line.wrong
            numbers = [generation(token) for token in line.acknowledged]
            assert numbers == sorted(numbers), numbers


def lines(person: Person, count: int) -> list[Line]:
    """So many clients of a person, each with a grant of its own."""
    return [Line([person.tokens()["refresh_token"]]) for _ in range(count)]
