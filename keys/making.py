"""How a key pair is made, and how its two halves are checked."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from joserfc.errors import JoseError

from keys.algorithms import ALGORITHMS, PrivateKey, PublicKey
from keys.errors import KeyRecordCorrupt


@dataclass(frozen=True, slots=True)
class FreshKey:
    """A key pair just made.

    Attributes:
        kid: The RFC 7638 thumbprint.
        public_jwk: The public members of its JWK, `kty` among them.
        private: The private half, PKCS #8 in DER.
    """

    kid: str
    public_jwk: dict[str, Any]
    private: bytes


KeyFactory = Callable[[str], Awaitable[FreshKey]]
"""Makes a key pair for an algorithm."""


async def generate(alg: str) -> FreshKey:
    """Make a key pair, on a thread: the event loop goes on meanwhile."""
    return await asyncio.to_thread(make, alg)


def make(alg: str) -> FreshKey:
    """Make a key pair, here and now; RSA takes about a tenth of a second.

    One whose name a command line would take for an option is thrown away.
    """
    while True:
        fresh = describe(alg, ALGORITHMS[alg].generate())
        if not fresh.kid.startswith("-"):
            return fresh


def describe(alg: str, private: PrivateKey) -> FreshKey:
    """Return a private key with its public half and name."""
    algorithm = ALGORITHMS[alg]
    public: Any = private.public_key()
    key = algorithm.jwk.import_key(public)
    der = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return FreshKey(key.thumbprint(), algorithm.published(key.as_dict(private=False)), der)


def public_key(kid: str, alg: str, public_jwk: dict[str, Any]) -> PublicKey:
    """Return the public half of a stored key, once it is sure to be the one it is named for.

    Raises:
        KeyRecordCorrupt: It is no public key of that algorithm, or not the one of that `kid`.
    """
    algorithm = ALGORITHMS.get(alg)
    if algorithm is None:
        raise KeyRecordCorrupt(kid, f"its algorithm {alg!r} is unknown")
    try:
        key = algorithm.jwk.import_key(algorithm.published(public_jwk))
        named = key.thumbprint()
    except (JoseError, KeyError, TypeError, ValueError):
        raise KeyRecordCorrupt(kid, f"its public half is not a key for {alg}") from None
    if named != kid:
        raise KeyRecordCorrupt(kid, "its public half belongs to another key")
    return key


def private_key(kid: str, alg: str, private: bytes) -> PrivateKey:
    """Return a stored private half (PKCS #8 in DER), once it is sure to be that of its `kid`.

    Raises:
        KeyRecordCorrupt: It is no key of that algorithm, or not the one of that `kid`.
    """
    try:
        key = load_der_private_key(private, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyRecordCorrupt(kid, "its private half is not a key") from None
    if alg not in ALGORITHMS or not isinstance(key, ALGORITHMS[alg].family):
        raise KeyRecordCorrupt(kid, f"its private half is not a key for {alg}")
    fitting: PrivateKey = key
    if describe(alg, fitting).kid != kid:
        raise KeyRecordCorrupt(kid, "its private half belongs to another key")
    return fitting
