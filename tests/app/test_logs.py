"""Lines of the log: whole, in order, in ASCII, and never more of a record than it shows itself."""

import asyncio
import io
import json
import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
import structlog

from broker.app import logs
from broker.app.settings import Settings


class Stream(io.TextIOWrapper):
    """A standard error that counts how often it is written to."""

    def __init__(self) -> None:
        self.raw_bytes = Counted()
        super().__init__(self.raw_bytes, encoding="utf-8", write_through=True)

    def lines(self) -> list[dict[str, object]]:
        """Return the lines so far."""
        return [json.loads(line) for line in self.raw_bytes.getvalue().splitlines()]


class Counted(io.BytesIO):
    """Bytes, and how often some were written."""

    writes = 0

    def write(self, data: object) -> int:
        """Write, and count."""
        self.writes += 1
        return super().write(data)  # type: ignore[arg-type]


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
        assert stream.raw_bytes.writes == 0
        await asyncio.sleep(0)
        assert stream.raw_bytes.writes == 1
        log.info("request", n=5)
        await asyncio.sleep(0)

    asyncio.run(turns())
    assert [line["n"] for line in stream.lines()] == list(range(6))


def test_what_is_worse_is_written_at_once_and_in_order(stream: Stream):
    """An error is out before anything else happens, with what was told before it."""

    async def failing() -> None:
        structlog.get_logger("a").info("before")
        structlog.get_logger("b").error("failed")
        assert [line["event"] for line in stream.lines()] == ["before", "failed"]
        structlog.get_logger("a").info("after")

    asyncio.run(failing())
    assert [line["event"] for line in stream.lines()] == ["before", "failed", "after"]


def test_without_an_event_loop_a_line_is_written_at_once(stream: Stream):
    """Commands and threads have no turns."""
    structlog.get_logger("a").info("told")
    logging.getLogger("library").warning("of %s", "theirs")
    first, second = stream.lines()
    assert (first["event"], first["level"]) == ("told", "info")
    assert (second["event"], second["logger"]) == ("of theirs", "library")


def test_a_line_says_of_which_request_it_is(stream: Stream):
    """What happens for a request carries its identifier, and only the line of its own has two."""
    structlog.contextvars.bind_contextvars(request_id="abc")
    try:
        structlog.get_logger("a").info("inside")
        structlog.get_logger("a").info("request", request_id="def")
    finally:
        structlog.contextvars.clear_contextvars()
    assert [line["request_id"] for line in stream.lines()] == ["abc", "def"]


@pytest.mark.parametrize("odd", ["\x9b2J", "\u202etxt", "\ud800", "\u2028", "naïve", 10**30])
def test_a_line_is_ascii(stream: Stream, odd: object):
    """Nothing in a line moves a terminal's cursor, turns text around or breaks the line."""
    structlog.get_logger("a").info("told", odd=odd)
    assert stream.raw_bytes.getvalue().isascii()
    assert stream.raw_bytes.getvalue().count(b"\n") == 1
    assert stream.lines()[0]["odd"] == odd


def test_a_record_is_shown_as_it_shows_itself(stream: Stream):
    """A field that a record hides stays hidden."""

    @dataclass(frozen=True)
    class Held:
        name: str
        secret: str = field(repr=False)

    structlog.get_logger("a").info("told", held=Held("Ada", "s3cret"))
    assert "Ada" in str(stream.lines()[0]["held"])
    assert b"s3cret" not in stream.raw_bytes.getvalue()
