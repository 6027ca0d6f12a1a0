"""A complete broker to attack: composed as in production, its clock and its Discord in our hand.

Requests go through ASGI in this process; Redis, SQLite and the simulated Discord are real.
"""

import asyncio
import base64
import logging
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from html import unescape
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
import structlog
from redis.asyncio import Redis

from broker.app.compose import Broker, compose
from broker.app.settings import Settings
from broker.core.clients import digest
from broker.core.model import Client, ClientSecret
from broker.core.pkce import challenge_of, encode
from broker.demo.discord import Application, SimulatedDiscord, approve, endpoints
from broker.demo.discord.app import serve_in_thread
from broker.stores.embedded import find_binary
from broker.stores.redis import connect
from broker.stores.sql import engine as sql_engine
from broker.stores.sql import schema
from broker.stores.sql.drain import drain_once
from broker.stores.sql.records import AuditEntry
from tests.core.helpers import NOW, Counted, Hands

ISSUER = "https://127.0.0.1:8443"
API = "https://api.example/v1"
OTHER_API = "https://other-api.example"
ORIGIN = "https://front.example"
DISCORD_ID, DISCORD_SECRET = "1130000000000000001", "simulated-discord-secret"
OPERATOR_SECRET = "x" * 40
SECRET = "s3cret+with/odd%chars:and=more"
ADA, BEN = "ada.lindqvist", "ben_okafor"
KEPT = (ClientSecret(digest(SECRET), NOW),)


def _client(client_id: str, redirect_uri: str, **fields: Any) -> Client:
    return Client(client_id, client_id.title(), redirect_uris=(redirect_uri,), **fields)


FRONT = _client(
    "front", "https://front.example/callback", first_party=True, origins=(ORIGIN,),
    post_logout_redirect_uris=("https://front.example/bye",),
)  # fmt: skip
BACK = _client(
    "back", "https://back.example/callback", first_party=True, auth_method="client_secret_basic",
    secrets=KEPT, resources=(API, OTHER_API), client_uri="https://back.example/",
    post_logout_redirect_uris=("https://back.example/bye",),
)  # fmt: skip
POST = _client(
    "post", "https://post.example/callback", first_party=True, auth_method="client_secret_post",
    secrets=KEPT, audience="https://default.example", require_pkce=False,
)  # fmt: skip
THIRD = _client("third", "https://third.example/callback", client_uri="https://third.example/")
NATIVE = _client(
    "native", "http://127.0.0.1/callback", application_type="native", first_party=True
)
CUSTOM = _client(
    "custom", "com.example.app:/callback", application_type="native", first_party=True
)
TWO = Client(
    "two", "Two", redirect_uris=("https://two.example/a", "https://two.example/b?x=1"),
    first_party=True,
)  # fmt: skip
CODE_ONLY = replace(FRONT, client_id="code-only", grant_types=("authorization_code",))
NARROW = replace(FRONT, client_id="narrow", scopes=("openid", "profile"))
BARE = replace(FRONT, client_id="bare", id_token_at_refresh=False, access_token_lifetime=60)
CLIENTS = (FRONT, BACK, POST, THIRD, NATIVE, CUSTOM, TWO, CODE_ONLY, NARROW, BARE)


@dataclass(frozen=True)
class Shelf:
    """What all tests share: servers, and a database with clients and signing keys in it."""

    redis_url: str
    database: Path
    discord: SimulatedDiscord
    discord_origin: str


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """Run a Redis that keeps nothing; yields its address."""
    socket = folder / "redis.sock"
    words = ["--port", "0", "--unixsocket", str(socket), "--save", "", "--appendonly", "no"]
    words += ["--dir", str(folder), "--maxmemory-policy", "noeviction"]
    with subprocess.Popen([find_binary(), *words], stdout=subprocess.DEVNULL) as server:
        try:
            until = monotonic() + 10
            while not socket.exists() and monotonic() < until:
                sleep(0.005)
            yield f"unix://{socket}"
        finally:
            server.kill()


@contextmanager
def shelf(folder: Path) -> Iterator[Shelf]:
    """Set up what all tests share."""
    discord = SimulatedDiscord()
    with redis_server(folder) as redis_url, serve_in_thread(discord) as origin:
        found = Shelf(redis_url, folder / "template.db", discord, origin)
        asyncio.run(_fill(found))
        yield found


def settings_for(shelf: Shelf, database: Path, **changes: Any) -> Settings:
    """Return the settings of a broker that uses these servers."""
    discord = endpoints(shelf.discord_origin)
    return Settings(
        **{
            "issuer": ISSUER,
            "data_dir": database.parent,
            "database_url": f"sqlite:///{database}",
            "secrets": OPERATOR_SECRET,
            "discord_client_id": DISCORD_ID,
            "discord_client_secret": DISCORD_SECRET,
            "discord_authorize_url": discord["authorize_url"],
            "discord_api_url": discord["api_base"],
            "discord_cdn_url": discord["cdn_base"],
            "discord_timeout": 1,
        }
        | changes
    )


