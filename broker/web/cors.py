"""CORS: which pages of other origins may read an answer. Never with credentials.

Source: the Fetch standard, "CORS protocol".
"""

from inspect import isawaitable
from typing import Final

from starlette.requests import Request

from broker.core.errors import Unavailable
from broker.web.answers import Answer, Header, empty_answer
from broker.web.edge import Edge
from broker.web.routes import Cors, Entry

VARY: Final = (b"vary", b"Origin")
ANY: Final = (b"access-control-allow-origin", b"*")
# What a page may read beside the body.
EXPOSE: Final = (
    b"access-control-expose-headers",
    b"DPoP-Nonce, ETag, Retry-After, WWW-Authenticate, X-Request-Id",
)
# Browsers keep the answer to a preflight this long, in seconds.
PREFLIGHT_LIFETIME: Final = 7200
_REQUEST_HEADERS: Final = b"Authorization, Content-Type, DPoP, If-None-Match"


async def headers(request: Request, entry: Entry, edge: Edge) -> tuple[Header, ...]:
    """Return the CORS headers of any answer of this route, an error too."""
    if entry.cors is Cors.NONE:
        return ()
    if entry.cors is Cors.ANY:
        return (ANY, EXPOSE)
    origins = [value for name, value in request.scope["headers"] if name == b"origin"]
    if len(origins) == 1 and await _registered(origins[0], edge):
        return (VARY, (ANY[0], origins[0]), EXPOSE)
    return (VARY,)


def preflight(entry: Entry, cors: tuple[Header, ...]) -> Answer:
    """Answer OPTIONS; ``cors`` is what ``headers`` returned for it."""
    allow = ", ".join((*entry.methods, "OPTIONS")).encode()
    extra: list[Header] = [(b"allow", allow)]
    if any(name == ANY[0] for name, _ in cors):
        extra += [
            (b"access-control-allow-methods", ", ".join(entry.methods).encode()),
            (b"access-control-allow-headers", _REQUEST_HEADERS),
            (b"access-control-max-age", b"%d" % PREFLIGHT_LIFETIME),
        ]
    return empty_answer(204, extra)


async def _registered(origin: bytes, edge: Edge) -> bool:
    """Whether any client registered it; False where that cannot be found out."""
    if origin == b"null" or len(origin) > 300:
        return False
    try:
        known = edge.services.allowed_origins(origin.decode("ascii"))
        return await known if isawaitable(known) else known
    except (UnicodeDecodeError, Unavailable):
        return False
