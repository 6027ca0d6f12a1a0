"""How a downstream service verifies an access token: a JWT library and the JWKS, nothing else.

This module stands alone and may be copied: it knows the issuer, the audience, joserfc and an
HTTP client. The JWKS is fetched once and kept for as long as its `Cache-Control` says; then it
is asked for again with its ETag. A `kid` never seen causes a fetch at most once in
`refetch_seconds`, so nobody can make this service call the broker by sending made-up tokens.
"""

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx2
from joserfc import jws, jwt
from joserfc.errors import ExpiredTokenError, JoseError
from joserfc.jwk import KeySet

MAX_TOKEN_BYTES = 16 * 1024
MAX_JWKS_BYTES = 256 * 1024
DEFAULT_MAX_AGE = 60.0


class VerificationError(Exception):
    """The token is refused; the text says why, in words fit for the log and a developer."""


class InsufficientScopeError(VerificationError):
    """The token is good, and not for this: RFC 6750 §3.1 answers 403."""


class KeysUnavailableError(Exception):
    """No fresh JWKS can be had: answer 503, for the token may well be good."""


@dataclass(frozen=True, slots=True)
class VerifiedToken:
    """An access token after every check: only `Verifier.verify` makes one."""

    subject: str
    client_id: str
    scopes: frozenset[str]
    claims: Mapping[str, Any]
    kid: str


class JwksCache:
    """The keys of one issuer, as fresh as its cache headers demand."""

    def __init__(
        self,
        url: str,
        client: httpx2.AsyncClient,
        *,
        now: Callable[[], float],
        refetch_seconds: float,
    ) -> None:
        self._url = url
        self._client = client
        self._now = now
        self._refetch_seconds = refetch_seconds
        self._keys: KeySet | None = None
        self._etag: str | None = None
        self._fresh_until = float("-inf")
        self._asked_at = float("-inf")
        self._lock = asyncio.Lock()

    async def key(self, kid: str) -> Any:
        """Return the key of that id.

        Raises:
            VerificationError: the issuer has no such key.
            KeysUnavailableError: the issuer cannot be asked.
        """
        if not self._fresh:
            await self._refresh(lambda: self._fresh)
        if (found := self._find(kid)) is None:
            await self._refresh(lambda: self._find(kid) is not None)
            found = self._find(kid)
        if found is None:
            raise VerificationError("signed with a key the issuer does not publish")
        return found

    @property
    def _fresh(self) -> bool:
        return self._keys is not None and self._now() < self._fresh_until

    def _find(self, kid: str) -> Any | None:
        return next((key for key in self._keys or () if key.kid == kid), None)

    async def _refresh(self, enough: Callable[[], bool]) -> None:
        """Ask the issuer, one request at a time, unless another did or it was asked just now."""
        async with self._lock:
            if enough():
                return
            if self._now() < self._asked_at + self._refetch_seconds:
                if not self._fresh:
                    raise KeysUnavailableError("the JWKS could not be fetched a moment ago")
                return
            self._asked_at = self._now()
            try:
                await self._fetch()
            except (httpx2.HTTPError, ValueError, KeyError, TypeError, JoseError) as error:
                raise KeysUnavailableError(f"cannot fetch the JWKS: {error}") from error

    async def _fetch(self) -> None:
        headers = {"Accept": "application/json"}
        if self._etag and self._keys is not None:
            headers["If-None-Match"] = self._etag
        asked_at = self._now()
        answer = await self._client.get(self._url, headers=headers, follow_redirects=False)
        if answer.status_code == 200:
            if len(answer.content) > MAX_JWKS_BYTES:
                raise ValueError("the JWKS is too large")
            self._keys = KeySet.import_key_set(answer.json())
            self._etag = answer.headers.get("etag")
        elif answer.status_code != 304 or self._keys is None:
            raise ValueError(f"status {answer.status_code}")
        self._fresh_until = asked_at + _max_age(answer.headers)


