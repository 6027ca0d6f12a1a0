"""A server that others' processes are left to, as a container's first process is."""

import ctypes
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.app.forking import PR_SET_CHILD_SUBREAPER
from broker.app.orphans import EVERY, Orphans

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux alone tells of children")


@pytest.fixture
def adopting() -> Iterator[None]:
    """This process adopts, as the first of a container does."""
    prctl = ctypes.CDLL(None).prctl
    assert prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    yield
    prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def ended(pid: int) -> bool:
    """Wait until a process has ended; say whether somebody has taken note of it."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return False
        except FileNotFoundError:
            return True
        time.sleep(0.01)
    raise AssertionError("it does not end")


@pytest.mark.usefixtures("adopting")
def test_orphans_do_not_stay_as_zombies() -> None:
    """They are given a while; what has a parent that asks is left to that one."""
    # It ends after its parent, which may take note of it otherwise.
    begin = "exec 3<&0; sh -c 'read word; exit 3' <&3 >/dev/null 2>&1 & echo $!"
    until, end = os.pipe()
    said = subprocess.run(["sh", "-c", begin], stdin=until, stdout=subprocess.PIPE, check=True)
    os.close(until)
    os.close(end)
    orphan = int(said.stdout)
    ours = subprocess.Popen(["sh", "-c", "exit 5"])
    assert not ended(orphan)
    assert not ended(ours.pid)
    orphans, now = Orphans(), 1000.0
    orphans.look(now)
    assert not ended(orphan)
    assert ours.wait() == 5
    orphans.look(now + EVERY / 2)
    assert not ended(orphan)
    orphans.look(now + EVERY)
    assert ended(orphan)


def test_nothing_is_done_where_there_is_none() -> None:
    """A child that lives is left alone."""
    child = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    orphans = Orphans()
    for look in (1, 2, 3):
        orphans.look(look * EVERY)
    assert child.poll() is None
    child.communicate()
    assert child.returncode == 0


def test_whoever_asks_soon_is_told() -> None:
    """What lived at the last look has only just ended: its parent may be about to ask."""
    child = subprocess.Popen(["sh", "-c", "read word; exit 5"], stdin=subprocess.PIPE)
    assert child.stdin is not None
    orphans = Orphans()
    orphans.look(EVERY)
    child.stdin.close()
    assert not ended(child.pid)
    orphans.look(2 * EVERY)
    assert child.wait() == 5
