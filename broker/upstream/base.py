"""What every upstream shares: a bounded transport and readable answers."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, Final

import httpx2

from broker.core.errors import UpstreamRejected, UpstreamUnavailable

MAX_ANSWER: Final = 64 * 1024  # bytes of one answer


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

    Attributes:
        slots: one for each connection; who holds one does not wait for a connection.
    """

    def __init__(self, limit: int = MAX_ANSWER, connections: int = 20) -> None:
        self.slots = asyncio.Semaphore(connections)
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

        An extension ``most`` of the request sets another limit for its answer.

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
            most = request.extensions.get("most", self._limit)
            answer.stream = _BoundedStream(stream, most)
        return answer

    async def aclose(self) -> None:
        """Do nothing: clients come and go, the pool stays."""

    async def shut(self) -> None:
        """Close the pool's connections."""
        await self._pool.aclose()


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
