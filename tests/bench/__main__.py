"""Runs the benchmark: `python -m tests.bench [--json FILE] [--quick] [--peers]`."""

import argparse
import asyncio
import base64
import http.client
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from subprocess import Popen
from typing import Final

import redis

from broker.core.handles import Handles
from broker.demo.discord.ratelimit import Limit
from broker.demo.discord.state import SimulatedDiscord
from tests.bench import load, memory, report, rows
from tests.bench.crowd import Crowd
from tests.bench.devices import Waiting
from tests.bench.machine import (
    Cores,
    Unfit,
    check_programs,
    cores,
    pinned,
    redis_server,
    rsa_signatures,
)
from tests.bench.peers import Peer, peers
from tests.bench.rows import ROWS, Row, Stage
from tests.ports import free_port
from tests.running import ROOT, NotReady, RunningBroker

PATIENCE: Final = 30.0  # seconds for a server to start
OURS: Final = "Token Broker"
FLOOR: Final = [sys.executable, "-m", "tests.bench.floor"]


@dataclass(frozen=True, slots=True)
class Method:
    """How long is measured: seconds of warm-up once a row, seconds and number of rounds."""

    warm_up: int
    seconds: int
    rounds: int


WHOLE: Final = Method(warm_up=1, seconds=4, rounds=3)
QUICK: Final = Method(warm_up=1, seconds=1, rounds=1)


@dataclass(frozen=True, slots=True)
class Round:
    """What a round saw of each, one after the other.

    Attributes:
        ours, floor: the broker and its floor.
        peers: other providers by name, of those that have the row.
    """

    ours: load.Seen
    floor: load.Seen
    peers: dict[str, load.Seen]


class Bench:
    """Servers to compare and the stage for their loads.

    Args:
        method: how long.
        places: which core does what.
        stage: what loads draw on.
        ours, floor: origins of the two servers.
        peers: other providers.

    Attributes:
        compared: of the rows that were measured, those that another provider has too.
    """

    def __init__(
        self,
        method: Method,
        places: Cores,
        stage: Stage,
        ours: str,
        floor: str,
        peers: Sequence[Peer] = (),
    ) -> None:
        self._method = method
        self._places = places
        self._stage = stage
        self._ours = ours
        self._floor = floor
        self._peers = peers
        self.compared: list[report.Compared] = []

    async def measure(self, only: str) -> list[report.Measured]:
        """Measure every row whose name holds a text; the speed of the core around each."""
        found = []
        before = rsa_signatures(self._places.worker)
        for row in ROWS:
            if only in row.name:
                print(f"  {row.name} …", flush=True)
                seen = await self._rounds(row)
                after = rsa_signatures(self._places.worker)
                found.append(_measured(row, seen, mean((before, after))))
                self.compared += _compared(row, seen, self._peers)
                before = after
        return found

    async def _rounds(self, row: Row) -> list[Round]:
        method = self._method
        await self._round(row, method.warm_up)
        return [await self._round(row, method.seconds) for _ in range(method.rounds)]

    async def _round(self, row: Row, seconds: int) -> Round:
        core = self._places.load
        await row.prepare(self._stage, seconds)
        ours = load.run(self._ours, row.script, row.ours(self._stage), seconds, core)
        floor = load.run(self._floor, row.script, row.floor(self._stage), seconds, core)
        runs = {one.name: one.run(row.name, row.script, seconds, core) for one in self._peers}
        return Round(ours, floor, {name: seen for name, seen in runs.items() if seen})


def _measured(row: Row, seen: list[Round], rsa: float) -> report.Measured:
    ours = [one.ours for one in seen]
    rate = median(one.per_second for one in ours)
    return report.Measured(
        row.name,
        rate,
        median(one.p50_ms for one in ours),
        median(one.p99_ms for one in ours),
        rate / rsa,
        median(one.ours.per_second / one.floor.per_second for one in seen),
    )


def _compared(row: Row, seen: list[Round], peers: Sequence[Peer]) -> list[report.Compared]:
    """Return the row beside other providers, as parts of its floor; nothing where none has it."""
    values: dict[str, float | None] = {
        OURS: median(one.ours.per_second / one.floor.per_second for one in seen)
    }
    for name in (peer.name for peer in peers):
        parts = [r.peers[name].per_second / r.floor.per_second for r in seen if name in r.peers]
        values[name] = median(parts) if parts else None
    found = [value for value in values.values() if value is not None]
    return [report.Compared(row.name, "÷ floor", values)] if len(found) > 1 else []


def first_answer(port: int) -> float:
    """Return how many seconds from now a server gives its first 200.

    Raises:
        NotReady: it gives none.
    """
    began = time.perf_counter()
    while time.perf_counter() - began < PATIENCE:
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        try:
            line.request("GET", rows.JWKS)
            if line.getresponse().status == 200:
                return time.perf_counter() - began
        except OSError:
            time.sleep(0.002)
        finally:
            line.close()
    raise NotReady(f"nothing answers on port {port}")


