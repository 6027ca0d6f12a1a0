"""The library of logs, for all modules to take from here: ``from broker.log import structlog``.

Where rich is installed it would be loaded with it, 60 modules, for tracebacks that show variables;
ours never do.
"""

from contextvars import ContextVar
from typing import Final

from broker.without import without

with without("rich", "better_exceptions"):
    import structlog

__all__ = ["request_id", "structlog"]

request_id: Final = ContextVar("request_id", default="")
"""Of the request that is worked for, for every line that is written meanwhile."""
