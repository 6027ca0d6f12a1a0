"""What signs: a key in memory, or a handle to one kept elsewhere behind the same interface."""

from typing import Final, Protocol

from keys.algorithms import ALGORITHMS, PrivateKey
from keys.making import private_key


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

    def check(self) -> None:
        """Refuse what is sure to fail, before anything is done that a signature must follow.

        It answers at once, from what is known; to ask is also how that comes to be known anew.

        Raises:
            SigningFailed: What holds the key cannot sign at present.
        """
        ...

    async def sign(self, signing_input: bytes) -> bytes:
        """Return the raw JWS signature over these bytes.

        Raises:
            SigningFailed: What holds the key did not sign.
        """
        ...


class LocalSigner:
    """Signs with a key in memory, where it is called.

    A signature takes some hundreds of microseconds, about as much as handing it to a thread and
    back costs; so more processes serve more than threads do (see the benchmark).

    Args:
        kid: The key's identifier.
        alg: The JWS algorithm.
        private: The key.
    """

    __slots__ = ("_private", "_sign", "alg", "kid")

    def __init__(self, kid: str, alg: str, private: PrivateKey) -> None:
        self.kid: Final = kid
        self.alg: Final = alg
        self._private = private
        self._sign = ALGORITHMS[alg].sign

    @classmethod
    def load(cls, kid: str, alg: str, private: bytes) -> "LocalSigner":
        """Make a signer of a stored private half (PKCS #8 in DER).

        Raises:
            KeyRecordCorrupt: It is no key of that algorithm, or not the one of that `kid`.
        """
        return cls(kid, alg, private_key(kid, alg, private))

    def check(self) -> None:
        """Do nothing: a key in memory can sign."""

    async def sign(self, signing_input: bytes) -> bytes:
        """Return the raw JWS signature over these bytes."""
        return self._sign(self._private, signing_input)
