"""Operators: people whose account may use the console, and what they prove themselves with there.

A session at an upstream proves too little for that. Each operator has passkeys of our own (Web
Authentication); the first is made with a code that the command line prints once.
"""

import hashlib
from dataclasses import dataclass
from typing import Final, Protocol

from broker.core.ports import Entropy

CODE_LIFETIME: Final = 900  # seconds in which a printed code makes a passkey
_ALPHABET: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # 32 that are not mixed up
_LETTERS: Final = 20  # of five bits each


@dataclass(frozen=True, slots=True)
class Passkey:
    """A credential of an operator's (Web Authentication §4, public key credential).

    Attributes:
        credential_id: as the authenticator made it.
        account_id: whose it is.
        public_key: COSE_Key, as registered.
        sign_count: of its last use; 0 for authenticators that do not count.
        name: what its owner calls it.
        created_at: when it was made, UTC seconds.
        last_used_at: when it last signed somebody in, or None.
    """

    credential_id: bytes
    account_id: str
    public_key: bytes
    sign_count: int
    name: str
    created_at: float
    last_used_at: float | None = None


@dataclass(frozen=True, slots=True)
class Operator:
    """An account that may use the console.

    Attributes:
        account_id: the account.
        since: since when, UTC seconds.
        passkeys: the oldest first.
        code_until: until when a printed code makes a passkey; None without one.
    """

    account_id: str
    since: float
    passkeys: tuple[Passkey, ...] = ()
    code_until: float | None = None


class Operators(Protocol):
    """Who may use the console, in SQL; every method may raise ``StoreUnavailable``."""

    async def get(self, account_id: str) -> Operator | None:
        """Return the operator, or None where the account is none."""
        ...

    async def enrol(self, passkey: Passkey, code: str, *, now: float) -> bool:
        """Spend a printed code and keep the passkey, in one step; False where the code is none."""
        ...

    async def used(self, passkey: Passkey, sign_count: int, *, now: float) -> bool:
        """Remember a use; False where the passkey is gone, or was used beyond that count."""
        ...


def new_code(entropy: Entropy) -> str:
    """Return a code of 100 random bits, in groups that can be read out: ``ABCDE-…``."""
    number = int.from_bytes(entropy.token(13), "big")
    letters = [_ALPHABET[(number >> (5 * place)) & 31] for place in range(_LETTERS)]
    return "-".join("".join(letters[start : start + 5]) for start in range(0, _LETTERS, 5))


def code_digest(code: str) -> str:
    """Return what is kept of a code: SHA-256, hexadecimal, of its letters alone.

    It has 100 random bits, so a plain digest is as strong as it is.
    """
    plain = "".join(letter for letter in code.upper() if letter.isalnum())
    return hashlib.sha256(plain.encode()).hexdigest()
