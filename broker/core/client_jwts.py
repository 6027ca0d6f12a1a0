"""JWTs that clients sign: assertions (RFC 7523) and request objects (RFC 9101).

Unverified in, verified out: ``read`` judges the form, and what may be believed only for the sake
of finding the client; ``ClientKeys`` and ``verified`` make it a fact.
"""

import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from broker.core.client_keys import MAX_KID, ClientKeys, KeySet, choose
from broker.core.model import Client
from keys.algorithms import ALGORITHMS
from keys.jws import verifies

LONGEST_LIFE: Final = 3600.0  # seconds: what widely used libraries give their assertions

COMPACT: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
# What would have us use a key that is not the client's, or read the token in another way.
_REFUSED: Final = frozenset(("crit", "b64", "jwk", "jku", "x5u", "zip", "enc"))
_MAX_SECONDS: Final = 2**53


class BadJwt(Exception):
    """A JWT of a client that does not count; the text is for the log."""


@dataclass(frozen=True, slots=True)
class Unverified:
    """A well-formed JWT whose signature was not checked.

    Attributes:
        alg: of its header; one that is known here.
        kid: of its header, or None.
        claims: its payload; nothing of it is proven.
        message: what is signed.
        signature: the raw signature.
    """

    alg: str
    kid: str | None
    claims: Mapping[str, Any]
    message: bytes
    signature: bytes


def read(token: str, types: Collection[str]) -> Unverified:
    """Return a JWT, its form judged.

    Args:
        token: the compact serialization.
        types: the media types it may have (``typ``), in lower case and without ``application/``;
            it may have none as well.

    Raises:
        BadJwt: it is malformed, of another type, unsigned, or signed in a way not taken here.
    """
    if not COMPACT.fullmatch(token):
        raise BadJwt("not a compact JWS")
    message, _, signature = token.rpartition(".")
    first, _, payload = message.partition(".")
    header = members(first, "header")
    if refused := _REFUSED & header.keys():
        raise BadJwt(f"the header holds {min(refused)}")
    _check_type(header.get("typ"), types)
    alg, kid = header.get("alg"), header.get("kid")
    if not isinstance(alg, str) or alg not in ALGORITHMS:
        raise BadJwt("alg is not accepted")
    if kid is not None and not (isinstance(kid, str) and len(kid) <= MAX_KID):
        raise BadJwt("kid is no name of a key")
    return Unverified(alg, kid, members(payload, "payload"), message.encode(), octets(signature))


async def verified(
    jwt: Unverified, client: Client, keys: ClientKeys, alg: str | None
) -> Mapping[str, Any]:
    """Return the claims once they are known to be the client's.

    Args:
        jwt: what was read.
        client: who is said to have signed it.
        keys: every client's keys.
        alg: the one algorithm the client is registered for, or None for any.

    Raises:
        BadJwt: it is signed with another algorithm, or with no key of the client's.
    """
    if alg not in {None, jwt.alg}:
        raise BadJwt("alg is not the one that the client is registered for")
    known = await keys.of(client)
    if signed(jwt, known):
        return jwt.claims
    if jwt.kid is None or not choose(known, jwt.alg, jwt.kid):
        newer = await keys.newer(client)
        if newer is not None and signed(jwt, newer):
            return jwt.claims
    raise BadJwt("no key of the client's made this signature")


def check_times(
    claims: Mapping[str, Any], now: float, skew: float, *, exp: bool, nbf_age: float | None = None
) -> None:
    """Judge ``exp``, ``nbf`` and ``iat`` (RFC 7519 §4.1).

    Args:
        claims: of a JWT.
        now: UTC seconds.
        skew: seconds that the client's clock may be ahead.
        exp: whether ``exp`` is demanded.
        nbf_age: seconds that ``nbf`` may be past, or None for any.

    Raises:
        BadJwt: it is over, too long-lived, not begun, or a time is no number.
    """
    end = seconds(claims, "exp")
    if end is None and exp:
        raise BadJwt("exp is missing")
    if end is not None and not now < end <= now + LONGEST_LIFE + skew:
        raise BadJwt("expired, or valid for too long")
    for name in ("nbf", "iat"):
        begins = seconds(claims, name)
        if begins is not None and begins > now + skew:
            raise BadJwt(f"{name} is in the future")
    begun = seconds(claims, "nbf")
    if nbf_age is not None and begun is not None and begun < now - nbf_age - skew:
        raise BadJwt("nbf is too long past")


def seconds(claims: Mapping[str, Any], name: str) -> float | None:
    """Return a claim that is a time, or None where it is missing.

    Raises:
        BadJwt: it is no number, or none that is a time.
    """
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadJwt(f"{name} is not a number")
    if not -_MAX_SECONDS < value < _MAX_SECONDS:  # NaN is not either
        raise BadJwt(f"{name} is not a time")
    return value


def text(claims: Mapping[str, Any], name: str) -> str:
    """Return a claim that has to be a text.

    Raises:
        BadJwt: it is missing, empty, something else, or holds what cannot be written down.
    """
    value = claims.get(name)
    if not isinstance(value, str) or not value or not value.isprintable():
        raise BadJwt(f"{name} is missing or not text")
    return value


def audiences(claims: Mapping[str, Any]) -> tuple[str, ...]:
    """Return ``aud`` as a tuple (RFC 7519 §4.1.3).

    Raises:
        BadJwt: it is missing or not text.
    """
    value = claims.get("aud")
    found = value if isinstance(value, list) else [value]
    if not found or not all(isinstance(one, str) for one in found):
        raise BadJwt("aud is missing or not text")
    return tuple(found)


def signed(jwt: Unverified, known: KeySet) -> bool:
    """Whether one of these keys made the signature."""
    return any(
        verifies(jwt.alg, one.key, jwt.message, jwt.signature)
        for one in choose(known, jwt.alg, jwt.kid)
    )


def _check_type(found: object, types: Collection[str]) -> None:
    """A JWT made for one purpose is not taken for another (RFC 8725 §3.11)."""
    if found is None:
        return
    if not isinstance(found, str) or not found.isascii():
        raise BadJwt("typ is not text")
    if found.lower().removeprefix("application/") not in types:
        raise BadJwt("typ says that it was made for another purpose")


def members(segment: str, name: str) -> dict[str, Any]:
    """Return the JSON object in a segment of a JWT, which ``name`` calls for the log.

    Raises:
        BadJwt: it is something else, or names a member twice.
    """
    try:
        found = _decode(octets(segment).decode())
    except (ValueError, RecursionError):
        raise BadJwt(f"the {name} is no JSON, or names a member twice") from None
    if not isinstance(found, dict):
        raise BadJwt(f"the {name} is not an object")
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member is given twice")
    return found


_decode: Final = json.JSONDecoder(object_pairs_hook=_unique).decode  # made once


def octets(segment: str) -> bytes:
    """Return what a segment of a JWT holds.

    Raises:
        BadJwt: it is not base64url.
    """
    try:
        return urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    except ValueError:
        raise BadJwt("not base64url") from None
