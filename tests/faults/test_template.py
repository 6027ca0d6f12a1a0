"""Workers are forked from a template: what becomes of them when it dies, and where none can be."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import httpx2
import psutil
import pytest

from broker.app.template import NAME
from tests.faults.conftest import prepared
from tests.faults.test_reload import logged, pids, reload, settled
from tests.faults.waiting import eventually
from tests.running import RunningBroker


class Threaded(RunningBroker):
    """A broker whose processes run a thread from the start."""

    program: ClassVar[str] = "tests.faults.threaded"


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, database: Path) -> Iterator[RunningBroker]:
    """A broker of two processes."""
    with prepared(tmp_path_factory.mktemp("template"), database, workers="2") as broker:
        yield broker


def template(broker: RunningBroker) -> psutil.Process:
    """The one process that forks those that serve."""
    server = psutil.Process(broker.pid)
    found: psutil.Process = eventually(lambda: _only(server), 10)
    return found


def _only(server: psutil.Process) -> psutil.Process | None:
    named = [one for one in server.children() if one.is_running() and one.name() == NAME]
    return named[0] if len(named) == 1 else None


def sockets(process: psutil.Process) -> set[str]:
    """Those that a process holds, by the names that Linux gives them."""
    links = (os.readlink(one) for one in Path(f"/proc/{process.pid}/fd").iterdir())
    return {link for link in links if link.startswith("socket:")}


def test_workers_are_children_of_the_server(two: RunningBroker) -> None:
    """So it hears how each ended, and they outlive the template."""
    settled(two)
    assert {one.ppid() for one in two.workers()} == {two.pid}


def test_processes_hold_nothing_of_each_other(two: RunningBroker) -> None:
    """A line that another holds would not end with its process; the template holds no door open."""
    settled(two)
    first, second = two.workers()
    assert len(sockets(template(two))) == 1
    shared = sockets(first) & sockets(second)
    assert len(shared) == 1  # the door
    assert not sockets(template(two)) & (sockets(first) | sockets(second))


def test_a_template_that_dies_takes_nobody_along(two: RunningBroker) -> None:
    """Those that serve go on; one that dies later is replaced by what a new template forks."""
    before, former = settled(two), template(two)
    former.kill()
    eventually(lambda: not former.is_running())
    assert logged(two, "template.died") == 1
    assert httpx2.get(f"{two.issuer}/readyz", trust_env=False).status_code == 200
    assert settled(two) == before
    victim = min(before)
    os.kill(victim, signal.SIGKILL)
    eventually(lambda: victim not in pids(two) and len(pids(two)) == 2, 30)
    assert template(two) != former
    assert before - {victim} < pids(two)


def test_a_reload_has_a_new_template(two: RunningBroker) -> None:
    """It has loaded the program as it is then; the former is gone."""
    former = template(two)
    reload(two)
    assert template(two) != former
    assert not former.is_running()


def test_where_something_runs_a_thread_nothing_is_forked(tmp_path: Path, database: Path) -> None:
    """A fork would have its locks without it: each process loads all by itself, as elsewhere."""
    with prepared(tmp_path, database, Threaded, workers="2") as broker:
        settled(broker)
        assert logged(broker, "workers.not_forked") == 1
        assert not [one for one in psutil.Process(broker.pid).children() if one.name() == NAME]
