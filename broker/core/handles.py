"""Opaque handles: codes, refresh tokens, cookies, what clients and browsers hold.

A handle is ``version ‖ key id ‖ AES-SIV(account ‖ id ‖ generation)`` in base64url, with its kind
as associated data (RFC 5297). It is deterministic and authenticated: garbage is refused before any
store is asked, a handle of one kind never passes for another, and nothing about the person shows.
"""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

VERSION: Final = 1
ID_BYTES: Final = 16
GENERATION_BYTES: Final = 8
LENGTH: Final = 82  # characters: base64url of 1 + 4 + 16 + 16 + 16 + 8 = 61 bytes
NOBODY: Final = "00" * ID_BYTES


class Kind(StrEnum):
    """What a handle is for."""

    CODE = "code"
    REFRESH = "refresh"
    ACCESS = "access"
    SESSION = "session"
    REQUEST = "request"
    PUSHED = "pushed"
    ATTEMPT = "attempt"
    DEVICE = "device"
    USER_CODE = "user_code"
    REGISTRATION = "registration"
    CONSOLE = "console"


@dataclass(frozen=True, slots=True)
class Handle:
    """What an opened handle says.

    Attributes:
        account_id: 32 hexadecimal digits; ``NOBODY`` where no account is known yet.
        item_id: identifier of the session, code, grant or request, 32 hexadecimal digits.
        generation: a counter, or random where the handle only has to be unique.
    """

    account_id: str
    item_id: str
    generation: int = 0


def derive(secret: bytes, label: str, size: int) -> bytes:
    """Return ``size`` bytes for one purpose out of an operator's secret (RFC 5869 HKDF-SHA256)."""
    return HKDF(SHA256(), size, salt=None, info=f"token-broker/{label}".encode()).derive(secret)


class Handles:
    """Makes and opens handles.

    Args:
        secrets: the operator's secrets, 32 bytes or more each; the first makes, all open.
    """

    def __init__(self, secrets: Sequence[bytes]) -> None:
        if not secrets:
            raise ValueError("at least one secret is needed")
        keys = [derive(secret, "handles", 64) for secret in secrets]
        self._ciphers = {_key_id(key): AESSIV(key) for key in reversed(keys)}
        self._first = _key_id(keys[0])

    def make(self, kind: Kind, handle: Handle) -> str:
        """Return the handle's text: 82 characters of base64url."""
        plain = (
            bytes.fromhex(handle.account_id)
            + bytes.fromhex(handle.item_id)
            + handle.generation.to_bytes(GENERATION_BYTES, "big")
        )
        sealed = self._ciphers[self._first].encrypt(plain, [kind.encode()])
        return _encode(bytes((VERSION,)) + self._first + sealed)

    def open(self, kind: Kind, text: str) -> Handle | None:
        """Return what the handle says, or None for anything that we did not make as this kind."""
        if len(text) != LENGTH:
            return None
        try:
            raw = base64.urlsafe_b64decode(text + "==")
        except ValueError:
            return None
        # What is no base64url is passed over in reading; so it does not come out the same again.
        if _encode(raw) != text:
            return None
        cipher = self._ciphers.get(raw[1:5])
        if raw[0] != VERSION or cipher is None:
            return None
        try:
            plain = cipher.decrypt(raw[5:], [kind.encode()])
        except InvalidTag:
            return None
        return Handle(
            plain[:ID_BYTES].hex(),
            plain[ID_BYTES : 2 * ID_BYTES].hex(),
            int.from_bytes(plain[2 * ID_BYTES :], "big"),
        )


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"id" + key).digest()[:4]


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