def _max_age(headers: Mapping[str, str]) -> float:
    """Return the seconds an answer may be kept (RFC 9111 §5.2.2.1), less the age it came with."""
    control = headers.get("cache-control", "").lower()
    if "no-store" in control or "no-cache" in control:
        return 0.0
    found = re.search(r"(?:^|[,\s])max-age=\"?(\d+)", control)
    age = headers.get("age", "0")
    spent = float(age) if age.isdecimal() else 0.0
    return max(0.0, (float(found[1]) if found else DEFAULT_MAX_AGE) - spent)


class Verifier:
    """Judges access tokens (RFC 9068) of one issuer for one audience.

    Args:
        issuer: `iss`, exactly.
        audience: what `aud` must name: this service.
        jwks_url: where the keys are; under the issuer's `/.well-known/` unless said.
        client: the HTTP client that fetches them.
        now: epoch seconds.
        leeway: seconds a clock may differ.
        refetch_seconds: the shortest time between two fetches.
        algorithms: the signature algorithms accepted, whatever a token's header says.
    """

    def __init__(
        self,
        issuer: str,
        audience: str,
        *,
        jwks_url: str | None = None,
        client: httpx2.AsyncClient | None = None,
        now: Callable[[], float] = time.time,
        leeway: int = 30,
        refetch_seconds: float = 5.0,
        algorithms: tuple[str, ...] = ("RS256",),
    ) -> None:
        self._algorithms = list(algorithms)
        self._client = client or httpx2.AsyncClient(timeout=5)
        url = jwks_url or issuer.rstrip("/") + "/.well-known/jwks.json"
        self._jwks = JwksCache(url, self._client, now=now, refetch_seconds=refetch_seconds)
        self._claims = jwt.JWTClaimsRegistry(
            now=lambda: int(now()),
            leeway=leeway,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
            iat={"essential": True},
            sub={"essential": True},
            client_id={"essential": True},
        )

    async def verify(self, token: str, *, scope: str | None = None) -> VerifiedToken:
        """Return the token's claims once everything about it is right.

        Args:
            token: the Bearer token.
            scope: a scope the token must carry.

        Raises:
            VerificationError: the token is refused (401).
            InsufficientScopeError: it lacks the scope (403).
            KeysUnavailableError: the issuer's keys cannot be fetched (503).
        """
        kid = self._checked_header(token)
        key = await self._jwks.key(kid)
        try:
            claims = jwt.decode(token, key, algorithms=self._algorithms).claims
            self._claims.validate(claims)
        except ExpiredTokenError as error:
            raise VerificationError("the token has expired") from error
        except (JoseError, ValueError) as error:
            raise VerificationError(str(error)) from error
        scopes = frozenset(str(claims.get("scope", "")).split())
        if scope is not None and scope not in scopes:
            raise InsufficientScopeError(f"the token does not carry the scope {scope!r}")
        return VerifiedToken(claims["sub"], claims["client_id"], scopes, claims, kid)

    @property
    def keys(self) -> JwksCache:
        """The issuer's keys, for what else it signs."""
        return self._jwks

    async def close(self) -> None:
        """Close the HTTP client."""
        await self._client.aclose()

    def _checked_header(self, token: str) -> str:
        """Return the `kid` of a header that is an access token's (RFC 9068 §4); proves nothing."""
        if len(token) > MAX_TOKEN_BYTES:
            raise VerificationError("the token is too long")
        try:
            header = jws.extract_compact(token.encode()).headers()
        except (JoseError, ValueError) as error:
            raise VerificationError("not a signed token") from error
        if str(header.get("typ", "")).lower() not in {"at+jwt", "application/at+jwt"}:
            raise VerificationError("not an access token: `typ` is not at+jwt")
        if header.get("alg") not in self._algorithms:
            raise VerificationError("signed with an algorithm that is not accepted")
        kid = header.get("kid")
        if "crit" in header or not isinstance(kid, str):
            raise VerificationError("the token's header is not one of this issuer")
        return kid
