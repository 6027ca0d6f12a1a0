"""One run of the load generator."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench.machine import Unfit, pinned

LUA: Final = Path(__file__).parent / "lua"
CONNECTIONS: Final = 32


@dataclass(frozen=True, slots=True)
class Seen:
    """What a run saw.

    Attributes:
        per_second: whole flows a second where a flow is more than one request, else requests.
        p50_ms, p99_ms: latency of one request.
    """

    per_second: float
    p50_ms: float
    p99_ms: float


def run(origin: str, script: str, words: Sequence[str], seconds: int, core: int) -> Seen:
    """Put load on a server.

    Args:
        origin: ``http://host:port``.
        script: a file of ``lua/``.
        words: its arguments.
        seconds: how long.
        core: which core generates it.

    Raises:
        Unfit: a request failed: such figures mean nothing.
    """
    command = [*pinned(core), "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "10s"]
    command += ["-s", str(LUA / script), origin, "--", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    told = [line for line in done.stdout.splitlines() if line.startswith("BENCH ")]
    if not told:
        raise Unfit(f"wrk {script}: {done.stderr or done.stdout}")
    found = json.loads(told[0].removeprefix("BENCH "))
    if found["failed"] or found["broken"] or not found["requests"]:
        raise Unfit(f"{script} at {origin}: {found}")
    return Seen(
        (found["flows"] or found["requests"]) / found["seconds"], found["p50_ms"], found["p99_ms"]
    )