@contextmanager
def floor_server(folder: Path, redis_url: str, found: object, core: int) -> Iterator[str]:
    """Run the floor on one core; yield its origin."""
    file, port = folder / "samples.json", free_port()
    file.write_text(json.dumps(found), encoding="utf-8")
    command = [*pinned(core), *FLOOR, str(port), redis_url, str(file)]
    with Popen(command, cwd=ROOT) as process:
        try:
            _answers(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _answers(port: int) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        try:
            line.request("GET", "/jwks")
            line.getresponse()
        except OSError:
            time.sleep(0.02)
        else:
            return
        finally:
            line.close()
    raise NotReady("the floor does not start")


async def stage_of(broker: RunningBroker, redis_url: str, secret: str, folder: Path) -> Stage:
    """Register the clients and sign everybody in."""
    handles = Handles([secret.encode()])
    crowd = Crowd(broker, handles, redis.Redis.from_url(redis_url))
    app = crowd.register("Benchmark")
    lean = crowd.register("Benchmark, lean", "--no-id-token-at-refresh")
    service = crowd.register("Benchmark, service", *rows.SERVICE)
    tv = crowd.register("Benchmark, devices", "--grant", "code refresh device")
    await crowd.arrive(app)
    return Stage(crowd, app, lean, folder / "pool", service, tv, Waiting(redis_url, handles, tv))


async def run(
    method: Method, only: str, folder: Path, *, beside: bool
) -> tuple[list[report.Measured], list[report.Figure], list[report.Compared]]:
    """Run everything; returns the rows, the figures beside them, and other providers' rows."""
    places = cores()
    os.sched_setaffinity(0, {places.load})
    if not places.alone:
        print("There is only one core: worker and load share it, and the figures suffer.")
    secret = base64.b64encode(os.urandom(48)).decode()
    with redis_server(folder / "redis", places.load) as redis_url:
        settings = {
            "BROKER_REDIS_URL": redis_url,
            "BROKER_SECRETS": secret,
            "BROKER_KEYS_POLL": "5",
            "BROKER_ACCESS_TOKEN_LIFETIME": "1h",
        }
        calm = SimulatedDiscord(limits={}, everything=Limit(10**6, 1))
        broker = RunningBroker(
            folder / "broker", settings, discord=calm, launcher=pinned(places.worker)
        )
        with broker:
            figures = [_restart(broker)]
            stage = await stage_of(broker, redis_url, secret, folder)
            found = await rows.samples(broker.issuer, stage)
            with ExitStack() as stack:
                floor = stack.enter_context(floor_server(folder, redis_url, found, places.worker))
                others = []
                if beside:
                    opened = peers(folder / "peers", redis_url, places.worker)
                    others = stack.enter_context(opened)
                bench = Bench(method, places, stage, broker.issuer, floor, others)
                measured = await bench.measure(only)
                figures += memory.of_one(broker)
                compared = bench.compared
                if others:
                    used = {OURS: figures[1].value} | {one.name: one.memory() for one in others}
                    compared.append(report.Compared("memory after load", "MB", used))
        if not only:
            figures += await _several(settings, secret, folder / "several", places)
    return measured, figures, compared


async def _several(
    settings: dict[str, str], secret: str, folder: Path, places: Cores
) -> list[report.Figure]:
    """Measure the memory of several workers, with people of their own."""
    print("  memory of several workers …", flush=True)
    store = settings["BROKER_REDIS_URL"].removesuffix("/0") + "/1"
    more = {"BROKER_REDIS_URL": store, "BROKER_WORKERS": str(memory.WORKERS)}
    calm = SimulatedDiscord(limits={}, everything=Limit(10**6, 1))
    both = pinned(places.load, places.worker)
    with RunningBroker(folder, settings | more, discord=calm, launcher=both) as broker:
        stage = await stage_of(broker, store, secret, folder)
        return await memory.of_several(broker, stage, places.load)


def _restart(broker: RunningBroker) -> report.Figure:
    """Measure the time from the start of the process to its first 200."""
    broker.kill9()
    broker.launch()
    seconds = first_answer(broker.port)
    broker.wait_ready()
    return report.Figure("start to first answer", "seconds", seconds)


def main() -> int:
    """Run as the command line says; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there as well")
    parser.add_argument("--quick", action="store_true", help="one short round a row: a rough idea")
    parser.add_argument("--peers", action="store_true", help="other providers in the same run")
    parser.add_argument("--only", default="", metavar="TEXT", help="rows whose name holds this")
    asked = parser.parse_args()
    began = time.monotonic()
    try:
        check_programs()
        with tempfile.TemporaryDirectory(prefix="broker-bench-") as folder:
            method = QUICK if asked.quick else WHOLE
            measured, figures, compared = asyncio.run(
                run(method, asked.only, Path(folder), beside=asked.peers)
            )
    except (Unfit, NotReady) as error:
        print(error, file=sys.stderr)
        return 1
    report.show(measured, figures)
    print(f"  {time.monotonic() - began:.0f} s\n\n{report.markdown(measured, compared)}")
    if asked.json:
        report.write(asked.json, measured, figures, compared)
    return 0


if __name__ == "__main__":
    sys.exit(main())
