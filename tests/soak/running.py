"""Runs the soak: two workers on a Redis Cluster of six processes and PostgreSQL."""

import asyncio
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import asyncpg  # type: ignore[import-untyped]
import httpx2

from tests.faults.conftest import fill
from tests.faults.elsewhere import Wire
from tests.faults.people import ADA, BEN, SECRET
from tests.faults.redis_groups import cluster
from tests.postgresql import Cluster as PostgreSQL
from tests.soak.crowd import PATIENCE, Crowd, Verifier
from tests.soak.history import History, Outcome, Record, What
from tests.soak.processes import CALM, Fault
from tests.soak.proxy import proxied
from tests.soak.server import WORKERS, Server
from tests.soak.trouble import LEAVER, Stage

POLL = 3  # seconds between two looks at the keys; who starts on a busy machine gets to it
CACHE = 3  # seconds that a JWKS is kept


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run.

    Attributes:
        seconds: how long things are hurt.
        seed: of what is drawn.
        grace: of refresh tokens, in seconds.
        only: the faults to draw from, by name; all unless given.
        least: how many are done, however long each of them takes.
    """

    seconds: float
    seed: int
    grace: int = 10
    only: tuple[str, ...] = ()
    least: int = 0

    @property
    def settings(self) -> dict[str, str]:
        """The broker's."""
        return {
            "BROKER_SECRETS": SECRET,
            "BROKER_WORKERS": str(WORKERS),
            "BROKER_REDIS_REPLICAS": "1",
            "BROKER_REFRESH_GRACE": str(self.grace),
            "BROKER_JWKS_CACHE": str(CACHE),
            "BROKER_KEYS_POLL": str(POLL),
            "BROKER_CLOCK_SKEW": "1",
        }


@dataclass(slots=True)
class Run:
    """What came of it.

    Attributes:
        history: for the judge.
        faults: how often each was done.
        unserved: grants that were alive and not served again in the end.
        log: the broker's.
    """

    history: History
    faults: Counter[str] = field(default_factory=Counter)
    unserved: list[str] = field(default_factory=list)
    log: str = ""


@asynccontextmanager
async def staged(plan: Plan, folder: Path, sql: PostgreSQL, random: Random) -> AsyncIterator[Stage]:
    """All that it needs, running, until the block ends."""
    async with AsyncExitStack() as stack:
        redis = stack.enter_context(cluster(folder / "redis"))
        wire = stack.enter_context(Wire(sql.port))
        database = await asyncio.to_thread(sql.fresh)
        data = folder / "broker" / "data"
        data.mkdir(parents=True, mode=0o700)
        await fill(database, data)
        through = database.replace(f":{sql.port}/", f":{wire.port}/")
        stores = {"BROKER_DATABASE_URL": through, "BROKER_REDIS_URL": redis.url}
        held = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=2048))
        broker = Server(folder / "broker", plan.settings | stores, held)
        stack.callback(broker.stop)
        await asyncio.to_thread(broker.start)
        proxy = await stack.enter_async_context(proxied(broker.port))
        http = httpx2.AsyncClient(
            base_url=f"http://127.0.0.1:{proxy.port}", timeout=PATIENCE, trust_env=False
        )
        await stack.enter_async_context(http)
        history = History(grace=plan.grace, bound=2 * POLL)
        crowd = Crowd(broker.issuer, http, history, random, Verifier(http, history))
        yield Stage(broker, redis, sql, wire, proxy, crowd, random)


async def run(
    plan: Plan, folder: Path, sql: PostgreSQL, tell: Callable[[str], None] = lambda _: None
) -> Run:
    """Hurt a broker that people use; then let it rest, and see whether all are served.

    Args:
        plan: what to run.
        folder: an empty one.
        sql: a server that may be stopped.
        tell: told of each fault.
    """
    random = Random(plan.seed)
    async with staged(plan, folder, sql, random) as stage:
        crowd = stage.crowd
        found = Run(crowd.history)
        async with asyncio.TaskGroup() as group:
            for number in range(6):
                group.create_task(crowd.honest((ADA, BEN, LEAVER)[number % 3]))
            group.create_task(crowd.thief("dmitri7"))
            # Of a person apart: who signs in so often pushes out the eldest of their own grants.
            group.create_task(crowd.quitter("noa.bd"))
            await _hurt(plan, stage, found, tell)
            await _rest(crowd, found)
            crowd.over.set()
        stage.settle()
        found.log = stage.broker.log.read_text("utf-8", "replace")
        database = stage.broker.environment["BROKER_DATABASE_URL"].replace("+asyncpg", "")
        await _read_audit(database, crowd.history)
        return found


async def _hurt(plan: Plan, stage: Stage, found: Run, tell: Callable[[str], None]) -> None:
    """Do one fault after another, each once before any comes again."""
    until = time.monotonic() + plan.seconds
    known = stage.faults()
    hat: list[tuple[str, Fault]] = []
    await asyncio.sleep(1)
    while (left := until - time.monotonic()) > 0 or found.faults.total() < plan.least:
        if not hat:
            hat = [(name, known[name]) for name in plan.only or known]
            stage.random.shuffle(hat)
        name, fault = hat.pop()
        tell(f"{left:5.0f} s left, {len(found.history.records):6} records: {name}")
        await fault()
        found.faults[name] += 1
        await asyncio.sleep(stage.some(0.2, 1.5))


async def _rest(crowd: Crowd, found: Run) -> None:
    """Wait until whoever was alive is served again."""
    began, alive = time.time(), _alive(crowd.history)
    with suppress(TimeoutError):
        async with asyncio.timeout(CALM):
            while alive := alive - _served(crowd.history, began):
                await asyncio.sleep(0.1)
    found.unserved = sorted(alive)


def _alive(history: History) -> set[str]:
    """The grants with a request in the last seconds that nothing has ended."""
    now = time.time()
    ended = {one.line for one in history.records if one.outcome is Outcome.REFUSED}
    told = {one.line for one in history.records if one.what in {What.REVOKE, What.SIGN_OUT}}
    asked = {
        one.line
        for one in history.records
        if one.what is What.REFRESH and one.ended > now - 2 * PATIENCE
    }
    return asked - ended - told


def _served(history: History, since: float) -> set[str]:
    """The grants that got an answer since then, an ending too."""
    kinds = {What.REFRESH, What.REVOKE}
    known = {Outcome.OK, Outcome.REFUSED}
    records = reversed(history.records)
    return {
        one.line
        for one in records
        if one.ended > since and one.what in kinds and one.outcome in known
    }


async def _read_audit(database: str, history: History) -> None:
    """Add what the broker itself remembers of lost writes."""
    connection = await asyncpg.connect(database, timeout=5)
    try:
        rows = await connection.fetch(
            "SELECT at, detail->>'grant' AS line, (detail->>'generation')::bigint AS given"
            " FROM audit_event WHERE kind = 'grant.adopted'"
        )
    finally:
        await connection.close()
    for row in rows:
        at, line, given = row["at"], row["line"], row["given"]
        history.add(Record(What.ADOPTED, Outcome.OK, at, at, line, given=given))
