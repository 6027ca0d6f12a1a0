"""Who talks to the broker: a client application, and a person's browser."""

import base64
from typing import TYPE_CHECKING, Any

import httpx2

from broker.core.model import Client
from broker.core.outcomes import SIGNED_OUT
from broker.core.pkce import challenge_of, encode
from broker.demo.discord import approve
from tests.protocol.checks import answered, hidden
from tests.protocol.known import ADA, ISSUER, SECRET

if TYPE_CHECKING:
    from tests.protocol.harness import World


class App:
    """A client application: what it sends, and what it keeps meanwhile."""

    def __init__(self, world: "World", client: Client, number: str) -> None:
        self.world = world
        self.client = client
        self.redirect_uri = client.redirect_uris[0]
        self.verifier = encode(number.encode().rjust(40, b"v"))
        self.state = f"state-{number}"
        self.nonce = f"nonce-{number}"
        self.secret = SECRET if client.secrets else None

    def asks(self, **changes: str | None) -> dict[str, str]:
        """The parameters of an authorization request; None leaves one out."""
        challenge = challenge_of(self.verifier)
        named: dict[str, str | None] = {
            "client_id": self.client.client_id,
            "redirect_uri": self.redirect_uri,
            "response_type": "code",
            "scope": "openid profile",
            "state": self.state,
            "nonce": self.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return {name: value for name, value in (named | changes).items() if value is not None}

    def proof(self) -> dict[str, str]:
        """The header by which a confidential client authenticates."""
        if self.secret is None:
            return {}
        pair = f"{self.client.client_id}:{self.secret}"
        return {"authorization": "Basic " + base64.b64encode(pair.encode()).decode()}

    async def token(self, **fields: str | None) -> httpx2.Response:
        """POST /token with the fields, authenticated; None leaves one out."""
        return await self.post("/token", **fields)

    async def post(self, path: str, **fields: str | None) -> httpx2.Response:
        named = {} if self.secret else {"client_id": self.client.client_id}
        data = {name: value for name, value in (named | fields).items() if value is not None}
        return await self.world.api.post(path, data=data, headers=self.proof())

    async def redeem(self, code: str, **changes: str | None) -> httpx2.Response:
        named: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": self.verifier,
        }
        return await self.token(**named | changes)

    async def refresh(self, token: str, **changes: str | None) -> httpx2.Response:
        named: dict[str, str | None] = {"grant_type": "refresh_token", "refresh_token": token}
        return await self.token(**named | changes)

    async def revoke(self, token: str, **changes: str | None) -> httpx2.Response:
        named: dict[str, str | None] = {"token": token}
        return await self.post("/revoke", **named | changes)


class Browser:
    """A person's browser: it follows redirects as far as our pages and Discord's."""

    def __init__(
        self, world: "World", http: httpx2.AsyncClient, outside: httpx2.AsyncClient
    ) -> None:
        self.world = world
        self.http = http
        self.outside = outside

    async def authorize(self, app: App, **changes: str | None) -> httpx2.Response:
        """GET /authorize, no further."""
        return await self.http.get("/authorize", params=app.asks(**changes))

    async def at_discord(
        self, answer: httpx2.Response, person: str = ADA, *, deny: bool = False
    ) -> str:
        """Answer Discord's page; returns the address of our callback, not yet followed."""
        location = answer.headers["location"]
        assert location.startswith(self.world.discord_origin), location
        return await approve(self.outside, location, person, deny=deny)

    async def go_on(
        self, answer: httpx2.Response, person: str = ADA, *, deny: bool = False
    ) -> httpx2.Response:
        """Follow redirects until there is a page of ours, or one that leads to the client."""
        while answer.status_code == 303:
            location = answer.headers["location"]
            if location.startswith(self.world.discord_origin):
                location = await self.at_discord(answer, person, deny=deny)
            elif self.world.elsewhere and location.startswith(self.world.elsewhere):
                location = (await self.outside.get(location)).headers["location"]
            elif not location.startswith(("/", ISSUER)):
                break
            answer = await self.http.get(location)
        return answer

    async def arrive(self, app: App, person: str = ADA, **changes: str | None) -> httpx2.Response:
        """Begin at /authorize and go as far as possible without touching a page of ours."""
        return await self.go_on(await self.authorize(app, **changes), person)

    async def decide(
        self, page: httpx2.Response, decision: str, **changes: str | None
    ) -> httpx2.Response:
        """Press a button of a page of ours."""
        fields: dict[str, str | None] = {**hidden(page), "decision": decision}
        data = {name: value for name, value in (fields | changes).items() if value is not None}
        return await self.http.post("/interaction", data=data)

    async def code(self, app: App, person: str = ADA, **changes: str | None) -> str:
        """Sign in, agreeing where asked; returns the code."""
        answer = await self.arrive(app, person, **changes)
        if answer.status_code == 200:
            answer = await self.go_on(await self.decide(answer, "allow"), person)
        return answered(answer, app)["code"]

    async def tokens(self, app: App, person: str = ADA, **changes: str | None) -> dict[str, Any]:
        """Sign in and redeem the code."""
        answer = await app.redeem(await self.code(app, person, **changes))
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    @property
    def session(self) -> str | None:
        """The session cookie; None where there is none, or only the mark of a sign-out."""
        value = self.http.cookies.get("__Host-broker_session")
        return None if value == SIGNED_OUT else value
