"""Sessions that the broker says are over: the receiving end of Back-Channel Logout 1.0."""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import parse_qs

from joserfc import jws, jwt
from joserfc.errors import JoseError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from broker.demo.sample.verifier import (
    MAX_TOKEN_BYTES,
    JwksCache,
    KeysUnavailableError,
    VerificationError,
)

EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"
MAX_SESSIONS: Final = 1000
LEEWAY: Final = 30  # seconds


class EndedSessions:
    """Remembers which sessions at the broker have ended, the newest of them, in memory.

    Args:
        issuer: the broker.
        client_id: whom logout tokens must be for.
        keys: the broker's.
        now: epoch seconds.
        algorithms: of their signatures.
    """

    def __init__(
        self,
        issuer: str,
        client_id: str,
        keys: JwksCache,
        *,
        now: Callable[[], float] = time.time,
        algorithms: tuple[str, ...] = ("RS256",),
    ) -> None:
        self._keys = keys
        self._algorithms = list(algorithms)
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._claims = jwt.JWTClaimsRegistry(
            now=lambda: int(now()),
            leeway=LEEWAY,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": client_id},
            iat={"essential": True},
            exp={"essential": True},
            jti={"essential": True},
            sid={"essential": True},
        )

    async def logout(self, request: Request) -> Response:
        """`POST /backchannel-logout`: 200 once the session is known to be over (§2.8)."""
        headers = {"Cache-Control": "no-store"}
        try:
            await self.hear(await _logout_token(request))
        except VerificationError as error:
            problem = {"error": "invalid_request", "error_description": str(error)}
            return JSONResponse(problem, 400, headers)
        except KeysUnavailableError:
            return JSONResponse({"error": "temporarily_unavailable"}, 503, headers)
        return Response(headers=headers)

    async def session(self, request: Request) -> Response:
        """`GET /session?sid=`: whether that session is over."""
        over = request.query_params.get("sid", "") in self._ended
        return JSONResponse({"ended": over}, headers={"Cache-Control": "no-store"})

    async def hear(self, token: str) -> None:
        """Verify a logout token (§2.6) and remember what it says; twice is as good as once.

        Raises:
            VerificationError: it is none of the broker's for this app.
            KeysUnavailableError: the broker's keys cannot be fetched.
        """
        key = await self._keys.key(self._kid(token))
        try:
            claims = jwt.decode(token, key, algorithms=self._algorithms).claims
            self._claims.validate(claims)
        except (JoseError, ValueError) as error:
            raise VerificationError(str(error)) from error
        if not _tells_of_logout(claims):
            raise VerificationError("not a logout token")
        self._ended[str(claims["sid"])] = None
        if len(self._ended) > MAX_SESSIONS:
            self._ended.popitem(last=False)

    def _kid(self, token: str) -> str:
        """Return the `kid` of a header that is a logout token's; proves nothing."""
        try:
            header = jws.extract_compact(token[:MAX_TOKEN_BYTES].encode()).headers()
        except (JoseError, ValueError) as error:
            raise VerificationError("not a signed token") from error
        kid = header.get("kid")
        if str(header.get("typ", "")).lower() != "logout+jwt":
            raise VerificationError("not a logout token: `typ` is not logout+jwt")
        if "crit" in header or not isinstance(kid, str):
            raise VerificationError("the token's header is not one of this issuer")
        return kid


async def _logout_token(request: Request) -> str:
    """Return the logout token of a form (§2.5), empty where there is none."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_TOKEN_BYTES:
            return ""
    return parse_qs(body.decode("ascii", "replace")).get("logout_token", [""])[0]


def _tells_of_logout(claims: dict[str, Any]) -> bool:
    """Say whether the claims are those of §2.4, so that no ID token is taken for one."""
    events = claims.get("events")
    return isinstance(events, dict) and EVENT in events and "nonce" not in claims
