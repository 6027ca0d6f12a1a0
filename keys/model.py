"""What a signing key is, and the changes a store can make to the set of them."""

from dataclasses import dataclass
from typing import Any, Final

RS256: Final = "RS256"
"""RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 §3.3): the default, and always on."""


def genesis(alg: str) -> str:
    """Return the predecessor of the first key of an algorithm."""
    return f"genesis:{alg}"


def outsider(kid: str) -> str:
    """Return the predecessor of a key made elsewhere that only verifies: it follows no other."""
    return f"import:{kid}"


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """One signing key and its times, as stored. Every time is in UTC epoch seconds.

    Attributes:
        kid: The RFC 7638 thumbprint of the public half.
        alg: The JWS algorithm it signs with.
        public_jwk: The public half: the members of its JWK that make the thumbprint.
        sealed: What the vault finds the private half by: itself under the operator's secret, or
            a reference under it; None once erased.
        predecessor: The `kid` of the key made before it, or `genesis(alg)`, or `outsider(kid)`.
            No two keys have the same one: of two processes that would make a successor, one loses.
        created_at: When it was published.
        ready_at: The moment from which every cache that honours its lifetime knows it.
        signs_from: When it begins to sign; every process switches at that instant.
        revoked_at: When it was revoked, or None.
        revoked_reason: The operator's words, or None.
        verifies_until: For a key that only verifies (made elsewhere, or of an algorithm that was
            given up): when it leaves the JWKS. None for the keys of a line.
    """

    kid: str
    alg: str
    public_jwk: dict[str, Any]
    sealed: bytes | None
    predecessor: str
    created_at: float
    ready_at: float
    signs_from: float
    revoked_at: float | None = None
    revoked_reason: str | None = None
    verifies_until: float | None = None


@dataclass(frozen=True, slots=True)
class Insert:
    """Add a key. Conflicts when its `kid` or its predecessor is taken."""

    record: KeyRecord


@dataclass(frozen=True, slots=True)
class Replace:
    """Put `record` in the place of `expected`. Conflicts when that is not what is stored."""

    expected: KeyRecord
    record: KeyRecord


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove a key. Conflicts when `expected` is not what is stored."""

    expected: KeyRecord


Change = Insert | Replace | Delete