async def _fill(shelf: Shelf) -> None:
    """Make the database that tests begin with, once: the schema, the clients, two keys."""
    settings = settings_for(shelf, shelf.database)
    engine = sql_engine.create(f"sqlite:///{shelf.database}")
    await schema.upgrade(engine)
    await engine.dispose()
    async with compose(settings, shelf.redis_url, clock=Hands(), entropy=Counted()) as broker:
        for client in CLIENTS:
            await broker.stores.sql.clients.add(client, now=NOW)


class World:
    """A broker, the clock it goes by, its stores, and programs and browsers that talk to it.

    Attributes:
        broker: as composed.
        clock: the broker's time; ``advance`` turns it.
        discord, discord_origin: the simulated Discord.
        api: an HTTP client without cookies: a program.
        redis: a connection of our own to the broker's Redis.
    """

    def __init__(self, shelf: Shelf, broker: Broker, clock: Hands, redis_url: str) -> None:
        self.broker = broker
        self.clock = clock
        self.discord = shelf.discord
        self.discord_origin = shelf.discord_origin
        self.redis: Redis = connect(redis_url)  # type: ignore[assignment]
        self.sql = broker.stores.sql
        self._open: list[httpx2.AsyncClient] = []
        self.latest = clock.at
        self._numbers = iter(range(10**6))

    def _http(self) -> httpx2.AsyncClient:
        transport = httpx2.ASGITransport(app=self.broker.web)
        self._open.append(httpx2.AsyncClient(transport=transport, base_url=ISSUER))
        return self._open[-1]

    def browser(self) -> "Browser":
        """A browser that nobody has used before."""
        outside = httpx2.AsyncClient(trust_env=False, verify=False)  # plain http, on loopback
        self._open.append(outside)
        return Browser(self, self._http(), outside)

    def app(self, client: Client) -> "App":
        """The client's side, with a verifier and a state of its own."""
        return App(self, client, str(next(self._numbers)))

    async def new_app(self, like: Client, **fields: Any) -> "App":
        """The side of a client registered for this test alone, otherwise as another one."""
        client = replace(like, client_id=f"new-{next(self._numbers)}", **fields)
        await self.sql.clients.add(client, now=self.clock.at)
        return self.app(client)

    async def edit(self, app: "App", **fields: Any) -> None:
        """Change a client's registration, and let the broker follow."""
        record = await self.sql.clients.get(app.client.client_id)
        assert record is not None
        app.client = replace(record.client, **fields)
        await self.sql.clients.edit(app.client, version=record.version, now=self.clock.at)
        await self.advance(0)

    async def advance(self, seconds: float) -> None:
        """Let time pass; what follows the stores has looked again by then."""
        self.clock.at += seconds
        self.latest = max(self.latest, self.clock.at)
        await self.broker.keyring.refresh()
        await self.broker.keyring.maintain()
        await self.sql.followed_clients.compare()

    async def audit(self, kind: str) -> list[AuditEntry]:
        """The audit events of that kind, newest first."""
        return [entry for entry in await self.sql.audit.page() if entry.event.kind == kind]

    async def account_of(self, username: str) -> str:
        """The account_id of somebody who has signed in before."""
        (found,) = await self.sql.accounts.find(username)
        return found.account_id

    async def disable(self, account_id: str) -> None:
        """Switch an account off as an operator does, and drain the outbox."""
        await self.sql.accounts.disable(account_id, "test", self.clock.at)
        await self.drain()

    async def enable(self, account_id: str) -> None:
        """Switch an account on again, and drain the outbox."""
        await self.sql.accounts.enable(account_id, self.clock.at)
        await self.drain()

    async def sign_out(self, account_id: str) -> None:
        """Sign an account out everywhere as an operator does, and drain the outbox."""
        await self.sql.accounts.sign_out(account_id, self.clock.at)
        await self.drain()

    async def drain(self) -> None:
        """Carry to Redis what operators did in SQL."""
        await drain_once(self.sql.outbox, self.broker.stores.carry, clock=self.clock)

    async def userinfo(self, token: str) -> httpx2.Response:
        return await self.api.get("/userinfo", headers={"authorization": f"Bearer {token}"})

    async def reset(self) -> None:
        """Forget everybody: Redis and Discord as new, no account and no event in SQL."""
        await self.close_clients()
        self.api = self._http()
        self.clock.at = self.latest = max(self.clock.at, self.latest) + 60
        self.discord.__init__()  # type: ignore[misc]
        callback = f"{ISSUER}/login/discord/callback"
        self.discord.add_application(Application(DISCORD_ID, DISCORD_SECRET, (callback,)))
        await self.redis.flushall()
        async with self.sql.engine.begin() as connection:
            for table in ("consent", "identity", "account", "audit_event", "outbox"):
                await connection.exec_driver_sql(f"DELETE FROM {table}")
        await self.advance(0)

    async def close_clients(self) -> None:
        """Close every HTTP client."""
        while self._open:
            await self._open.pop().aclose()

    async def close(self) -> None:
        """Close everything that is ours."""
        await self.close_clients()
        await self.redis.aclose()


