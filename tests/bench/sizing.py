"""What people cost: bytes in Redis and PostgreSQL, processor time, and that it stays so.

    python -m tests.bench.sizing [--most 1000000] [--json FILE]

A broker serves on PostgreSQL and Redis; people sign in for real, and one of them is copied until
there are as many as asked. Processor time is what each process says it has used, so what else the
machine does matters little.
"""

import argparse
import asyncio
import base64
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import psutil
import redis

from broker.core.handles import Handles, Kind
from broker.demo.discord.ratelimit import Limit
from broker.demo.discord.state import SimulatedDiscord
from tests.bench import load
from tests.bench.crowd import PEOPLE, App, Crowd
from tests.bench.filling import Person, RedisFilling, fill_sql
from tests.bench.machine import Cores, Unfit, check_programs, cores, pinned, redis_server
from tests.postgresql import Cluster
from tests.running import NotReady, RunningBroker
from tests.stores.sql_fixtures import migrated_postgresql

FIRST: Final = 1_000
ASKED: Final = 20_000  # tokens that a run draws on, at the most
SECONDS: Final = 3


@dataclass(frozen=True, slots=True)
class Cost:
    """Processor time of one thing, in milliseconds, by who spent it."""

    broker: float
    redis: float
    postgresql: float


class Meter:
    """Reads how much processor time each has used.

    Args:
        broker: its workers.
        store: Redis.
        postgresql: its first process.
    """

    def __init__(self, broker: RunningBroker, store: "redis.Redis", postgresql: int) -> None:
        self._broker = broker
        self._store = store
        self._postgresql = psutil.Process(postgresql)

    async def of(self, work: Awaitable[float]) -> Cost:
        """Do work that returns how many times it did the thing; returns the cost of one."""
        before = self._read()
        times = await work
        after = self._read()
        return Cost(*(_more(b, a) * 1e3 / times for b, a in zip(before, after, strict=True)))

    def _read(self) -> tuple[dict[int, float], ...]:
        """Return the seconds that each process has used: of the broker, Redis, PostgreSQL."""
        told = self._store.info("cpu")
        family = [self._postgresql, *self._postgresql.children()]
        return (
            {one.pid: _used(one) for one in self._broker.workers()},
            {0: told["used_cpu_sys"] + told["used_cpu_user"]},
            {one.pid: _used(one) for one in family},
        )


def _more(before: dict[int, float], after: dict[int, float]) -> float:
    """Return how much more was used; what has ended meanwhile does not count."""
    return sum(used - before.get(pid, 0) for pid, used in after.items())


