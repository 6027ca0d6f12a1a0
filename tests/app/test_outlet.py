"""A log whose reader is stuck: nobody is held up, no line is cut, and what was lost is told."""

import json
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from typing import TextIO

import pytest

from broker.app import logs, outlet
from broker.app.settings import Settings
from broker.log import structlog
from tests.pace import Machine

LINES = 400  # of a kilobyte: more than a pipe or a socket holds
SOON = 2.0  # seconds; if each line waited by itself they would take far longer


class Far:
    """Both ends of what a log is written to; whoever reads is stuck, but when it is told to."""

    def __init__(self, reads: int, stream: TextIO) -> None:
        os.set_blocking(reads, False)
        self._reads = reads
        self.stream = stream
        self.said = b""

    def read(self) -> None:
        """Read all that is there."""
        try:
            while chunk := os.read(self._reads, 1 << 20):
                self.said += chunk
        except BlockingIOError:
            pass

    def lines(self) -> list[dict[str, object]]:
        """Return all that was read, which is whole lines."""
        self.read()
        assert self.said.endswith(b"\n")
        return [json.loads(line) for line in self.said.splitlines()]


@pytest.fixture(params=["pipe", "another user's pipe", "socket"])
def far(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Far]:
    """A standard error that somebody has to read."""
    monkeypatch.setattr(outlet, "PATIENCE", 0.05)
    if request.param == "socket":
        reads, writes = (one.detach() for one in socket.socketpair())
    else:
        reads, writes = os.pipe()
    if request.param == "another user's pipe":
        monkeypatch.setattr(outlet, "OWN", "/nowhere/{}")
    stream = os.fdopen(writes, "w")
    yield Far(reads, stream)
    stream.close()
    os.close(reads)


@pytest.fixture
def log(far: Far) -> logs.TurnLogger:
    return logs.TurnLogger(outlet.outlet(far.stream))


def line(number: int) -> bytes:
    return json.dumps({"n": number, "filled": "x" * 1000}).encode()


def test_a_reader_that_is_stuck_holds_up_nobody(far: Far, log: logs.TurnLogger) -> None:
    """All lines together wait as long as one; those that are lost are counted, and told later."""
    with Machine() as machine:
        began = time.monotonic()
        for number in range(LINES):
            log.error(line(number))
        took = time.monotonic() - began
    assert took < SOON + machine.late
    far.read()
    log.error(line(LINES))
    log.error(line(LINES + 1))
    told = far.lines()
    lost = [int(str(one["lines"])) for one in told if one.get("event") == "log.lost"]
    seen = [one["n"] for one in told if "n" in one]
    assert len(lost) == 1
    assert len(seen) + lost[0] == LINES + 2
    assert seen[-2:] == [LINES, LINES + 1]


def test_a_line_that_was_begun_is_ended(far: Far, log: logs.TurnLogger) -> None:
    """Lines of one turn are a long write: what there was room for is followed by its rest."""
    many = b"\n".join(line(number) for number in range(LINES))
    log.error(many)
    log.error(line(-1))
    while b'{"n": 399' not in far.said:
        far.read()
        log.error(line(-2))
    assert [one["n"] for one in far.lines() if one.get("n", -1) >= 0] == list(range(LINES))


def test_a_slow_reader_loses_nothing(
    far: Far, log: logs.TurnLogger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is waited for, a little while in all."""
    monkeypatch.setattr(outlet, "PATIENCE", 60.0)
    monkeypatch.setattr(outlet, "WINDOW", 600.0)
    writing = threading.Thread(target=lambda: [log.error(line(n)) for n in range(LINES)])
    writing.start()
    while writing.is_alive():
        time.sleep(0.01)
        far.read()
    assert [one["n"] for one in far.lines()] == list(range(LINES))


def test_others_who_write_there_wait_as_they_did(far: Far, log: logs.TurnLogger) -> None:
    """It is not made non-blocking under their hands."""
    log.error(line(0))
    assert os.get_blocking(far.stream.fileno())


@pytest.mark.parametrize("form", ["json", "console"])
def test_lines_of_libraries_hold_up_nobody_either(
    far: Far, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    """They go the same way, and those for a person do too."""
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers, root.level
    monkeypatch.setattr(sys, "stderr", far.stream)
    try:
        logs.configure(Settings(log_format=form))
        with Machine() as machine:
            began = time.monotonic()
            for _ in range(LINES):
                logging.getLogger("library").warning("%s", "x" * 1000)
                structlog.get_logger("ours").error("told", filled="x" * 1000)
            took = time.monotonic() - began
        assert took < SOON + machine.late
    finally:
        structlog.configure(**before)
        root.handlers = handlers
        root.setLevel(level)
    far.read()
    assert b"xxx" in far.said


def test_files_and_terminals_are_written_to_as_ever(tmp_path) -> None:
    """They have no reader that could be stuck."""
    with (tmp_path / "log").open("w") as file:
        assert outlet.outlet(file) is file.buffer