@asynccontextmanager
async def begin(
    shelf: Shelf, folder: Path, *, redis_url: str | None = None, **settings: Any
) -> AsyncIterator[World]:
    """Compose a broker over a copy of the database that tests begin with."""
    database = folder / "broker.db"
    shutil.copy(shelf.database, database)
    clock, url = Hands(), redis_url or shelf.redis_url
    entropy = Counted(str(folder).encode())
    chosen = settings_for(shelf, database, **settings)
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    async with compose(chosen, url, clock=clock, entropy=entropy) as broker:
        structlog.configure(**before)
        world = World(shelf, broker, clock, url)
        await world.reset()
        try:
            yield world
        finally:
            await world.close()


class App:
    """A client application: what it sends, and what it keeps meanwhile."""

    def __init__(self, world: World, client: Client, number: str) -> None:
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
        self, world: World, http: httpx2.AsyncClient, outside: httpx2.AsyncClient
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
            elif not location.startswith(("/", ISSUER)):
                break
            answer = await self.http.get(location)
        return answer

    async def arrive(
        self, app: App, person: str = ADA, **changes: str | None
    ) -> httpx2.Response:
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
        return self.http.cookies.get("__Host-broker_session")


def hidden(page: httpx2.Response) -> dict[str, str]:
    """The hidden fields of a page's form."""
    assert page.status_code == 200, (page.status_code, page.headers.get("location"), page.text)
    tags = re.findall(r"<input[^>]*type=\"hidden\"[^>]*>", page.text)
    pairs = ((re.search(r'name="([^"]*)"', t), re.search(r'value="([^"]*)"', t)) for t in tags)
    return {unescape(n[1]): unescape(v[1]) for n, v in pairs if n and v}


def query_of(location: str) -> dict[str, str]:
    pairs = parse_qsl(urlsplit(location).query, keep_blank_values=True)
    assert len({name for name, _ in pairs}) == len(pairs), location
    return dict(pairs)


def answered(answer: httpx2.Response, app: App) -> dict[str, str]:
    """The answer's parameters at the client: a code, the state and ``iss`` (RFC 9207)."""
    found = _sent_to(answer, app)
    assert found.keys() == {"code", "state", "iss"}, found
    assert (found["state"], found["iss"]) == (app.state, ISSUER)
    return found


def _sent_to(answer: httpx2.Response, app: App) -> dict[str, str]:
    assert answer.status_code == 303, (answer.status_code, answer.text)
    location = answer.headers["location"]
    assert location.startswith(app.redirect_uri + ("&" if "?" in app.redirect_uri else "?"))
    assert answer.headers["cache-control"] == "no-store"
    return query_of(location)


def is_refusal(
    answer: httpx2.Response, app: App, error: str, *, state: str | None = "its own"
) -> None:
    """R(error): to the validated redirect URI, with the request's state and ``iss``."""
    found = _sent_to(answer, app)
    assert found.pop("error") == error, found
    assert found.pop("error_description")
    assert found.pop("iss") == ISSUER
    assert found.pop("state", None) == (app.state if state == "its own" else state)
    assert not {"code", "access_token", "id_token"} & found.keys()


def is_page(answer: httpx2.Response, status: int = 400) -> str:
    """PAGE: HTML for a person, that cannot be framed, kept or redirected; returns its text."""
    assert answer.status_code == status, (answer.status_code, answer.headers, answer.text)
    assert answer.headers["content-type"].startswith("text/html")
    assert "location" not in answer.headers
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    return unescape(answer.text)


def is_token_error(answer: httpx2.Response, error: str, status: int = 400) -> None:
    """T(error): JSON that nobody may keep, without any token in it."""
    assert answer.status_code == status, (answer.status_code, answer.text)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert body.pop("error") == error, body
    assert body.keys() == {"error_description"}


def is_challenge(
    answer: httpx2.Response, error: str | None = "invalid_token", status: int = 401
) -> None:
    """RS401 and its kin: a Bearer challenge that names the error."""
    assert answer.status_code == status, (answer.status_code, answer.text)
    challenge = answer.headers["www-authenticate"]
    assert challenge.startswith("Bearer ")
    assert answer.headers["cache-control"] == "no-store"
    if error is None:
        assert "error" not in challenge
    else:
        assert f'error="{error}"' in challenge