def _used(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


class Sizing:
    """People, a broker, and what is found out.

    Args:
        crowd: people who sign in.
        app: where.
        meter: of the broker they sign in at.
        filling: copies of one of them.
        pool: a file for tokens.
        places: which core does what.
    """

    def __init__(
        self,
        crowd: Crowd,
        app: App,
        meter: Meter,
        filling: RedisFilling,
        pool: Path,
        places: Cores,
    ) -> None:
        self._crowd = crowd
        self._app = app
        self._meter = meter
        self._filling = filling
        self._pool = pool
        self._places = places

    async def refreshing(self, number: int) -> dict[str, Any]:
        """Have so many accounts with a grant each; refresh some, and see what it costs."""
        first = self._filling.there
        taken = self._filling.fill(number)
        asked = random.sample(range(first, number), min(number - first, ASKED))
        before = sum(self._filling.grant_bytes(one) for one in asked[:100])
        self._tokens(asked)
        await self._load(1)
        self._tokens(asked, again=True)
        seen: list[load.Seen] = []
        cost = await self._meter.of(self._load(SECONDS, seen))
        after = sum(self._filling.grant_bytes(one) for one in asked[:100])
        return {
            "grants": number,
            "bytes": taken,
            "refresh": asdict(cost),
            "p50_ms": seen[0].p50_ms,
            "bytes_added_by_refreshing": (after - before) / 100,
        }

    async def flow(self) -> Cost:
        """Return the cost of a code flow of people who are signed in."""
        self._pool.write_text("\n".join(self._crowd.cookies) + "\n", encoding="ascii")
        app = self._app
        words = (app.authorize_path, str(self._pool), "/token", app.authorization, app.token_form)

        async def work() -> float:
            seen = load.run(self._crowd.issuer, "code.lua", words, SECONDS, self._places.load)
            return seen.per_second * SECONDS

        return await self._meter.of(work())

    def _tokens(self, asked: list[int], *, again: bool = False) -> None:
        """Write tokens; a second run draws on the first generation of others."""
        half = len(asked) // 2
        some = asked[half:] if again else asked[:half]
        self._pool.write_text("\n".join(map(self._filling.token, some)) + "\n", encoding="ascii")

    async def _load(self, seconds: int, seen: list[load.Seen] | None = None) -> float:
        words = ("/token", str(self._pool), self._app.authorization)
        found = load.run(self._crowd.issuer, "refresh.lua", words, seconds, self._places.load)
        if seen is not None:
            seen.append(found)
        return found.per_second * seconds


async def _people(crowd: Crowd, app: App, *, again: bool) -> float:
    """Sign everybody in, for the first time or from another browser; returns how many."""
    await (crowd.arrive_again(app) if again else crowd.arrive(app))
    return PEOPLE


async def run(most: int, folder: Path) -> dict[str, Any]:
    """Find everything out."""
    places = cores()
    os.sched_setaffinity(0, {places.load})
    secret = base64.b64encode(os.urandom(48)).decode()
    with (
        redis_server(folder / "redis", places.load) as redis_url,
        postgresql() as cluster,
    ):
        address = cluster.fresh(migrated_postgresql(cluster)).replace("+asyncpg", "")
        settings = {
            "BROKER_REDIS_URL": redis_url,
            "BROKER_DATABASE_URL": address,
            "BROKER_SECRETS": secret,
        }
        calm = SimulatedDiscord(limits={}, everything=Limit(10**6, 1))
        worker = pinned(places.worker)
        broker = RunningBroker(folder / "broker", settings, discord=calm, launcher=worker)
        with broker:
            return await _found(broker, redis_url, secret, address, cluster, places, most)


async def _found(
    broker: RunningBroker,
    redis_url: str,
    secret: str,
    address: str,
    cluster: Cluster,
    places: Cores,
    most: int,
) -> dict[str, Any]:
    handles, store = Handles([secret.encode()]), redis.Redis.from_url(redis_url)
    crowd = Crowd(broker, handles, store)
    app = crowd.register("Sizing")
    meter = Meter(broker, store, cluster.pid)
    found: dict[str, Any] = {}
    found["first sign-in"] = asdict(await meter.of(_people(crowd, app, again=False)))
    person = await _person(crowd, app, handles)
    filling = RedisFilling(store, person, handles)
    sizing = Sizing(crowd, app, meter, filling, broker.log.parent / "pool", places)
    found["code flow, signed in"] = asdict(await sizing.flow())
    found["sign-in again"] = asdict(await meter.of(_people(crowd, app, again=True)))
    print("  copying accounts in PostgreSQL …", flush=True)
    found["PostgreSQL bytes"] = await fill_sql(address, person.account_id, most)
    found["sign-in again, among as many"] = asdict(await meter.of(_people(crowd, app, again=True)))
    found["refresh"] = []
    number = FIRST
    while number <= most:
        print(f"  {number:,} grants …", flush=True)
        found["refresh"].append(await sizing.refreshing(number))
        number *= 10
    return found


async def _person(crowd: Crowd, app: App, handles: Handles) -> Person:
    """Return somebody with one session and one grant."""
    token = (await crowd.tokens(app))[0]["refresh_token"]
    opened = handles.open(Kind.REFRESH, token)
    cookie = handles.open(Kind.SESSION, crowd.cookies[0].split("=", 1)[1])
    if opened is None or cookie is None:
        raise Unfit("a token that does not open")
    return Person(opened.account_id, cookie.item_id, opened.item_id, opened.generation)


@contextmanager
def postgresql() -> Iterator[Cluster]:
    """Run a PostgreSQL server of its own."""
    cluster = Cluster()
    cluster.make()
    try:
        yield cluster
    finally:
        cluster.remove()


def show(found: dict[str, Any]) -> None:
    """Print everything as tables of the sizing page."""
    print("\n| milliseconds of processor time | broker | Redis | PostgreSQL |\n|---|---|---|---|")
    for name, cost in found.items():
        if isinstance(cost, dict) and "broker" in cost:
            print(_line(name, cost))
    print(_line("refresh", found["refresh"][-1]["refresh"]))
    print("\n| live grants | refresh: broker ms | Redis ms | p50 ms | bytes more, refreshed |")
    print("|---|---|---|---|---|")
    for one in found["refresh"]:
        cost = one["refresh"]
        print(
            f"| {one['grants']:,} | {cost['broker']:.2f} | {cost['redis']:.3f} "
            f"| {one['p50_ms']:.1f} | {one['bytes_added_by_refreshing']:.0f} |"
        )
    print("\n| bytes | |\n|---|---|")
    for name, size in found["refresh"][-1]["bytes"].items():
        print(f"| Redis, {name} | {size:,.0f} |")
    for name, size in found["PostgreSQL bytes"].items():
        print(f"| PostgreSQL, {name} | {size:,.0f} |")


def _line(name: str, cost: dict[str, float]) -> str:
    return f"| {name} | {' | '.join(f'{cost[who]:.2f}' for who in cost)} |"


def main() -> int:
    """Run as the command line says; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.sizing")
    parser.add_argument("--most", type=int, default=1_000_000, help="accounts with a grant each")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there as well")
    asked = parser.parse_args()
    began = time.monotonic()
    try:
        check_programs()
        with tempfile.TemporaryDirectory(prefix="broker-sizing-") as folder:
            found = asyncio.run(run(asked.most, Path(folder)))
    except (Unfit, NotReady) as error:
        print(error, file=sys.stderr)
        return 1
    show(found)
    print(f"\n  {time.monotonic() - began:.0f} s")
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
