"""Replacing what serves while it serves: nobody who has a connection or opens one notices."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import psutil
import pytest

from tests.faults.conftest import prepared
from tests.faults.people import Load, Person, lines
from tests.faults.test_embedded_processes import gone
from tests.faults.visitors import Visitors
from tests.faults.waiting import eventually
from tests.ports import free_port
from tests.running import RunningBroker

LONG = os.environ.get("BROKER_TEST_LONG") == "1"
JWKS = "/.well-known/jwks.json"


def write(broker: RunningBroker, **settings: object) -> None:
    """Write the file of settings that the broker reads."""
    lines = (f"{name} = {value!r}\n" for name, value in settings.items())
    _file(broker).write_text("".join(lines))


def _file(broker: RunningBroker) -> Path:
    return broker.data_dir.parent / "broker.toml"


def made(folder: Path, database: Path, **settings: str) -> RunningBroker:
    """A broker with a file of settings, not started."""
    # Keys looked for rarely: a process that does not get to it would rightly sign no more.
    named = {"settings": str(folder / "broker.toml"), "keys_poll": "60"} | settings
    broker = prepared(folder, database, **named)
    write(broker, access_token_lifetime=300)
    return broker


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, database: Path) -> Iterator[RunningBroker]:
    """A broker of two processes, with metrics."""
    metrics = f"127.0.0.1:{free_port()}"
    folder = tmp_path_factory.mktemp("reload")
    with made(folder, database, workers="2", metrics_address=metrics) as broker:
        yield broker


def pids(broker: RunningBroker) -> set[int]:
    """The processes that serve and those that are about to end."""
    return {process.pid for process in broker.workers()}


def settled(broker: RunningBroker, count: int = 2) -> set[int]:
    """The processes that serve, when those that were told to end have."""
    found: set[int] = eventually(lambda: len(found := pids(broker)) == count and found, 40)
    return found


def logged(broker: RunningBroker, event: str) -> int:
    """How often the log tells of something."""
    return broker.log.read_text().count(f'"event":"{event}"')


def reload(broker: RunningBroker, outcome: str = "reload.done") -> None:
    """Have what serves replaced, and wait until it is, or the outcome that is expected."""
    before = logged(broker, outcome)
    os.kill(broker.pid, signal.SIGHUP)
    eventually(lambda: logged(broker, outcome) > before, 60)


async def reloaded_under_load(broker: RunningBroker, times: int) -> None:
    """Reload so often while people refresh and fetch keys; nobody meets a failure."""
    held = await asyncio.to_thread(lines, Person(broker.issuer), 2)
    write(broker, access_token_lifetime=111)
    async with (
        Load(broker.issuer, held[:1], rest=0.03) as kept,
        Load(broker.issuer, held[1:], keep_alive=False, rest=0.03) as new,
        Visitors(broker.port, JWKS) as visitors,
    ):
        for _ in range(times):
            await asyncio.gather(kept.reaches(2), new.reaches(2))
            former = pids(broker) - {broker.pid}
            await asyncio.to_thread(reload, broker)
            # They end when all their clients were told to leave, not when time is up.
            await asyncio.to_thread(eventually, lambda former=former: not former & pids(broker), 40)
        await asyncio.gather(kept.reaches(2), new.reaches(2))
    assert set(visitors.seen) == {"200"}, visitors.seen
    for line in held:
        assert set(line.seen) == {"200"}, line.seen
    kept.check()
    new.check()
    assert Person(broker.issuer).tokens()["expires_in"] == 111


async def test_two_processes_are_replaced_unnoticed(two: RunningBroker) -> None:
    """No request fails, no connection is refused or reset; others serve, with other settings."""
    before = settled(two)
    await reloaded_under_load(two, 2 if LONG else 1)
    after = settled(two)
    assert not before & after
    assert processes_by_metrics(two) == 2


async def test_one_process_is_replaced_unnoticed(tmp_path: Path, database: Path) -> None:
    """It serves alone at first; then it looks after the one that serves in its place."""
    with made(tmp_path, database) as broker:
        assert pids(broker) == {broker.pid}
        await reloaded_under_load(broker, 2)
        (number,) = settled(broker, 1)
        assert number != broker.pid
        worker = psutil.Process(number)
        os.kill(broker.pid, signal.SIGKILL)  # the worker ends with whoever looks after it
        eventually(lambda: gone(worker), 20)


def test_what_cannot_serve_takes_nobodys_place(two: RunningBroker) -> None:
    """Bad settings: the log says what is wrong with them, and all goes on as before."""
    before = settled(two)
    for wrong in ({"access_token_lifetime": -1}, {"host": "127.0.0.2"}):
        write(two, **wrong)
        reload(two, "reload.failed")
        said = [line for line in two.tail().splitlines() if "reload.failed" in line][-1]
        assert next(iter(wrong)) in said.lower()
    assert pids(two) == before
    assert httpx2.get(f"{two.issuer}/readyz", trust_env=False).status_code == 200
    write(two)


@pytest.mark.parametrize(
    "number", [signal.SIGKILL, pytest.param(signal.SIGSTOP, marks=pytest.mark.long)]
)
def test_a_process_that_dies_or_hangs_is_replaced(
    two: RunningBroker, number: signal.Signals
) -> None:
    """It is counted no more; the other serves all the while."""
    before = settled(two)
    # The older one: one that still starts has a minute before it counts as hanging.
    victim, other = sorted(before, key=lambda pid: psutil.Process(pid).create_time())
    os.kill(victim, number)
    eventually(lambda: victim not in pids(two) and len(pids(two)) == 2, 40)
    assert other in pids(two)
    eventually(lambda: processes_by_metrics(two) == 2)


def processes_by_metrics(broker: RunningBroker) -> float:
    """How many processes the metrics count."""
    address = f"http://{broker.environment['BROKER_METRICS_ADDRESS']}/metrics"
    found = httpx2.get(address, trust_env=False).text.splitlines()
    return sum(float(one.split()[1]) for one in found if one.startswith("token_broker_processes "))


@pytest.mark.long
def test_a_pause_of_all_is_nobodys_fault(two: RunningBroker) -> None:
    """A machine or container that was suspended goes on with the processes that it had."""
    before, blamed = settled(two), logged(two, "worker.hangs")
    everybody = [psutil.Process(two.pid), *two.workers()]
    for process in everybody:
        process.suspend()
    time.sleep(12)
    for process in everybody:  # the server first: it looks before they can
        process.resume()
        time.sleep(0.5)
    time.sleep(1)
    assert pids(two) == before
    assert logged(two, "worker.hangs") == blamed
