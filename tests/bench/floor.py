"""The floor: a bare Starlette application that does a path's unavoidable work, nothing else.

As many Redis round trips (of a script that does nothing), RSA signatures or verifications, and an
answer of the same size; the form is parsed. No rules, no records, no headers, no log.

    python -m tests.bench.floor PORT REDIS_URL SAMPLES
"""

import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import uvicorn
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from redis.asyncio import BlockingConnectionPool, Redis
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

SCRIPT = "return 1"
TO_SIGN = b"x" * 600  # about the length of a token's header and claims
Endpoint = Callable[[Request], Awaitable[Response]]


class Work:
    """What cannot be done without.

    Args:
        redis_url: a Redis server.
    """

    def __init__(self, redis_url: str) -> None:
        pool = BlockingConnectionPool.from_url(redis_url, max_connections=50, socket_timeout=None)
        self._redis = Redis.from_pool(pool)
        self._key = rsa.generate_private_key(65537, 2048)
        self._public = self._key.public_key()
        self._signature = self.sign()
        client = ec.generate_private_key(ec.SECP256R1())
        self._proof = client.sign(TO_SIGN, ec.ECDSA(SHA256()))
        self._client = client.public_key()
        self._sha = ""

    async def start(self) -> None:
        """Load the script."""
        self._sha = await self._redis.script_load(SCRIPT)

    async def round_trip(self) -> None:
        """Ask Redis once."""
        await self._redis.evalsha(self._sha, 1, "key", "argument")

    def sign(self) -> bytes:
        """Make one signature."""
        return self._key.sign(TO_SIGN, padding.PKCS1v15(), SHA256())

    def judge(self) -> None:
        """Judge one signature that a client made with ES256."""
        self._client.verify(self._proof, TO_SIGN, ec.ECDSA(SHA256()))

    def verify(self) -> None:
        """Judge one signature."""
        self._public.verify(self._signature, TO_SIGN, padding.PKCS1v15(), SHA256())


def endpoint(
    work: Work,
    sample: dict[str, Any],
    *,
    trips: int = 0,
    signs: int = 0,
    verifies: int = 0,
    judges: int = 0,
) -> Endpoint:
    """Return an endpoint that does so much and answers like the sample."""
    status, body = int(sample["status"]), sample["body"].encode()
    headers = {"location": sample["location"]} if sample["location"] else None

    async def answer(request: Request) -> Response:
        if request.method == "POST":
            parse_qsl((await request.body()).decode())
        for _ in range(verifies):
            work.verify()
        for _ in range(judges):
            work.judge()
        for _ in range(trips):
            await work.round_trip()
        for _ in range(signs):
            work.sign()
        return Response(body, status, headers, media_type="application/json")

    return answer


def create_app(work: Work, samples: dict[str, Any]) -> Starlette:
    """Return the application; its paths are named in ``tests.bench.rows``."""

    def route(path: str, sample: str, method: str = "GET", **unavoidable: int) -> Route:
        return Route(path, endpoint(work, samples[sample], **unavoidable), methods=[method])

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await work.start()
        yield

    return Starlette(
        routes=[
            route("/jwks", "jwks"),
            route("/discovery", "discovery"),
            route("/authorize", "authorize", trips=1),
            route("/code", "code", "POST", trips=1, signs=2),
            route("/code-dpop", "code", "POST", trips=1, signs=2, judges=1),
            route("/refresh", "refresh", "POST", trips=1, signs=2),
            route("/device", "device", "POST", trips=3, signs=2),
            route("/refresh-lean", "refresh-lean", "POST", trips=1, signs=1),
            route("/userinfo", "userinfo", trips=1, verifies=1),
            route("/own", "own", "POST", signs=1),
            route("/introspect", "introspect", "POST", trips=1, verifies=1),
            route("/exchange", "exchange", "POST", trips=1, signs=1, verifies=1),
            route("/revoke", "revoke", "POST", trips=1),
        ],
        lifespan=lifespan,
    )


def main(port: int, redis_url: str, samples: Path) -> None:
    """Serve on a port of the loopback address until told to stop."""
    app = create_app(Work(redis_url), json.loads(samples.read_text("utf-8")))
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=port,
        loop="uvloop",
        http="httptools",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
