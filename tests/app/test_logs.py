"""Lines of the log: whole, in order, in ASCII, and never more of a record than it shows itself."""

import asyncio
import errno
import io
import json
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, BinaryIO, cast

import pytest

from broker.app import logs
from broker.app.settings import Settings
from broker.log import request_id, structlog
from tests.stream import Stream


def lines(stream: Stream) -> list[dict[str, object]]:
    """Return the lines so far."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stream]:
    """A standard error of our own, with logs as JSON."""
    found = Stream()
    monkeypatch.setattr(sys, "stderr", found)
    before = structlog.get_config()
    handlers, level = logging.getLogger().handlers, logging.getLogger().level
    logs.configure(Settings(log_format="json"))
    yield found
    structlog.configure(**before)
    logging.getLogger().handlers = handlers
    logging.getLogger().setLevel(level)


def test_a_turn_of_the_loop_is_one_write(stream: Stream):
    """Lines of requests answered in one turn are written together, each whole and in order."""

    async def turns() -> None:
        log = structlog.get_logger("a")
        for n in range(5):
            log.info("request", n=n)
        assert stream.held.writes == 0
        await asyncio.sleep(0)
        assert stream.held.writes == 1
        log.info("request", n=5)
        await asyncio.sleep(0)

    asyncio.run(turns())
    assert [line["n"] for line in lines(stream)] == list(range(6))


def test_what_is_worse_is_written_at_once_and_in_order(stream: Stream):
    """An error is out before anything else happens, with what was told before it."""

    async def failing() -> None:
        structlog.get_logger("a").info("before")
        structlog.get_logger("b").error("failed")
        assert [line["event"] for line in lines(stream)] == ["before", "failed"]
        structlog.get_logger("a").info("after")

    asyncio.run(failing())
    assert [line["event"] for line in lines(stream)] == ["before", "failed", "after"]


def test_without_an_event_loop_a_line_is_written_at_once(stream: Stream):
    """Commands and threads have no turns."""
    structlog.get_logger("a").info("told")
    logging.getLogger("library").warning("of %s", "theirs")
    first, second = lines(stream)
    assert (first["event"], first["level"]) == ("told", "info")
    assert (second["event"], second["logger"]) == ("of theirs", "library")


def test_a_line_says_of_which_request_it_is(stream: Stream):
    """What happens for a request carries its identifier, and only the line of its own has two."""
    token = request_id.set("abc")
    try:
        structlog.get_logger("a").info("inside")
        structlog.get_logger("a").info("request", request_id="def")
    finally:
        request_id.reset(token)
    assert [line["request_id"] for line in lines(stream)] == ["abc", "def"]


@pytest.mark.parametrize("odd", ["\x9b2J", "\u202etxt", "\ud800", "\u2028", "naïve", 10**30])
def test_a_line_is_ascii(stream: Stream, odd: object):
    """Nothing in a line moves a terminal's cursor, turns text around or breaks the line."""
    structlog.get_logger("a").info("told", odd=odd)
    assert stream.held.getvalue().isascii()
    assert stream.held.getvalue().count(b"\n") == 1
    assert lines(stream)[0]["odd"] == odd


def test_a_record_is_shown_as_it_shows_itself(stream: Stream):
    """A field that a record hides stays hidden."""

    @dataclass(frozen=True)
    class Held:
        name: str
        secret: str = field(repr=False)

    structlog.get_logger("a").info("told", held=Held("Ada", "s3cret"))
    assert "Ada" in str(lines(stream)[0]["held"])
    assert b"s3cret" not in stream.held.getvalue()


def test_a_line_says_when(stream: Stream):
    """UTC with microseconds, in the order of time, over the change of a second too."""
    began = int(time.time())
    while int(time.time()) < began + 2:
        structlog.get_logger("a").info("told")
        time.sleep(0.05)
    structlog.get_logger("a").info("told")
    told = [datetime.fromisoformat(str(line["timestamp"])) for line in lines(stream)]
    assert told == sorted(told)
    assert len({moment.second for moment in told}) >= 2
    assert all(moment.utcoffset() == timedelta(0) for moment in told)
    assert abs(told[-1].timestamp() - time.time()) < 5


class Full(io.RawIOBase):
    """A file on a disk that is full, until there is room again."""

    def __init__(self) -> None:
        self.room = False
        self.written = b""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        if not self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.written += bytes(data)
        return len(data)


def test_a_full_disk_fails_nobody():
    """A request is answered, though no line can be written of it; later it is told how many."""
    full = Full()
    log = logs.TurnLogger(cast("BinaryIO", full))
    for _ in range(3):
        log.error(b"lost")

    async def turn() -> None:
        log.info(b"lost as well")
        log.info(b"lost as well")
        await asyncio.sleep(0)

    asyncio.run(turn())
    full.room = True
    log.error(b"seen")
    log.error(b"seen too")
    said = full.written.splitlines()
    assert said[0] == b"seen"
    assert json.loads(said[1]) == {"event": "log.lost", "lines": 5, "level": "error"}
    assert said[2:] == [b"seen too"]


def test_a_terminal_that_is_gone_fails_nobody():
    """The same where lines are for a person."""
    with open("/dev/full", "w") as full:
        logs.Columns(full).error("lost")
        with suppress(OSError):
            full.close()
