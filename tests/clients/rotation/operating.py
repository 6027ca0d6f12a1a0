"""What is done to the broker meanwhile: workers killed, keys changed over, one revoked."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import psutil

from tests.clients.conftest import CALLBACK
from tests.clients.rotation.tally import Killed, Revocation, Tally
from tests.running import RunningBroker

BACK: Final = 30.0  # seconds in which a killed worker is replaced
ROOM: Final = 0.5  # seconds that a command about keys may need
ROUNDED: Final = 1.0  # seconds: the resolution of the times that the command prints
WAIT: Final = 60.0  # seconds for the right moment


@dataclass(slots=True)
class Console:
    """The broker's command line, ready to run."""

    process: Process

    async def run(self, *words: str) -> tuple[int, Any]:
        """Run a command with ``--json``; returns its exit code and what it answered."""
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps([*words, "--json"]).encode() + b"\n")
        said = json.loads(await stdout.readline())
        out = said["out"].strip()
        return said["status"], json.loads(out) if out and not said["status"] else said["err"]


@asynccontextmanager
async def console(broker: RunningBroker, module: str) -> AsyncIterator[Console]:
    """Keep a command line open.

    Args:
        broker: whose.
        module: the program, with its argument.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        *module.split(),
        stdin=PIPE,
        stdout=PIPE,
        env=broker.environment,
        cwd=broker.log.parent,
    )
    try:
        yield Console(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@dataclass(slots=True)
class Operator:
    """Who gives commands about keys, each at a moment when nothing has to stop for it.

    Attributes:
        console: the command line.
        tally: told what was done.
        bound: within how many seconds every process follows a revocation.
    """

    console: Console
    tally: Tally
    bound: float

    async def register(self) -> str:
        """Register a public client, and return its identifier."""
        words = ("clients", "add", "Busy", "--public", "--redirect-uri", CALLBACK)
        status, made = await self.console.run(*words)
        assert status == 0, made
        return str(made["client_id"])

    async def keys(self) -> list[dict[str, Any]]:
        """Return the keys, oldest first."""
        status, found = await self.console.run("keys", "list")
        assert status == 0, found
        keys: list[dict[str, Any]] = found
        return keys

    async def change(self, *words: str) -> dict[str, Any]:
        """Give one command about keys."""
        at = time.time()
        status, said = await self.console.run("keys", *words)
        outcome: dict[str, Any] = {"refused": said} if status else said
        self.tally.changes.append((at, " ".join(words), outcome))
        if status:
            self.tally.failures.append(f"keys {' '.join(words)}: exit code {status}: {said}")
        return outcome

    async def heir_is_ready(self) -> str:
        """Wait until the successor is known to every cache and has a while yet to wait.

        Returns:
            The key that signs.
        """
        async with asyncio.timeout(WAIT):
            while True:
                now = time.time()
                signs, heir = _pair(await self.keys())
                if signs and heir:
                    ready = _seconds(heir["ready_at"]) + ROUNDED
                    if ready <= now <= _seconds(heir["signs_from"]) - ROOM:
                        return str(signs["kid"])
                await asyncio.sleep(0.1)

    async def rotate_now(self) -> None:
        """Change over to the successor at once; again, where it was due before the command ran."""
        for _ in range(3):
            await self.heir_is_ready()
            outcome = await self.change("rotate", "--now")
            if outcome.get("changed", True):
                return

    async def revoke(self) -> None:
        """Revoke the key that signs."""
        kid = await self.heir_is_ready()
        asked = self.tally.revoking_since = time.time()
        self.tally.revoking = kid
        outcome = await self.change("revoke", kid, "--yes", "--reason", "a drill")
        done = time.time()
        self.tally.revocation = Revocation(kid, asked, done, outcome.get("signing"), self.bound)


async def kill_one(broker: RunningBroker, tally: Tally) -> None:
    """Kill the worker with the most connections; wait until a new one answers in its place."""
    held = await asyncio.to_thread(_connections, broker)
    victim = max(held, key=lambda pid: held[pid])
    at = tally.killed_at = time.time()
    os.kill(victim, signal.SIGKILL)
    back_after = None
    while back_after is None and time.time() < at + BACK:
        await asyncio.sleep(0.1)
        living = await asyncio.to_thread(_connections, broker)
        answering = [pid for pid in living if pid not in held and living[pid]]
        if victim not in living and len(living) == len(held) and answering:
            back_after = time.time() - at
    tally.kills.append(Killed(at, victim, held[victim], back_after))
    if back_after is None:
        tally.failures.append(f"worker {victim} was killed and not replaced in {BACK:g} s")


def _connections(broker: RunningBroker) -> dict[int, int]:
    """Return how many connections each worker has accepted and holds."""
    found = {}
    for process in broker.workers():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            held = process.net_connections("tcp")
            ours = [c for c in held if c.status == psutil.CONN_ESTABLISHED and c.raddr]
            found[process.pid] = sum(c.laddr.port == broker.port for c in ours)
    return found


def _pair(keys: list[dict[str, Any]]) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Return the key that signs and the one that waits."""
    signs = next((key for key in keys if key["state"] == "signing"), None)
    heir = next((key for key in keys if key["state"] == "next"), None)
    return signs, heir


def _seconds(stamp: str) -> float:
    return datetime.fromisoformat(stamp).timestamp()
