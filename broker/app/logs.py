"""Structured logs: one line an event, JSON for machines, columns for a terminal."""

import asyncio
import io
import json
import logging
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, BinaryIO, Final, TextIO

import orjson

from broker.app.clock import Moments
from broker.app.outlet import outlet
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
    logger = Columns(_text(sys.stderr)) if columns else TurnLogger(outlet(sys.stderr))
    structlog.configure(
        processors=[facts, *final],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: logger,
        cache_logger_on_first_use=True,
    )
    handler = Theirs(logger.beside)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[facts, structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *(final if columns else [*final, _decoded]),
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

    def beside(self, message: str) -> None:
        """Write a line of a library."""
        self.msg(message)

    debug = info = warning = error = critical = msg


class Theirs(logging.Handler):
    """Writes lines of libraries like our own.

    Args:
        tell: writes one.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__()
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line."""
        try:
            self._tell(self.format(record))
        except Exception:  # noqa: BLE001 - as every handler does
            self.handleError(record)


class TurnLogger(structlog.BytesLogger):
    """Writes what happens in one turn of the event loop at once: a line of each request.

    A warning or worse is written where it happens, and what was told before with it. What dies
    with the process in the midst of a turn are lines of requests whose answers die with it.

    A full disk, or a reader that is gone or stuck, fails no request and holds none up: what is lost
    of the log is counted, and told as soon as something can be written again. (The audit log is
    elsewhere, and never lost.)
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
        self._write_lines(b"\n".join((*held, message)), 1 + len(held))

    def beside(self, message: str) -> None:
        """Write a library's line now, whichever thread it comes from; what is held stays so."""
        self._write_lines(message.encode(), 1)

    def _write_lines(self, lines: bytes, count: int) -> None:
        try:
            super().msg(lines)
        except OSError:
            self._lost += count
            return
        if self._lost:
            with suppress(OSError):
                super().msg(LOST % self._lost)
                self._lost = 0

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


def _decoded(_logger: Any, _method: str, line: bytes) -> str:
    return line.decode()


def _text(stream: TextIO) -> TextIO:
    """Return what lines for a person are written to."""
    found = outlet(stream)
    if found is getattr(stream, "buffer", None):
        return stream
    return io.TextIOWrapper(found, encoding=stream.encoding, errors="replace", write_through=True)
