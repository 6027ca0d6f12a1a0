"""What the log will say of a request; it travels in the ASGI scope."""

from dataclasses import dataclass
from typing import Final

from starlette.types import Scope

_KEY: Final = "broker.trace"


@dataclass(slots=True)
class Trace:
    """Facts about one request, filled in on its way.

    Attributes:
        request_id: 16 hexadecimal digits, made by us, also in the answer's ``X-Request-Id``.
        route: the path in the route table, or empty.
        error: code of the failure, or empty.
        detail: the failure's private detail, for the log alone; without one, what it says outside.
        app: identifier of the app that the failure met, or empty.
        reading: whether the body is still awaited.
    """

    request_id: str
    route: str = ""
    error: str = ""
    detail: str = ""
    app: str = ""
    reading: bool = False


def begin(scope: Scope, request_id: str) -> Trace:
    """Put a new trace into the scope."""
    trace = Trace(request_id)
    scope[_KEY] = trace
    return trace


def found_trace(scope: Scope) -> Trace | None:
    """Return the trace of the request; None where it went the way past everything."""
    found: Trace | None = scope.get(_KEY)
    return found


def trace_of(scope: Scope) -> Trace:
    """Return the trace of the request."""
    found: Trace = scope[_KEY]
    return found
