"""What every upstream shares: a bounded transport, readable answers, and waiting as told."""

import json
import math
from collections.abc import AsyncIterator
from typing import Any, Final, Protocol

import httpx2

from broker.core.errors import UpstreamRejected, UpstreamUnavailable
from broker.core.ports import Clock

MAX_ANSWER: Final = 64 * 1024  # bytes of one answer
MAX_WAIT: Final = 3600.0  # seconds; longer waits are asked again
DEFAULT_WAIT: Final = 5.0  # seconds, where an upstream does not say


class AnswerTooLarge(httpx2.TransportError):
    """An answer went over the size limit and was cut off."""


class _BoundedStream(httpx2.AsyncByteStream):
    def __init__(self, inner: httpx2.AsyncByteStream, limit: int) -> None:
        self._inner = inner
        self._left = limit

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._inner:
            self._left -= len(chunk)
            if self._left < 0:
                raise AnswerTooLarge("the answer is over the size limit")
            yield chunk

    async def aclose(self) -> None:
        await self._inner.aclose()


class BoundedTransport(httpx2.AsyncBaseTransport):
    """A pooled HTTP transport that several clients share and that reads no more than it should.

    A client that is closed leaves it open; ``shut`` closes the pool.

    Args:
        limit: the most bytes of one answer.
        connections: the most connections at once.
    """

    def __init__(self, limit: int = MAX_ANSWER, connections: int = 20) -> None:
        self._limit = limit
        self._pool = httpx2.AsyncHTTPTransport(
            trust_env=False,
            limits=httpx2.Limits(
                max_connections=connections,
                max_keepalive_connections=connections,
                keepalive_expiry=30,
            ),
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send the request; its answer's body is cut off at the limit.

        Raises:
            httpx2.TransportError: no answer, or (while reading) one over the limit.
        """
        # A compressed answer could unpack to far more than it weighs, so none is asked for.
        request.headers["accept-encoding"] = "identity"
        answer = await self._pool.handle_async_request(request)
        if answer.headers.get("content-encoding", "identity") != "identity":
            await answer.aclose()
            raise AnswerTooLarge("the answer is compressed though none was asked for")
        stream = answer.stream
        if isinstance(stream, httpx2.AsyncByteStream):
            answer.stream = _BoundedStream(stream, self._limit)
        return answer

    async def aclose(self) -> None:
        """Do nothing: clients come and go, the pool stays."""

    async def shut(self) -> None:
        """Close the pool's connections."""
        await self._pool.aclose()


class Pauses(Protocol):
    """Until when an upstream has told this installation to be silent."""

    async def until(self, upstream: str) -> float:
        """Return the moment (UTC seconds) before which nothing may be sent; 0 when none."""
        ...

    async def set(self, upstream: str, until: float) -> None:
        """Remember that nothing may be sent before this moment (UTC seconds)."""
        ...


class ProcessPauses:
    """Pauses known to one process alone."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    async def until(self, upstream: str) -> float:
        """Return the moment (UTC seconds) before which nothing may be sent; 0 when none."""
        return self._until.get(upstream, 0.0)

    async def set(self, upstream: str, until: float) -> None:
        """Remember the later of this moment (UTC seconds) and an earlier one."""
        self._until[upstream] = max(until, self._until.get(upstream, 0.0))


async def keep_silent(pauses: Pauses, upstream: str, clock: Clock) -> None:
    """Return when the upstream may be asked.

    Raises:
        UpstreamUnavailable: it has told us to wait; with the seconds that are left.
    """
    left = await pauses.until(upstream) - clock.now()
    if left > 0:
        # A clock that stepped back must not turn a short pause into a long one.
        raise UpstreamUnavailable(
            private=f"{upstream}: silent as told", retry_after=math.ceil(min(left, MAX_WAIT))
        )


def read_json(answer: httpx2.Response, what: str) -> Any:
    """Return the JSON of an answer.

    Raises:
        UpstreamUnavailable: it is HTML, cut short or otherwise no JSON.
    """
    try:
        return json.loads(answer.content)
    except (ValueError, RecursionError):
        kind = answer.headers.get("content-type", "")[:60]
        raise UpstreamUnavailable(
            private=f"{what}: {answer.status_code} with a body that is no JSON ({kind!r})"
        ) from None


def read_object(answer: httpx2.Response, what: str) -> dict[str, Any]:
    """Return the JSON object of an answer.

    Raises:
        UpstreamUnavailable: it is HTML, cut short or otherwise no JSON.
        UpstreamRejected: it is JSON, but no object.
    """
    value = read_json(answer, what)
    if not isinstance(value, dict):
        raise UpstreamRejected(private=f"{what}: JSON, but no object")
    return value


def wait_of(answer: httpx2.Response) -> float:
    """Return the seconds that a 429 asks for, between 0 and an hour.

    Discord names them in ``Retry-After`` and, finer, in the body's ``retry_after``; the longer one
    is taken. Cloudflare's HTML page has the header alone, or nothing.
    """
    told = [_seconds(answer.headers.get("retry-after"))]
    try:
        body = json.loads(answer.content)
        told.append(_seconds(body.get("retry_after")))
    except (ValueError, RecursionError, AttributeError):
        pass
    return min(max(told) or DEFAULT_WAIT, MAX_WAIT)


def _seconds(value: Any) -> float:
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        return 0.0
    return seconds if math.isfinite(seconds) and seconds > 0 else 0.0
