"""The proof on the wire: keys change every few seconds, and nobody notices.

Four workers answer people who refresh all the time. Three verifiers, each a program of its own
with a library written by others, judge every token by a copy of the JWKS that they keep as long as
Cache-Control allows and never renew for a key they do not know. Meanwhile workers are killed,
a change-over is hastened, another made at once, and the key that signs is revoked::

    python -m tests.clients.rotation_run --minutes 5

Exit code 1 where a request failed or a token of a live key was refused. ``--break`` and ``--keeps``
break a rule, to see that the run notices. (A copy kept for less than a period, such as one kept
twice as long as allowed, is no danger at changes that were planned: a successor is published for
a whole period before it signs. The lead is what changes at once need.)
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2

from tests.clients.conftest import install_node
from tests.clients.rotation.broken import NO_LEAD, RULE, RULES
from tests.clients.rotation.judging import Bench, bench
from tests.clients.rotation.operating import Operator, console, kill_one
from tests.clients.rotation.people import (
    JWKS,
    KINDS,
    Line,
    Person,
    audience,
    first_tokens,
    look,
    max_age,
)
from tests.clients.rotation.report import report
from tests.clients.rotation.tally import Tally
from tests.running import RunningBroker

POLL: Final = 1  # seconds
SKEW: Final = 1  # seconds
CACHE: Final = 2  # seconds
TOKEN: Final = 5  # seconds
NAMES: Final = ("ada.lindqvist", "ben_okafor")
QUIET: Final = 10.0  # seconds before the end in which nobody is killed any more


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run.

    Attributes:
        seconds: how long.
        period: how long a key signs, in seconds.
        workers: processes that answer.
        people: who refresh.
        rate: refreshes a second of all together.
        kill_every: seconds between two kills; 0 for none.
        breaks: the rule that the broker breaks, where it is to.
        keeps: how many times longer than allowed the verifiers keep their copies.
    """

    seconds: float
    period: int = 8
    workers: int = 4
    people: int = 8
    rate: float = 50.0
    kill_every: float = 20.0
    breaks: str = ""
    keeps: float = 1

    @property
    def settings(self) -> dict[str, str]:
        """The broker's: as short as its policy allows, so that whole lives of keys pass."""
        return {
            "BROKER_WORKERS": str(self.workers),
            "BROKER_KEY_PERIOD": str(self.period),
            "BROKER_JWKS_CACHE": str(CACHE),
            "BROKER_KEYS_POLL": str(POLL),
            "BROKER_CLOCK_SKEW": str(SKEW),
            "BROKER_ACCESS_TOKEN_LIFETIME": str(TOKEN),
            "BROKER_ID_TOKEN_LIFETIME": str(TOKEN),
            "BROKER_LONGEST_TOKEN_LIFETIME": str(TOKEN),
        } | ({RULE: self.breaks} if self.breaks else {})

    def broker(self, folder: Path) -> RunningBroker:
        """Return the broker to start, which breaks the rule it is to break."""
        return (
            Breaking(folder, self.settings) if self.breaks else RunningBroker(folder, self.settings)
        )

    @property
    def console(self) -> str:
        """The program that is the command line."""
        package = "tests.clients.rotation"
        return f"{package}.broken console" if self.breaks else f"{package}.console"


class Breaking(RunningBroker):
    """A broker that breaks a rule."""

    program = "tests.clients.rotation.broken"


@dataclass(frozen=True, slots=True)
class Stage:
    """A run under way."""

    plan: Plan
    broker: RunningBroker
    operator: Operator
    tally: Tally


@asynccontextmanager
async def staged(plan: Plan, broker: RunningBroker, node_folder: Path) -> AsyncIterator[Stage]:
    """Let people refresh and verifiers judge until the block ends; then hear the last verdicts."""
    tally = Tally()
    async with AsyncExitStack() as stack:
        shell = await stack.enter_async_context(console(broker, plan.console))
        operator = Operator(shell, tally, bound=2 * POLL)
        app = await operator.register()
        lines = [
            Line(await stack.enter_async_context(_http(broker)), tally)
            for _ in range(plan.people + 1)
        ]
        begun = [
            await first_tokens(broker, app, NAMES[number % len(NAMES)])
            for number in range(plan.people)
        ]
        arguments = {
            "issuer": broker.issuer,
            "jwks": f"{broker.issuer}{JWKS}",
            "lifetime": await allowed(lines[0]) * plan.keeps,
            "keeps": plan.keeps,
            "skew": SKEW,
            "audience": {kind: audience(begun[0][kind]) for kind in KINDS},
        }
        judges = await stack.enter_async_context(bench(node_folder, tally, arguments))
        people = [
            Person(line, app, found["refresh_token"])
            for line, found in zip(lines, begun, strict=False)
        ]
        await operator.keys()  # what the command line loads late is loaded now
        async with _busy(plan, people, judges, lines[-1]):
            yield Stage(plan, broker, operator, tally)


