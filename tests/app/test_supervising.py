"""Looking after what serves: what a signal means, and what happens when it dies."""

import asyncio
import os
import signal
from typing import Any

import pytest
from structlog.testing import capture_logs

from broker.app.children import Nursery
from broker.app.handover import PARTING
from broker.app.shares import Table
from broker.app.supervising import LOOK, Supervisor


class Here:
    """A server in this process."""

    force_exit = False

    def __init__(self) -> None:
        self.patience: list[float] = []
        self._over = asyncio.Event()

    def end(self, patience: float = 0.0) -> None:
        self.patience.append(patience)
        self._over.set()

    async def serve(self) -> None:
        await self._over.wait()


@pytest.mark.parametrize(
    ("number", "patience"), [(signal.SIGTERM, PARTING), (signal.SIGINT, 0.0)], ids=["term", "int"]
)
async def test_who_ends_it_says_how_kindly(number: int, patience: float) -> None:
    """A service manager waits for requests on the way; somebody at a terminal does not."""
    here: Any = Here()
    nursery = Nursery(
        (), Table(), patience=PARTING, fixed={}, variables=dict, living=lambda pids: None
    )
    serving = asyncio.create_task(Supervisor(nursery, lambda: None, PARTING).serve_here(here))
    await asyncio.sleep(0.05)
    os.kill(os.getpid(), number)
    await asyncio.wait_for(serving, 10)
    assert here.patience == [patience]


class Process:
    """One that serves, until it is said to have died."""

    seat = 0

    def __init__(self, pid: int, ready: bool) -> None:
        self.pid = pid
        self.ready = ready
        self.reason = "it was ended by signal 9"
        self.dead = False
        self.age = 0.0

    def hangs(self, now: float, since: float) -> bool:
        return False

    async def answer(self, seconds: float) -> int:
        return 1

    def lived(self, now: float) -> float:
        return self.age

    def gone(self) -> bool:
        return self.dead


class Starts:
    """Starts such ones, and notes when."""

    def __init__(self) -> None:
        self.made: list[Process] = []
        self.ready = True

    async def usual_source(self) -> None:
        """There is none."""

    async def start(self, source: None, taken: set[int]) -> Process:
        self.made.append(Process(len(self.made), self.ready))
        return self.made[-1]

    async def load(self) -> None:
        """As the usual source."""

    async def look(self, source: None) -> Process:
        return Process(-1, ready=True)

    def use(self, source: None) -> None:
        """There is none."""

    dismiss = use

    def lost(self) -> bool:
        """There is none to lose."""
        return False

    def living(self, pids: list[int]) -> None:
        """Nobody asks."""


class Supervised:
    """A supervisor whose looks are at moments that a test names."""

    def __init__(self, wanted: int = 1) -> None:
        self.starts = Starts()
        nursery: Any = self.starts
        self.supervisor = Supervisor(nursery, lambda: None, PARTING)
        self.supervisor._wanted = wanted
        self.now = 1000.0

    async def look(self) -> int:
        """Have it look; return how many it has started by then."""
        self.supervisor._keep_up(self.now)
        if self.supervisor._filling is not None:
            await self.supervisor._filling
        return len(self.starts.made)

    async def started_after(self) -> float:
        """Return how long it takes until it starts another one."""
        before, since = len(self.starts.made), self.now
        while await self.look() == before:
            self.now += LOOK
        return self.now - since

    def die(self, age: float) -> None:
        """Have the newest die at that age."""
        self.starts.made[-1].age, self.starts.made[-1].dead = age, True


@pytest.mark.parametrize("ready", [True, False], ids=["dies", "does not start"])
async def test_what_dies_young_waits_longer_each_time(ready: bool) -> None:
    """From a tenth of a second to ten; a machine has other work than starting what cannot live."""
    it = Supervised()
    it.starts.ready = ready
    assert await it.started_after() == 0
    waited = []
    for _ in range(10):
        it.die(age=1.0)
        waited.append(await it.started_after())
    pauses = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0, 10.0]
    for pause, found in zip(pauses, waited, strict=True):
        assert pause - LOOK / 2 <= found <= pause + 2 * LOOK


async def test_what_lived_for_a_while_is_replaced_at_once() -> None:
    """And what dies young after it waits shortly again."""
    it = Supervised()
    await it.look()
    for _ in range(8):
        it.die(age=1.0)
        await it.started_after()
    it.die(age=60.0)
    assert await it.started_after() == 0
    it.die(age=1.0)
    assert await it.started_after() <= 2 * LOOK


async def test_several_that_die_at_once_wait_once() -> None:
    """As where the machine had no memory left for a moment."""
    it = Supervised(wanted=8)
    assert await it.look() == 8
    for process in it.starts.made:
        process.dead = True
    assert await it.started_after() <= 2 * LOOK
    assert len(it.starts.made) == 16


async def test_that_nobody_serves_is_said_again_and_again() -> None:
    """Each death with its cause; and when it is over, for how long it was."""
    it = Supervised()
    await it.look()
    await it.look()
    it.starts.ready = False
    it.starts.made[-1].age, it.starts.made[-1].dead = 60.0, True
    with capture_logs() as said:
        for _ in range(150):
            await it.look()
            it.now += LOOK
        it.starts.made[-1].ready = True
        await it.look()
    events = [line["event"] for line in said]
    assert events == ["worker.died", *["server.serves_nobody"] * 3, "server.serves_again"]
    assert said[0] | {"log_level": ""} == {
        "event": "worker.died",
        "pid": 0,
        "reason": "it was ended by signal 9",
        "lived": 60.0,
        "again_in": 0.0,
        "log_level": "",
    }
    since = [line["since"] for line in said if line["event"] == "server.serves_nobody"]
    assert [round(seconds) for seconds in since] == [0, 10, 20]
    assert 29 < said[-1]["after"] < 31


async def test_a_reload_waits_for_no_pause() -> None:
    """Who has mended the settings is not made to wait for the last mistake's sake."""
    it = Supervised()
    await it.look()
    for _ in range(8):
        it.die(age=1.0)
        await it.started_after()
    it.die(age=1.0)
    assert await it.look() == 9
    await it.supervisor._replace()
    assert it.supervisor._crew.serving == it.starts.made[-1:]
    it.die(age=1.0)
    assert await it.started_after() <= 2 * LOOK
