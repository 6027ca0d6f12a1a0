"""Reading a JWK Set (RFC 7517 §5) without trusting it."""

import json
import warnings
from collections.abc import Mapping
from typing import Any, Final

from joserfc import jwk
from joserfc.errors import JoseError

from broker.doctor.model import Answer, Look

Key = Mapping[str, Any]

PRIVATE: Final = ("d", "p", "q", "dp", "dq", "qi", "oth")
_PUBLIC: Final = frozenset({"kty", "n", "e", "crv", "x", "y"})
SIZES: Final = {"P-256": 256, "P-384": 384, "P-521": 521, "Ed25519": 256, "Ed448": 456}


class UnreadableError(ValueError):
    """A document is not what it should be; the text says how."""


def json_object(body: bytes) -> dict[str, Any]:
    """Return a JSON object.

    Raises:
        UnreadableError: it is something else.
    """
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise UnreadableError("not JSON") from None
    if not isinstance(found, dict):
        raise UnreadableError("JSON, and not an object")
    return found


def read(body: bytes) -> tuple[Key, ...]:
    """Return the keys of a JWK Set.

    Raises:
        UnreadableError: it is none.
    """
    keys = json_object(body).get("keys")
    if not isinstance(keys, list) or not all(isinstance(one, dict) for one in keys):
        raise UnreadableError('no JWK Set: it has no "keys" array of objects')
    return tuple(keys)


def keys_in(look: Look | None) -> tuple[Key, ...] | None:
    """Return the keys in an answer; None where it is not a readable JWK Set with status 200."""
    if not isinstance(look, Answer) or look.status != 200:
        return None
    try:
        return read(look.body)
    except UnreadableError:
        return None


def kid_of(key: Key) -> str:
    """Return a key's identifier; empty where it has none."""
    kid = key.get("kid")
    return kid if isinstance(kid, str) else ""


def kids_in(look: Look | None) -> frozenset[str] | None:
    """Return the identifiers of the keys in an answer, None as `keys_in` does."""
    keys = keys_in(look)
    return None if keys is None else frozenset(kid_of(key) for key in keys)


def thumbprint(key: Key) -> str | None:
    """Return the RFC 7638 thumbprint; None where the key cannot be read."""
    found = usable(key)
    if found is None:
        return None
    told: str = found.thumbprint()
    return told


def usable(key: Key) -> Any | None:
    """Return the public key to verify with; None where it cannot be read or is symmetric."""
    if key.get("kty") == "oct":
        return None
    public = {name: value for name, value in key.items() if name in _PUBLIC}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a weak key: that has a check of its own
            return jwk.import_key(public)
    except (JoseError, ValueError, TypeError, KeyError):
        return None


def bits(key: Key) -> int | None:
    """Return the size of a key: an RSA modulus', or a curve's; None where unknown."""
    if key.get("kty") != "RSA":
        curve = key.get("crv")
        return SIZES.get(curve) if isinstance(curve, str) else None
    found = usable(key)
    if found is None:
        return None
    size: int = found.public_key.key_size
    return size


def named(kids: frozenset[str] | set[str] | tuple[str, ...] | list[str]) -> str:
    """Return key identifiers as people tell them apart: their beginnings."""
    return ", ".join(short(kid) for kid in sorted(kids)) or "none"


def short(kid: str) -> str:
    """Return the beginning of a key identifier."""
    return f"{kid[:12]}…" if len(kid) > 14 else kid or "(no kid)"
