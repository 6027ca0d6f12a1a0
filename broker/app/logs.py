"""Structured logs: one line an event, JSON for machines, columns for a terminal."""

import asyncio
import json
import logging
import sys
from contextlib import suppress
from functools import partial
from typing import Any, BinaryIO, Final

import orjson

from broker.app.clock import Moments
from broker.app.settings import Settings
from broker.log import request_id, structlog

# Built once: json.dumps with a default of its own builds an encoder for every line.
_ascii: Final = json.JSONEncoder(default=repr, separators=(",", ":")).encode

# A record is shown as it shows itself, which hides what is secret in it.
_PLAIN: Final = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME

LOST: Final = b'{"event":"log.lost","lines":%d,"level":"error"}'
LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def configure(settings: Settings) -> None:
    """Send this process' logs, those of libraries included, to standard error."""
    level = LEVELS[settings.log_level]
    facts = partial(_facts, Moments())
    columns = settings.log_format == "console"
    if settings.log_format == "auto":
        columns = sys.stderr.isatty()
    final = _columns() if columns else [_traceback, _json]
    logger = Columns(sys.stderr) if columns else TurnLogger(sys.stderr.buffer)
    structlog.configure(
        processors=[facts, *final],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: logger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[facts, structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *(final if columns else [*final, _text]),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(level, logging.INFO))
    # What they say at "info" is for their own developers.
    for name in ("uvicorn", "httpx2", "httpcore2", "alembic", "asyncio"):
        logging.getLogger(name).setLevel(max(level, logging.WARNING))


class Columns(structlog.WriteLogger):
    """Writes lines for a person; what cannot be written is no reason to fail."""

    def msg(self, message: str) -> None:
        """Write a line, where somebody reads."""
        with suppress(OSError):
            super().msg(message)

    debug = info = warning = error = critical = msg


class TurnLogger(structlog.BytesLogger):
    """Writes what happens in one turn of the event loop at once: a line of each request.

    A warning or worse is written where it happens, and what was told before with it. What dies
    with the process in the midst of a turn are lines of requests whose answers die with it.

    A full disk, or a reader that is gone, fails no request: what is lost of the log is counted, and
    told as soon as something can be written again. (The audit log is elsewhere, and never lost.)
    """

    __slots__ = ("_held", "_lost")

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self._held: list[bytes] = []
        self._lost = 0

    def info(self, message: bytes) -> None:
        """Write a line before the next turn; at once where no event loop runs."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.msg(message)
            return
        if not self._held:
            loop.call_soon(self._write_held)
        self._held.append(message)

    def msg(self, message: bytes) -> None:
        """Write a line now, after those that were held back."""
        held, self._held = self._held, []
        try:
            super().msg(b"\n".join((*held, message)))
            if self._lost:
                super().msg(LOST % self._lost)
                self._lost = 0
        except OSError:
            self._lost += 1 + len(held)

    debug = warning = error = critical = msg

    def _write_held(self) -> None:
        if self._held:
            self.msg(self._held.pop())


def _columns() -> list[Any]:
    # The usual one shows the values of variables: secrets, codes, tokens.
    plain = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]


def _facts(moments: Moments, _logger: Any, method: str, event: Any) -> Any:
    """Say of which request a line is, unless it does by itself; how grave, and when."""
    if "request_id" not in event and (found := request_id.get()):
        event = {"request_id": found, **event}
    event["level"] = method
    event["timestamp"] = moments.now()
    return event


def _traceback(logger: Any, method: str, event: Any) -> Any:
    """Write out what was raised; most lines tell of nothing that was."""
    if "exc_info" not in event:
        return event
    return structlog.processors.format_exc_info(logger, method, event)


def _json(_logger: Any, _method: str, event: Any) -> bytes:
    """Return a line in ASCII: others could move a terminal's cursor, or turn a text around."""
    try:
        line = orjson.dumps(event, default=repr, option=_PLAIN)
    except TypeError:  # half of a surrogate pair, an integer of more than 64 bits
        return _ascii(event).encode()
    return line if line.isascii() else _ascii(event).encode()


def _text(_logger: Any, _method: str, line: bytes) -> str:
    return line.decode()
