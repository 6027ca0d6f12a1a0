"""Private keys at rest: sealed with a secret of the operator's.

    sealed = version (1 byte) ‖ key id (4) ‖ nonce (12) ‖ AES-256-GCM ciphertext and tag

Each secret yields a sealing key and its id by HKDF-SHA256 (RFC 5869) under one label, so the
same secret can serve other purposes, and a sealer what else is secret, under a label of its own.
The `kid` is associated data: a sealed key moved to another row does not open.
"""

from collections.abc import Callable, Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from keys.errors import KeyRecordCorrupt

LABEL: Final = b"token-broker/keys/sealing"
VERSION: Final = b"\x01"
SECRET_LENGTH: Final = 32
_ID, _NONCE, _TAG = 4, 12, 16


class Sealer:
    """Seals private keys with the first of several secrets, opens them with any.

    Args:
        secrets: The operator's secrets, each of 32 bytes or more; the first seals.
        entropy: Returns that many random bytes.
        label: What is sealed; what is sealed under one label does not open under another.

    Raises:
        ValueError: No secret, one that is too short, or the same one twice.
    """

    def __init__(
        self, secrets: Sequence[bytes], entropy: Callable[[int], bytes], *, label: bytes = LABEL
    ) -> None:
        if not secrets:
            raise ValueError("at least one secret is needed to seal keys")
        if any(len(secret) < SECRET_LENGTH for secret in secrets):
            raise ValueError(f"each secret must have at least {SECRET_LENGTH} bytes")
        derived = [_derive(secret, label) for secret in secrets]
        self._ciphers = dict(derived)
        if len(self._ciphers) != len(secrets):
            raise ValueError("the same secret is given twice")
        self._first = derived[0][0]
        self._entropy = entropy

    @property
    def ids(self) -> tuple[bytes, ...]:
        """The ids of the secrets, first the one that seals; they tell nothing of the secrets."""
        return tuple(self._ciphers)

    def seal(self, kid: str, private: bytes) -> bytes:
        """Seal a private key under the first secret, bound to its `kid`."""
        nonce = self._entropy(_NONCE)
        hidden = self._ciphers[self._first].encrypt(nonce, private, kid.encode())
        return VERSION + self._first + nonce + hidden

    def open(self, kid: str, sealed: bytes) -> bytes:
        """Return the private key that was sealed for this `kid`.

        Raises:
            KeyRecordCorrupt: It was sealed with another secret, for another key, or altered.
        """
        cipher = self._ciphers.get(self._id_of(kid, sealed))
        if cipher is None:
            raise KeyRecordCorrupt(kid, "it is sealed with a secret that is not configured")
        body = sealed[len(VERSION) + _ID :]
        try:
            return cipher.decrypt(body[:_NONCE], body[_NONCE:], kid.encode())
        except InvalidTag:
            raise KeyRecordCorrupt(kid, "its sealed private half was altered") from None

    def key_id(self, sealed: bytes) -> bytes:
        """Return the id of the secret a private key was sealed with.

        Raises:
            KeyRecordCorrupt: It is not a sealed key at all.
        """
        return self._id_of("?", sealed)

    def is_current(self, sealed: bytes) -> bool:
        """Tell whether a private key is sealed with the first secret."""
        return self.key_id(sealed) == self._first

    def rewrap(self, kid: str, sealed: bytes) -> bytes:
        """Return the same private key sealed with the first secret; unchanged if it already is.

        Raises:
            KeyRecordCorrupt: As for `open`.
        """
        private = self.open(kid, sealed)
        return sealed if self.is_current(sealed) else self.seal(kid, private)

    def _id_of(self, kid: str, sealed: bytes) -> bytes:
        if len(sealed) <= len(VERSION) + _ID + _NONCE + _TAG:
            raise KeyRecordCorrupt(kid, "its sealed private half is cut short")
        if sealed[: len(VERSION)] != VERSION:
            raise KeyRecordCorrupt(kid, "its sealed private half is of an unknown version")
        return sealed[len(VERSION) : len(VERSION) + _ID]


def _derive(secret: bytes, label: bytes) -> tuple[bytes, AESGCM]:
    material = HKDF(algorithm=SHA256(), length=32 + _ID, salt=None, info=label).derive(secret)
    return material[32:], AESGCM(material[:32])
