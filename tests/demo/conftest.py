"""A simulated Discord with a clock that the test moves, served over real HTTP."""

import base64
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest

from broker.demo.discord import Application, SimulatedDiscord, approve, serve

REDIRECT = "http://127.0.0.1:9/callback"
VERIFIER = "a-verifier-of-at-least-forty-three-characters"
CHALLENGE = (
    base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
)
SCOPES = "identify email guilds guilds.members.read openid"


@dataclass
class Clock:
    """Epoch seconds that move when told to."""

    seconds: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class Discord:
    """The simulator, where it listens, and a client like the broker's."""

    state: SimulatedDiscord
    origin: str
    client: httpx2.AsyncClient
    clock: Clock
    credentials: tuple[str, str] = ("1001", "s3cret")
    headers: dict[str, str] = field(default_factory=dict)

    def authorize_url(self, **changes: str | None) -> str:
        """An authorization request like the broker's; None leaves a parameter out."""
        query: dict[str, str | None] = {
            "client_id": "1001",
            "redirect_uri": REDIRECT,
            "response_type": "code",
            "scope": SCOPES,
            "state": "st",
        } | changes
        kept = {name: value for name, value in query.items() if value is not None}
        return str(httpx2.URL(f"{self.origin}/oauth2/authorize", params=kept))

    async def code(self, person: Any = "ada.lindqvist", **changes: str | None) -> str:
        """Approve as that person and return the code."""
        callback = await approve(self.client, self.authorize_url(**changes), person)
        return httpx2.URL(callback).params["code"]

    async def token(self, auth: tuple[str, str] | None = None, **fields: str) -> httpx2.Response:
        """Post to the token endpoint with Basic authentication."""
        url = f"{self.origin}/api/oauth2/token"
        return await self.client.post(url, data=fields, auth=auth or self.credentials)

    async def redeem(self, code: str, **more: str) -> httpx2.Response:
        """Exchange a code."""
        return await self.token(
            grant_type="authorization_code", code=code, redirect_uri=REDIRECT, **more
        )

    async def sign_in(self, person: Any = "ada.lindqvist", **changes: str | None) -> dict[str, Any]:
        """Approve and exchange; later `get` calls carry the access token."""
        tokens = (await self.redeem(await self.code(person, **changes))).json()
        self.headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        return tokens

    async def get(self, path: str, **params: str) -> httpx2.Response:
        """Ask a resource of the API."""
        url = f"{self.origin}/api/v10{path}"
        return await self.client.get(url, params=params, headers=self.headers)


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock()


@pytest.fixture
async def discord(clock: Clock) -> AsyncIterator[Discord]:
    """A simulated Discord with one application."""
    state = SimulatedDiscord(now=clock)
    state.add_application(Application("1001", "s3cret", (REDIRECT,), name="Broker under test"))
    async with serve(state) as origin, httpx2.AsyncClient(timeout=10) as client:
        yield Discord(state, origin, client, clock)
