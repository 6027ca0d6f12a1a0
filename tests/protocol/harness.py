"""A complete broker to attack: composed as in production, its clock and its Discord in our hand.

Requests go through ASGI in this process; Redis, SQLite and the simulated Discord are real.
"""

import asyncio
import logging
import math
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx2
import structlog
from redis.asyncio import Redis

from broker.app.compose import Broker, MakeConsole, compose
from broker.app.settings import Settings
from broker.app.watching import Watch
from broker.core import audit
from broker.core.model import Client
from broker.demo.discord import Application, SimulatedDiscord, endpoints
from broker.demo.discord.app import serve_in_thread
from broker.stores.embedded import find_binary
from broker.stores.redis import connect
from broker.stores.redis.scripts import FOLDER, script
from broker.stores.sql import engine as sql_engine
from broker.stores.sql import schema
from broker.stores.sql.drain import drain_once
from broker.stores.sql.records import AuditEntry
from tests.core.helpers import NOW, Counted, Hands
from tests.protocol.actors import App, Browser
from tests.protocol.known import CLIENTS, DISCORD_ID, DISCORD_SECRET, ISSUER, OPERATOR_SECRET

CARRYING = (
    "SELECT count(*) FROM outbox WHERE done_at IS NULL AND attempts > 0 AND last_error IS NULL"
)


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
            "discord_public_key": Application(DISCORD_ID, DISCORD_SECRET, ()).verify_key,
            "discord_authorize_url": discord["authorize_url"],
            "discord_api_url": discord["api_base"],
            "discord_cdn_url": discord["cdn_base"],
            # Short, for tests in which it passes; no machine is so busy that others meet it.
            "discord_timeout": 3,
            # Time stands still here, so a minute's worth would have to last for ever.
            "limit_account": "off",
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
        elsewhere: origins of other upstreams, which send whoever comes back at once.
        api: an HTTP client without cookies: a program.
        redis: a connection of our own to the broker's Redis.
    """

    def __init__(self, shelf: Shelf, broker: Broker, clock: Hands, redis_url: str) -> None:
        self.broker = broker
        self.clock = clock
        self.discord = shelf.discord
        self.discord_origin = shelf.discord_origin
        self.elsewhere: tuple[str, ...] = ()
        self.redis: Redis = connect(redis_url)  # type: ignore[assignment]
        self.sql = broker.stores.sql
        self._open: list[httpx2.AsyncClient] = []
        self.latest = clock.at
        self._numbers = iter(range(10**6))

    def _http(self) -> httpx2.AsyncClient:
        transport = httpx2.ASGITransport(app=self.broker.web)
        self._open.append(httpx2.AsyncClient(transport=transport, base_url=ISSUER))
        return self._open[-1]

    def browser(self) -> Browser:
        """A browser that nobody has used before."""
        outside = httpx2.AsyncClient(trust_env=False, verify=False)  # plain http, on loopback
        self._open.append(outside)
        return Browser(self, self._http(), outside)

    def app(self, client: Client) -> App:
        """The client's side, with a verifier and a state of its own."""
        return App(self, client, str(next(self._numbers)))

    async def new_app(self, like: Client, **fields: Any) -> App:
        """The side of a client registered for this test alone, otherwise as another one."""
        client = replace(like, client_id=f"new-{next(self._numbers)}", **fields)
        await self.sql.clients.add(client, now=self.clock.at)
        return self.app(client)

    async def edit(self, app: App, **fields: Any) -> None:
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
        await self.sql.followed_apis.read()
        await self.sql.followed_guilds.read()

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
        """Carry to Redis what operators did in SQL, or wait for the broker, which may be at it."""
        await drain_once(self.sql.outbox, self.broker.stores.carry, clock=self.clock)
        async with asyncio.timeout(30):
            while await self._carrying():
                await asyncio.sleep(0.01)

    async def _carrying(self) -> bool:
        async with self.sql.engine.connect() as connection:
            return bool((await connection.exec_driver_sql(CARRYING)).scalar())

    async def userinfo(self, token: str) -> httpx2.Response:
        return await self.api.get("/userinfo", headers={"authorization": f"Bearer {token}"})

    async def reset(self) -> None:
        """Forget everybody: Redis and Discord as new, no account and no event in SQL.

        A second begins, as if no test before had turned the clock by a part of one.
        """
        await audit.settle()  # else what the test before had kept soon would be kept in the next
        await self.close_clients()
        self.api = self._http()
        missed = math.ceil(max(self.latest, self.clock.at)) - self.clock.at
        self.discord.__init__()  # type: ignore[misc]
        callback = f"{ISSUER}/login/discord/callback"
        self.discord.add_application(Application(DISCORD_ID, DISCORD_SECRET, (callback,)))
        await self.redis.flushall()
        async with self.sql.engine.begin() as connection:
            tables = (
                "passkey",
                "operator",
                "consent",
                "identity",
                "account",
                "audit_event",
                "outbox",
                "api",
                "guild",
                "ban",
            )
            for table in tables:
                await connection.exec_driver_sql(f"DELETE FROM {table}")
        if missed:
            await self.advance(missed)

    async def know_scripts(self) -> None:
        """Have Redis know every step, as one that has served for a while does."""
        for path in FOLDER.glob("*.lua"):
            await self.redis.script_load(script(path.stem).text)

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
    shelf: Shelf,
    folder: Path,
    *,
    redis_url: str | None = None,
    console: MakeConsole | None = None,
    watch: Watch | None = None,
    quiet: bool = True,
    **settings: Any,
) -> AsyncIterator[World]:
    """Compose a broker over a copy of the database that tests begin with.

    Args:
        shelf: the servers.
        folder: where its database goes.
        redis_url: another Redis than the shelf's.
        console: makes the operator console, where it is wanted.
        watch: measures, where metrics are wanted.
        quiet: whether it writes no access log.
        settings: that differ.
    """
    database = folder / "broker.db"
    shutil.copy(shelf.database, database)
    clock, url = Hands(), redis_url or shelf.redis_url
    entropy = Counted(str(folder).encode())
    chosen = settings_for(shelf, database, **settings)
    before = structlog.get_config()
    if quiet:
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    made = compose(chosen, url, clock=clock, entropy=entropy, console=console, watch=watch)
    async with made as broker:
        structlog.configure(**before)
        world = World(shelf, broker, clock, url)
        await world.know_scripts()
        await world.reset()
        try:
            yield world
        finally:
            await world.close()
