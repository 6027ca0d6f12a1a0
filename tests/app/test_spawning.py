"""What a server has of a template, and does without one."""

import os
import signal
import subprocess

import pytest

from broker.app import forking, spawning
from broker.app.handover import Handover, say
from broker.app.spawning import Anew, NotStarted, Template, Unfit

WAITS = ("sleep", "60")


@pytest.fixture
def far():
    """A template that does as a test says, and the other end of its line."""
    ours, theirs = spawning.lines()
    process = subprocess.Popen(WAITS)
    template = Template(ours, process)
    with theirs:
        yield template, theirs, process
    template.close()


def handover() -> Handover:
    """What nobody reads; its files are standard error."""
    return Handover(template=False, line=2, listeners=(), table=2, seat=0, patience=0.0, fixed={})


async def test_a_template_that_does_not_answer_is_given_up(far, monkeypatch):
    """Stopped, say, or out of memory: the next process comes from another."""
    template, _, process = far
    monkeypatch.setattr(spawning, "FORK", 0.1)
    with pytest.raises(NotStarted, match="forks no process: it was not ready"):
        await template.process(handover())
    assert process.poll() == -signal.SIGKILL
    assert template.gone()


async def test_a_fork_that_fails_ends_no_template(far):
    """The machine may have room in a moment."""
    template, theirs, _ = far
    say(theirs, failed="Cannot allocate memory")
    with pytest.raises(NotStarted, match="Cannot allocate memory"):
        await template.process(handover())
    assert not template.gone()
    say(theirs, pid=os.getpid())
    assert (await template.process(handover())).pid == os.getpid()


async def test_what_a_template_refuses_is_told_setting_by_setting(far):
    """As the first process of a server would have said it."""
    template, theirs, process = far
    say(theirs, refused=[("BROKER_A", "is wrong"), ("BROKER_B", "is missing")])
    process.terminate()
    with pytest.raises(Unfit) as refused:
        await template.loaded()
    assert [one.setting for one in refused.value.problems] == ["BROKER_A", "BROKER_B"]
    assert str(refused.value) == "BROKER_A: is wrong\nBROKER_B: is missing"


async def test_where_nobody_adopts_nothing_is_forked(monkeypatch):
    """Elsewhere than on Linux."""
    monkeypatch.setattr(forking, "LINUX", False)
    assert isinstance(await spawning.loaded(handover(), dict), Anew)


def test_what_was_forked_tells_how_it_ended():
    """As often as it is asked; no signal goes to a number that is free again."""
    process = subprocess.Popen(WAITS)
    forked = forking.Forked(process.pid)
    assert forked.poll() is None
    forked.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert (forked.poll(), forked.poll()) == (-signal.SIGKILL, -signal.SIGKILL)
    forked.terminate()
    process.wait()
