"""A client's end of the back channel: it takes logout tokens, and judges them by joserfc alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from joserfc import jwt
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from tests.protocol.harness import World
from tests.protocol.known import ISSUER
from tests.upstream.receiving import answer, receiving

EVENT = "http://schemas.openid.net/event/backchannel-logout"


@dataclass
class Listener:
    """A receiver on loopback.

    Attributes:
        uri: where it listens.
        requests: heads and bodies of what it got.
    """

    uri: str
    requests: list[tuple[str, str]]

    @property
    def tokens(self) -> list[str]:
        """The logout tokens it got, as they came."""
        return [parse_qs(body)["logout_token"][0] for _, body in self.requests]

    async def hears(self, count: int = 1, within: float = 5.0) -> list[str]:
        """Wait for so many logout tokens."""
        async with asyncio.timeout(within):
            while len(self.requests) < count:
                await asyncio.sleep(0.01)
        return self.tokens


@asynccontextmanager
async def listening(*statuses: str) -> AsyncIterator[Listener]:
    """Run a receiver that answers with these statuses in turn, then with 200."""
    left = list(statuses)

    async def reply(writer: asyncio.StreamWriter) -> None:
        writer.write(answer(b"", status=left.pop(0) if left else "200 OK"))
        await writer.drain()

    async with receiving(reply) as (port, requests):
        yield Listener(f"http://127.0.0.1:{port}/logout?of=us", requests)


async def judged(world: World, token: str, client_id: str, *alg: str) -> dict[str, Any]:
    """Return the claims of a logout token, judged as Back-Channel Logout 1.0 §2.6 says."""
    keys = KeySet.import_key_set((await world.api.get("/.well-known/jwks.json")).json())
    algorithms = list(alg) or ["RS256"]
    registry = JWSRegistry(algorithms=algorithms, strict_check_header=True)
    found = jwt.decode(token, keys, algorithms=algorithms, registry=registry)
    claims: dict[str, Any] = found.claims
    now = world.clock.now()
    assert found.header["typ"] == "logout+jwt"
    assert claims["iss"] == ISSUER
    assert claims["aud"] == client_id
    assert claims["iat"] <= now < claims["exp"] <= claims["iat"] + 120
    assert claims["events"] == {EVENT: {}}
    assert claims["sub"]
    assert claims["sid"]
    assert len(claims["jti"]) >= 16
    assert set(claims) == {"iss", "aud", "iat", "exp", "jti", "events", "sub", "sid"}
    return claims
