"""How a key pair is made, and how its two halves are checked."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from keys.errors import KeyRecordCorrupt

RSA_BITS: Final = 2048
_PUBLIC_MEMBERS: Final = ("kty", "n", "e")


@dataclass(frozen=True, slots=True)
class FreshKey:
    """A key pair just made.

    Attributes:
        kid: The RFC 7638 thumbprint.
        public_jwk: `kty`, `n`, `e`.
        private: The private half, PKCS #8 in DER.
    """

    kid: str
    public_jwk: dict[str, Any]
    private: bytes


KeyFactory = Callable[[], Awaitable[FreshKey]]
"""Makes a key pair for RS256."""


async def generate() -> FreshKey:
    """Make an RSA key of 2048 bits, on a thread: the event loop goes on meanwhile."""
    return await asyncio.to_thread(make)


def make(bits: int = RSA_BITS) -> FreshKey:
    """Make an RSA key, here and now; takes about a tenth of a second."""
    return describe(rsa.generate_private_key(public_exponent=65537, key_size=bits))


def describe(private: rsa.RSAPrivateKey) -> FreshKey:
    """Return a private key with its public half and name."""
    key = RSAKey.import_key(private.public_key())
    full = key.as_dict(private=False)
    der = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return FreshKey(key.thumbprint(), {member: full[member] for member in _PUBLIC_MEMBERS}, der)


def public_key(kid: str, public_jwk: dict[str, Any]) -> RSAKey:
    """Return the public half of a stored key, once it is sure to be the one it is named for.

    Raises:
        KeyRecordCorrupt: It is no RSA public key, or not the one of that `kid`.
    """
    try:
        key = RSAKey.import_key({member: public_jwk[member] for member in _PUBLIC_MEMBERS})
        named = key.thumbprint()
    except (JoseError, KeyError, TypeError, ValueError):
        raise KeyRecordCorrupt(kid, "its public half is not an RSA key") from None
    if named != kid:
        raise KeyRecordCorrupt(kid, "its public half belongs to another key")
    return key
