"""Signed JWTs: making them at the speed of the signature, and judging them strictly.

Tokens are written in the compact serialization (RFC 7515 §7.1) with the header segment of each
key and type built once. They are verified by joserfc's explicit algorithm, after a header that has
exactly three members: `alg`, `kid` and `typ` (RFC 8725 §3). So `crit`, `jwk`, `jku`,
`x5u`, `x5c` and whatever comes next are refused without being looked at.
"""

import json
import re
import warnings
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Final

import orjson
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jws import JWSRegistry

from keys.algorithms import ALGORITHMS, PublicKey
from keys.errors import InvalidToken
from keys.signer import Signer

MAX_LENGTH: Final = 16_384
MAX_KID_LENGTH: Final = 128

_MEMBERS: Final = frozenset({"alg", "kid", "typ"})
_COMPACT: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
# What is no JSON value is refused, not written as if it were one.
_PLAIN: Final = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
_strict: Final = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A public key and the one algorithm it is good for."""

    kid: str
    alg: str
    key: PublicKey


KeyLookup = Callable[[str], VerificationKey | None]
"""Finds a key by its `kid`; None where there is none."""


async def sign_jwt(signer: Signer, typ: str, claims: Mapping[str, Any]) -> str:
    """Return a signed JWT.

    Args:
        signer: The key to sign with.
        typ: The media type of the token, as its `typ` header (RFC 7515 §4.1.9).
        claims: The payload; JSON values alone.

    Raises:
        ValueError: A claim is not a finite number.
        TypeError: A claim is no JSON value.
        SigningFailed: What holds the key did not sign.
    """
    signing_input = _header(signer.alg, signer.kid, typ) + _segment(_encode(claims))
    signature = _segment(await signer.sign(signing_input))
    return (signing_input + b"." + signature).decode()


def verify_jwt(
    token: str,
    find_key: KeyLookup,
    *,
    typ: str,
    algorithms: Collection[str] = ALGORITHMS,
    max_length: int = MAX_LENGTH,
) -> dict[str, Any]:
    """Return the claims of a token that one of our keys signed. Times and audiences are not judged.

    Args:
        token: The compact serialization.
        find_key: Finds the key; nothing is ever fetched.
        typ: The type the token must have, without `application/`.
        algorithms: The accepted algorithms.
        max_length: The longest token looked at, in characters.

    Raises:
        InvalidToken: It is malformed, of another type, or not signed by such a key.
    """
    if len(token) > max_length:
        raise InvalidToken("longer than any token of ours")
    if not _COMPACT.fullmatch(token):
        raise InvalidToken("not a compact JWS")
    signing_input, _, signature = token.rpartition(".")
    first, _, payload = signing_input.partition(".")
    header = _read_header(first)
    _check_type(header["typ"], typ)
    key = _choose_key(header, find_key, algorithms)
    try:
        if not _verifier(key.alg).verify(signing_input.encode(), _bytes(signature), key.key):
            raise InvalidToken("the signature is wrong")
        claims = orjson.loads(_bytes(payload))
    except (JoseError, ValueError, RecursionError) as error:
        raise InvalidToken(f"signature or payload: {type(error).__name__}") from None
    if not isinstance(claims, dict):
        raise InvalidToken("the payload is not an object")
    return claims


def verifies(alg: str, key: PublicKey, message: bytes, signature: bytes) -> bool:
    """Tell whether a raw JWS signature over these bytes is that of a key."""
    try:
        return bool(_verifier(alg).verify(message, signature, key))
    except (JoseError, ValueError):
        return False


@cache
def _verifier(alg: str) -> Any:
    with warnings.catch_warnings():
        # `EdDSA` is deprecated in name alone (RFC 9864); it is what most libraries know.
        warnings.simplefilter("ignore", SecurityWarning)
        return JWSRegistry(algorithms=[alg]).get_alg(alg)


@lru_cache(maxsize=64)
def _header(alg: str, kid: str, typ: str) -> bytes:
    return _segment(_encode({"alg": alg, "kid": kid, "typ": typ})) + b"."


def _encode(claims: Mapping[str, Any]) -> bytes:
    """Return JSON in UTF-8 without blanks, members in their order."""
    try:
        text = orjson.dumps(claims, option=_PLAIN)
    except TypeError:  # an integer of more than 64 bits, a deep nesting
        return _strict(claims).encode()
    # orjson writes a number that is not finite as null, and says nothing.
    return _strict(claims).encode() if b"null" in text else text


def _segment(raw: bytes) -> bytes:
    return urlsafe_b64encode(raw).rstrip(b"=")


def _bytes(segment: str) -> bytes:
    return urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


@lru_cache(maxsize=64)  # there are as many as keys and types; what is refused is not kept
def _read_header(segment: str) -> Mapping[str, Any]:
    try:
        header = json.loads(_bytes(segment), object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        raise InvalidToken("the header is not JSON") from None
    if not isinstance(header, dict):
        raise InvalidToken("the header is not an object")
    if header.keys() != _MEMBERS:
        raise InvalidToken("the header has other members than alg, kid and typ")
    return header


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is given twice")
    return members


def _check_type(found: object, wanted: str) -> None:
    """Compare media types as RFC 7515 §4.1.9 says: in any case, `application/` left out or not."""
    if not isinstance(found, str) or not found.isascii():
        raise InvalidToken("typ is not text")
    if found.lower().removeprefix("application/") != wanted.lower():
        raise InvalidToken(f"typ is not {wanted}")


def _choose_key(
    header: Mapping[str, Any], find_key: KeyLookup, algorithms: Collection[str]
) -> VerificationKey:
    kid, alg = header["kid"], header["alg"]
    if not isinstance(alg, str) or alg not in algorithms:
        raise InvalidToken("alg is not accepted")
    if not isinstance(kid, str) or len(kid) > MAX_KID_LENGTH:
        raise InvalidToken("kid is not a key identifier")
    key = find_key(kid)
    if key is None:
        raise InvalidToken("kid is unknown")
    if key.alg != alg:
        raise InvalidToken("alg is not the algorithm of that key")
    return key