async def allowed(line: Line) -> int:
    """Return the max-age of the JWKS; on a busy machine a worker's may be shorter for a moment."""
    found = 0
    for _ in range(20):
        found = max(found, max_age(await line.http.get(JWKS)))
        if found == CACHE:
            break
        await asyncio.sleep(0.2)
    return found


@asynccontextmanager
async def _busy(
    plan: Plan, people: list[Person], judges: Bench, onlooker: Line
) -> AsyncIterator[None]:
    """Refresh and look at the JWKS while the block runs."""
    every = len(people) / plan.rate
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(look(onlooker))]
        for number, person in enumerate(people):
            tasks.append(group.create_task(person.go_on(judges, every)))
            await asyncio.sleep(every / len(people) if number else 0)
        yield
        for task in tasks:
            task.cancel()


def _http(broker: RunningBroker) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(base_url=broker.issuer, trust_env=False, timeout=10, verify=False)


async def whole(stage: Stage) -> None:
    """Do everything to a broker that may happen to its keys and its workers."""
    seconds = stage.plan.seconds
    async with asyncio.TaskGroup() as group:
        killing = group.create_task(_killing(stage))
        await _until(stage, 0.1 * seconds)
        await stage.operator.change("rotate")
        await _until(stage, 0.3 * seconds)
        await stage.operator.rotate_now()
        await _until(stage, 0.5 * seconds)
        await stage.operator.revoke()
        await _until(stage, seconds)
        await killing


async def _until(stage: Stage, seconds: float) -> None:
    """Wait for a moment, in seconds since the run began."""
    await asyncio.sleep(max(0.0, stage.tally.began + seconds - time.time()))


async def _killing(stage: Stage) -> None:
    plan = stage.plan
    moment = plan.kill_every / 2
    while plan.kill_every and moment <= plan.seconds - QUIET:
        await _until(stage, moment)
        await kill_one(stage.broker, stage.tally)
        moment += plan.kill_every


async def noticing(stage: Stage) -> None:
    """Change over as the broken rule makes unsafe, until every verifier has refused a token."""
    await stage.operator.change("rotate", "--now")
    while time.time() < stage.tally.began + stage.plan.seconds:
        if all(judge.failed for judge in stage.tally.judges.values()):
            return
        if stage.plan.breaks == NO_LEAD:  # to a key that was published a moment ago
            await stage.operator.change("rotate", "--now")
        await asyncio.sleep(0.1)


async def run(
    plan: Plan,
    folder: Path,
    node_folder: Path,
    happens: Callable[[Stage], Any] = whole,
) -> Tally:
    """Run a plan.

    Args:
        plan: what to run.
        folder: an empty directory for the broker.
        node_folder: where npm's packages and our Node programs are.
        happens: what is done meanwhile.

    Returns:
        What came of it.
    """
    with plan.broker(folder) as broker:
        async with staged(plan, broker, node_folder) as stage:
            stage.tally.began = time.time()
            await happens(stage)
            stage.tally.ended = time.time()
        return stage.tally


def main() -> int:
    """Run by hand; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=5, help="how long (5)")
    parser.add_argument("--period", type=int, default=8, help="seconds that a key signs (8)")
    parser.add_argument("--workers", type=int, default=4, help="processes that answer (4)")
    parser.add_argument("--rate", type=float, default=50, help="refreshes a second (50)")
    parser.add_argument("--keeps", type=float, default=1, help="keep copies so many times too long")
    parser.add_argument("--break", dest="breaks", default="", choices=RULES, help="break a rule")
    given = parser.parse_args()
    plan = Plan(
        seconds=given.minutes * 60,
        period=given.period,
        workers=given.workers,
        rate=given.rate,
        breaks=given.breaks,
        keeps=given.keeps,
    )
    with tempfile.TemporaryDirectory(prefix="rotation-") as folder:
        node_folder = install_node(Path(folder) / "node")
        happens = noticing if plan.breaks else whole
        tally = asyncio.run(run(plan, Path(folder) / "broker", node_folder, happens))
    print(report(tally, tally.ended - tally.began, about(plan)))
    return 1 if tally.failures else 0


def about(plan: Plan) -> str:
    """Return what a plan is, in one line."""
    broken = f", breaking a rule: {plan.breaks}" if plan.breaks else ""
    kept = f", kept {plan.keeps:g} times longer than allowed" if plan.keeps != 1 else ""
    return (
        f"{plan.workers} workers, a new key every {plan.period} s, copies of the JWKS good for "
        f"{CACHE} s{kept}, tokens for {TOKEN} s{broken}"
    )


if __name__ == "__main__":
    sys.exit(main())
