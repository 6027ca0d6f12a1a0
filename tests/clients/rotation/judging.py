"""The verifiers: three programs that run as long as the broker does."""

import asyncio
import heapq
import json
import os
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.clients.rotation.tally import Judge, Tally, Token
from tests.running import ROOT

PATIENCE: Final = 15.0  # seconds for the last verdicts
BEFORE_END: Final = 0.4  # seconds before it expires, when a token is judged once more
PYTHON: Final = (sys.executable, "-m")


def programs(node_folder: Path) -> dict[str, tuple[str, ...]]:
    """Return the verifiers' command lines by name.

    Args:
        node_folder: where npm's packages and our Node programs are.
    """
    return {
        "PyJWT": (*PYTHON, "tests.clients.verifiers.pyjwt_verifier"),
        "Authlib": (*PYTHON, "tests.clients.verifiers.authlib_verifier"),
        "jose": ("node", str(node_folder / "rotation_verifier.mjs")),
    }


@dataclass(slots=True)
class Verifier:
    """One program that verifies.

    Attributes:
        name: of the library.
        process: it.
        tally: told what it says.
        waiting: tokens it was given and has not judged.
    """

    name: str
    process: Process
    tally: Tally
    waiting: dict[int, Token] = field(default_factory=dict)
    count: int = 0

    def give(self, token: Token) -> None:
        """Let it judge a token; it does so as soon as it can."""
        assert self.process.stdin is not None
        self.count += 1
        self.waiting[self.count] = token
        asked = {"n": self.count, "kind": token.kind, "token": token.text, "received": time.time()}
        self.process.stdin.write(json.dumps(asked).encode() + b"\n")

    async def listen(self) -> None:
        """Hear what it says, until it ends."""
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self._hear(json.loads(line))

    def _hear(self, said: dict[str, Any]) -> None:
        if "n" in said:
            self.tally.judged(self.name, self.waiting.pop(said["n"]), said)
        elif "reset" in said:
            self.tally.judges[self.name].resets += 1
        else:
            self.tally.fetched(self.name, said["fetched_after"], said["allowed"])

    async def finish(self) -> None:
        """Wait for the last verdicts; whoever does not give them has failed."""
        try:
            async with asyncio.timeout(PATIENCE):
                while self.waiting and self.process.returncode is None:
                    await asyncio.sleep(0.02)
        except TimeoutError:
            pass
        if self.waiting:
            code = self.process.returncode
            self.tally.failures.append(
                f"{self.name} left {len(self.waiting)} tokens unjudged (exit code: {code})"
            )


@dataclass(slots=True)
class Bench:
    """All verifiers: each judges every token when it is new and again shortly before it expires."""

    verifiers: Sequence[Verifier]
    again: list[tuple[float, int, Token]] = field(default_factory=list)
    count: int = 0

    def give(self, token: Token) -> None:
        """Let all judge a token, now and once more later."""
        self.count += 1
        heapq.heappush(self.again, (token.exp - BEFORE_END, self.count, token))
        for verifier in self.verifiers:
            verifier.give(token)

    async def give_again(self) -> None:
        """Let all judge each token once more, until cancelled."""
        while True:
            while self.again and self.again[0][0] <= time.time():
                token = heapq.heappop(self.again)[2]
                for verifier in self.verifiers:
                    verifier.give(token)
            await asyncio.sleep(0.02)


@asynccontextmanager
async def bench(node_folder: Path, tally: Tally, arguments: dict[str, Any]) -> AsyncIterator[Bench]:
    """Run the verifiers; leaving waits for their last verdicts.

    Args:
        node_folder: where npm's packages and our Node programs are.
        tally: told what they say.
        arguments: theirs, as ``tests.clients.verifiers.lines`` tells.
    """
    async with AsyncExitStack() as stack:
        verifiers = []
        for name, command in programs(node_folder).items():
            tally.judges[name] = Judge()
            process = await stack.enter_async_context(_running(command, arguments))
            verifiers.append(Verifier(name, process, tally))
        hearing = [asyncio.create_task(verifier.listen()) for verifier in verifiers]
        found = Bench(verifiers)
        again = asyncio.create_task(found.give_again())
        try:
            yield found
        finally:
            again.cancel()
            await asyncio.gather(*(verifier.finish() for verifier in verifiers))
            for task in hearing:
                task.cancel()


@asynccontextmanager
async def _running(command: tuple[str, ...], arguments: dict[str, Any]) -> AsyncIterator[Process]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = await asyncio.create_subprocess_exec(
        *command, json.dumps(arguments), stdin=PIPE, stdout=PIPE, env=environment
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
