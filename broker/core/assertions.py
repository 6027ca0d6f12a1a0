"""Clients that prove themselves by a signature: ``private_key_jwt`` (RFC 7523, Core §9)."""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from broker.core import vocabulary as v
from broker.core.client_jwts import (
    LONGEST_LIFE,
    BadJwt,
    Unverified,
    audiences,
    check_times,
    read,
    text,
    verified,
)
from broker.core.client_keys import ClientKeys
from broker.core.errors import InvalidClient, InvalidRequest
from broker.core.model import Client
from broker.core.parameters import Parameters
from broker.core.ports import Clients, Clock, Once

JWT_BEARER: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
TYPES: Final = frozenset(("jwt", "client-authentication+jwt"))
ENDPOINTS: Final = ("/token", "/par", "/introspect", "/revoke", "/device_authorization")
MAX_JTI: Final = 512


class Assertions:
    """Judges client assertions; each is taken once.

    ``aud`` has to be our issuer or the address of an endpoint that authenticates clients, and may
    be a list of nothing else: an assertion that somebody else could use too is not for us
    (RFC 7523 §3, and what became of it when clients were talked into foreign audiences). From a
    client that is held to FAPI 2.0 (pushed requests and DPoP) the issuer alone counts, as a text,
    and RS256 does not (FAPI 2.0 Security Profile §5.3.2.1 and §5.4.1).

    Args:
        issuer: ours.
        clients: the registered ones.
        keys: every client's keys.
        once: remembers what was used.
        clock: time.
        skew: seconds that clocks of clients may be ahead.
    """

    def __init__(
        self,
        issuer: str,
        clients: Clients,
        keys: ClientKeys,
        once: Once,
        *,
        clock: Clock,
        skew: float,
    ) -> None:
        self._issuer = issuer
        self._ours = frozenset((issuer, *(f"{issuer}{path}" for path in ENDPOINTS)))
        self._clients = clients
        self._keys = keys
        self._once = once
        self._clock = clock
        self._skew = skew

    async def client(self, params: Parameters) -> Client:
        """Return the client that signed the request's assertion.

        All that costs nothing is judged before a key is looked for, and the signature before the
        assertion is spent.

        Raises:
            InvalidRequest: the assertion or its type is missing, or given twice.
            InvalidClient: anything else, always alike.
            StoreUnavailable: a store is out of reach.
        """
        assertion = params.one("client_assertion")
        kind, named = params.one("client_assertion_type"), params.one("client_id")
        if assertion is None or kind is None:
            raise InvalidRequest("client_assertion and client_assertion_type belong together")
        try:
            _check_kind(kind)
            return await self._proven(read(assertion, TYPES), named)
        except BadJwt as error:
            raise InvalidClient(private=f"client assertion: {error}") from None

    async def _proven(self, jwt: Unverified, named: str | None) -> Client:
        now = self._clock.now()
        client_id = _subject(jwt.claims, named)
        _ = text(jwt.claims, "jti")
        check_times(jwt.claims, now, self._skew, exp=True)
        client = await self._clients.find(client_id)
        if client is None or client.disabled or client.auth_method != v.AUTH_KEY:
            raise BadJwt("no such client, switched off, or registered for another method")
        self._check_audience(client, jwt)
        claims = await verified(jwt, client, self._keys, client.token_endpoint_auth_signing_alg)
        await self._spend(client_id, text(claims, "jti"), claims["exp"] - now)
        return client

    def _check_audience(self, client: Client, jwt: Unverified) -> None:
        if not client.held_to_fapi:
            if not self._ours.issuperset(audiences(jwt.claims)):
                raise BadJwt("aud is not ours, or not ours alone")
        elif jwt.claims.get("aud") != self._issuer:
            raise BadJwt("aud is not our issuer alone, as FAPI 2.0 demands")
        elif jwt.alg == "RS256":
            raise BadJwt("FAPI 2.0 takes no RS256")

    async def _spend(self, client_id: str, jti: str, left: float) -> None:
        """Take the assertion once; it is remembered for longer than any clock takes it for good."""
        if len(jti) > MAX_JTI:
            raise BadJwt("jti is too long")
        digest = hashlib.sha256(f"assertion {client_id} {jti}".encode()).hexdigest()
        keep = min(left, LONGEST_LIFE + self._skew) + self._skew
        if not await self._once.spend_once(digest, int(keep) + 1):
            raise BadJwt("jti was used before")


def _check_kind(kind: str) -> None:
    if kind != JWT_BEARER:
        raise BadJwt("client_assertion_type is not known")


def _subject(claims: Mapping[str, Any], named: str | None) -> str:
    """RFC 7523 §3: ``iss`` and ``sub`` are the client, and so is ``client_id`` where it is sent."""
    subject = text(claims, "sub")
    if text(claims, "iss") != subject or named not in {None, subject}:
        raise BadJwt("iss, sub and client_id differ")
    return subject
