"""The frame around every answer: identifier, common headers, one line in the log.

Pure ASGI and a single layer, because every request pays for it; what only pages and redirects
need stands in ``broker.web.answers``.
"""

import ipaddress
import itertools
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import lru_cache
from time import perf_counter
from typing import Final

from starlette.types import Receive, Scope, Send

from broker.core.ports import Entropy
from broker.log import request_id, structlog
from broker.web.answers import CLOSED_CSP, Answer, Header
from broker.web.edge_config import EdgeConfig
from broker.web.services import Observe
from broker.web.trace import Trace, begin

HSTS: Final = (b"strict-transport-security", b"max-age=31536000")
NOSNIFF: Final = (b"x-content-type-options", b"nosniff")
_LAST_RESORT: Final = b'{"error":"server_error"}'

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Inside = Callable[[Scope, Receive, Send, Trace], Awaitable[Answer | None]]


def common_headers(config: EdgeConfig) -> tuple[Header, ...]:
    """Return what every answer carries."""
    return (NOSNIFF, HSTS) if config.secure else (NOSNIFF,)


class Frame:
    """The outermost layer.

    Args:
        inside: returns the answer to a request; None where nobody waits for it any more.
        config: whether the issuer is https; proxies to trust.
        entropy: begins request identifiers; none is taken from outside.
        observe: is told of each answer, or None.
    """

    def __init__(
        self,
        inside: Inside,
        config: EdgeConfig,
        entropy: Entropy,
        observe: Observe | None = None,
    ) -> None:
        self._observe = observe
        self._inside = inside
        self._headers = common_headers(config)
        self._prefix = entropy.token(4).hex()
        self._numbers = itertools.count(int.from_bytes(entropy.token(3), "big"))
        self._proxies = [ipaddress.ip_network(text) for text in config.trusted_proxies]
        self._log = structlog.get_logger("broker.access").bind()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer HTTP; there is nothing for WebSockets, and a lifespan has nothing to do here."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "lifespan":
            await _lifespan(receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = perf_counter()
        trace = begin(scope, f"{self._prefix}{next(self._numbers) & 0xFFFFFFFF:08x}")
        status = 0
        request_id.set(trace.request_id)
        try:
            answer = await self._inside(scope, receive, send, trace)
            if answer is not None:
                answer.raw_headers += self._common(trace)
                status = answer.status_code
                await answer(scope, receive, send)
        except Exception as error:  # noqa: BLE001 - writing the answer failed: say so, leak nothing
            self._log.error("unanswered", request_id=trace.request_id, exc_info=error)
            if not status:
                status = 500
                await _last_resort(send, self._common(trace))
        finally:
            self._record(scope, trace, status, perf_counter() - started)

    def _common(self, trace: Trace) -> tuple[Header, ...]:
        """Return the headers of every answer."""
        return (*self._headers, (b"x-request-id", trace.request_id.encode()))

    def _record(self, scope: Scope, trace: Trace, status: int, seconds: float) -> None:
        """Write the line: no query string, no header, nothing secret."""
        if self._observe is not None:
            self._observe(trace.route, scope["method"], status, seconds)
        facts = {
            "request_id": trace.request_id,
            "method": scope["method"],
            "path": trace.route or scope["path"][:100],
            "status": status,
            "ms": round(seconds * 1000, 1),
            "client": client_address(scope, self._proxies),
        }
        if trace.error:
            facts["error"] = trace.error
        if trace.detail:
            facts["detail"] = trace.detail
        if trace.app:
            facts["app"] = trace.app
        self._log.info("request", **facts)


def client_address(scope: Scope, proxies: Sequence[Network]) -> str:
    """Return whose request it is.

    ``X-Forwarded-For`` counts as far as it was written by trusted proxies: from its end backwards,
    up to the first address that is not one of them.
    """
    address = _peer(scope)
    if not proxies or not _trusted(address, proxies):
        return address
    forwarded = b",".join(v for k, v in scope["headers"] if k == b"x-forwarded-for")
    for hop in reversed(forwarded.decode("latin-1").split(",")):
        candidate = hop.strip()
        if _parsed(candidate) is None:
            break
        address = candidate
        if not _trusted(address, proxies):
            break
    return address


def trusted_peer(scope: Scope, proxies: Sequence[Network]) -> bool:
    """Return whether a trusted proxy hands the request on."""
    return bool(proxies) and _trusted(_peer(scope), proxies)


def _peer(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _trusted(text: str, proxies: Sequence[Network]) -> bool:
    address = _parsed(text)
    return address is not None and any(address in net for net in proxies)


@lru_cache(maxsize=4096)
def _parsed(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


async def _last_resort(send: Send, common: Iterable[Header]) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(_LAST_RESORT)),
        (b"cache-control", b"no-store"),
        CLOSED_CSP,
        *common,
    ]
    await send({"type": "http.response.start", "status": 500, "headers": headers})
    await send({"type": "http.response.body", "body": _LAST_RESORT})


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
