"""What signs: a key in memory, or a handle to one kept elsewhere behind the same interface."""

from typing import Final, Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_private_key

from keys.errors import KeyRecordCorrupt
from keys.making import describe
from keys.model import RS256

_PADDING: Final = PKCS1v15()
_HASH: Final = SHA256()


class Signer(Protocol):
    """A private key that can be used but not seen."""

    @property
    def kid(self) -> str:
        """The key's identifier, as the JWKS names it."""
        ...

    @property
    def alg(self) -> str:
        """The JWS algorithm of its signatures."""
        ...

    def sign(self, signing_input: bytes) -> bytes:
        """Return the raw signature over these bytes."""
        ...


class LocalSigner:
    """Signs RS256 with an RSA key in memory.

    Args:
        kid: The key's identifier.
        private: The key.
    """

    __slots__ = ("_private", "alg", "kid")

    def __init__(self, kid: str, private: RSAPrivateKey) -> None:
        self.kid = kid
        self.alg = RS256
        self._private = private

    @classmethod
    def load(cls, kid: str, private: bytes) -> "LocalSigner":
        """Make a signer of a stored private half (PKCS #8 in DER).

        Raises:
            KeyRecordCorrupt: It is no RSA key, or not the one of that `kid`.
        """
        try:
            key = load_der_private_key(private, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise KeyRecordCorrupt(kid, "its private half is not a key") from None
        if not isinstance(key, RSAPrivateKey):
            raise KeyRecordCorrupt(kid, "its private half is not an RSA key")
        if describe(key).kid != kid:
            raise KeyRecordCorrupt(kid, "its private half belongs to another key")
        return cls(kid, key)

    def sign(self, signing_input: bytes) -> bytes:
        """Return the RSASSA-PKCS1-v1_5 signature with SHA-256 over these bytes."""
        return self._private.sign(signing_input, _PADDING, _HASH)
