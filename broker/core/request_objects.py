"""Signed request objects, by value (RFC 9101, OpenID Connect Core §6.1).

An authorization request may come as one JWT that the client has signed. Then nothing outside it
counts but ``client_id``, which has to be the same (RFC 9101 §5 and §6.3).
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from broker.core.client_jwts import (
    LONGEST_LIFE,
    BadJwt,
    audiences,
    check_times,
    read,
    text,
    verified,
)
from broker.core.client_keys import ClientKeys
from broker.core.errors import BadRequestObject, InvalidRequest, InvalidRequestObject
from broker.core.model import Client
from broker.core.parameters import Parameters
from broker.core.ports import Clock

MAX_REQUEST_OBJECT: Final = 16_384  # characters
TYPES: Final = frozenset(("jwt", "oauth-authz-req+jwt"))

# Members of a JWT that are no parameters (RFC 7519 §4.1).
_OF_THE_JWT: Final = frozenset(("iss", "aud", "exp", "nbf", "iat", "jti", "sub"))
_NESTED: Final = frozenset(("request", "request_uri"))

# Parameters that may be something else than text.
_NUMBERS: Final = frozenset(("max_age",))
_OBJECTS: Final = frozenset(("claims", "registration"))
_LISTS: Final = frozenset(("resource",))
_MAX_NUMBER: Final = 10**10
_TEXTS: Final = frozenset((
    "response_type", "response_mode", "redirect_uri", "scope", "state", "nonce", "prompt",
    "code_challenge", "code_challenge_method", "login_hint", "id_token_hint", "ui_locales",
    "display", "acr_values", "claims_locales", "dpop_jkt",
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request object that its client has signed; whether it counts is for ``check`` to say.

    Attributes:
        client_id: whose.
        claims: its members.
        params: its members as parameters.
    """

    client_id: str
    claims: Mapping[str, Any]
    params: Parameters


class RequestObjects:
    """Opens request objects.

    Args:
        issuer: ours.
        keys: every client's keys.
        clock: time.
        skew: seconds that clocks of clients may be ahead.
    """

    def __init__(self, issuer: str, keys: ClientKeys, clock: Clock, skew: float) -> None:
        self._issuer = issuer
        self._keys = keys
        self._clock = clock
        self._skew = skew

    async def opened(self, client: Client, params: Parameters) -> SignedRequest | None:
        """Return what the client has signed, or None where there is no request object for it.

        An unsigned one is none, and a client without keys has none: they are left to be refused
        as not supported.

        Raises:
            BadRequestObject: the client did not sign it, so nothing of it can be believed, not
                even where to answer.
        """
        if "request" not in params or (client.jwks is None and client.jwks_uri is None):
            return None
        try:
            token = params.one("request", longest=MAX_REQUEST_OBJECT) or ""
            if token.endswith("."):
                return None
            alg = client.request_object_signing_alg
            claims = await verified(read(token, TYPES), client, self._keys, alg)
            return SignedRequest(client.client_id, claims, Parameters(_pairs(client, claims)))
        except (BadJwt, InvalidRequest) as error:
            raise BadRequestObject(private=f"client {client.client_id}: {error}") from None

    def check(self, request: SignedRequest, outside: Parameters) -> None:
        """Judge a request object whose redirect URI was found good.

        Raises:
            InvalidRequestObject: it is not from its client to us, over or not begun, or it holds
                what it may not.
        """
        claims = request.claims
        try:
            check_times(claims, self._clock.now(), self._skew, exp=False, nbf_age=LONGEST_LIFE)
            _check_parties(request, self._issuer)
            _check_members(claims)
        except BadJwt as error:
            raise InvalidRequestObject(private=str(error)) from None
        if "request_uri" in outside:
            raise InvalidRequestObject("request and request_uri cannot be joined")


def _check_parties(request: SignedRequest, issuer: str) -> None:
    """RFC 9101 §5, §6.3 and §10.8: never one that would do for a client assertion, too."""
    claims = request.claims
    if text(claims, "iss") != request.client_id:
        raise BadJwt("iss is not the client")
    if claims.get("client_id", request.client_id) != request.client_id:
        raise BadJwt("client_id inside differs from the one outside")
    if issuer not in audiences(claims):
        raise BadJwt("aud is not our issuer")
    if claims.get("sub") == request.client_id:
        raise BadJwt("sub is the client: it could be taken for a client assertion")


def _check_members(claims: Mapping[str, Any]) -> None:
    """What we would read has to be of its type; what we do not know is left alone."""
    if nested := _NESTED & claims.keys():
        raise BadJwt(f"{min(nested)} inside a request object")
    for name in (_TEXTS | _NUMBERS | _OBJECTS | _LISTS) & claims.keys():
        if claims[name] is not None and _written(name, claims[name]) is None:
            raise BadJwt(f"{name} is of another type")


def _pairs(client: Client, claims: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the members as parameters; what is of no use as one is left out."""
    yield "client_id", client.client_id
    for name, value in claims.items():
        if name not in _OF_THE_JWT and name != "client_id":
            yield from ((name, one) for one in _written(name, value) or ())


def _written(name: str, value: object) -> tuple[str, ...] | None:
    """Return a member as the values of a parameter, or None where it is not of its type.

    Raises:
        BadJwt: it is nested too deeply.
    """
    if isinstance(value, str):
        return (value,)
    if name in _NUMBERS and isinstance(value, int) and not isinstance(value, bool):
        return (str(value),) if abs(value) < _MAX_NUMBER else None
    if name in _OBJECTS and isinstance(value, dict):
        try:
            return (json.dumps(value, separators=(",", ":")),)
        except RecursionError:  # what could just be read
            raise BadJwt(f"{name} is nested too deeply") from None
    if name in _LISTS and isinstance(value, list) and all(isinstance(one, str) for one in value):
        return tuple(value)
    return None
