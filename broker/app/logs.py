"""Structured logs: one line an event, JSON for machines, columns for a terminal."""

import json
import logging
import sys
from typing import Any, Final

from broker.app.settings import Settings
from broker.log import structlog

# Built once: json.dumps with a default of its own builds an encoder for every line.
_encoder: Final = json.JSONEncoder(default=repr, separators=(",", ":"))

LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def configure(settings: Settings) -> None:
    """Send this process' logs, those of libraries included, to standard error."""
    level = LEVELS[settings.log_level]
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    final = _final(settings)
    structlog.configure(
        processors=[*shared, *final],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *final],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(level, logging.INFO))
    # What they say at "info" is for their own developers.
    for name in ("uvicorn", "httpx2", "httpcore2", "alembic", "asyncio"):
        logging.getLogger(name).setLevel(max(level, logging.WARNING))


def _final(settings: Settings) -> list[Any]:
    console = settings.log_format == "console"
    if settings.log_format == "auto":
        console = sys.stderr.isatty()
    if console:
        # The usual one shows the values of variables: secrets, codes, tokens.
        plain = structlog.dev.plain_traceback
        return [
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)
        ]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(_json)]


def _json(event: Any, **_: Any) -> str:
    return _encoder.encode(event)
