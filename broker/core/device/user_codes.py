"""User codes: what a device shows and a person types (RFC 8628 §6.1).

Eight of twenty consonants: 34.6 bits, no vowels (so no words), nothing that looks like a digit.
"""

import hmac
import unicodedata
from collections.abc import Sequence
from typing import Final

from broker.core.handles import derive
from broker.core.ports import Entropy

ALPHABET: Final = "BCDFGHJKLMNPQRSTVWXZ"
LENGTH: Final = 8
LONGEST: Final = 64  # characters that a person may type for it

# What people put between letters: spaces, dashes, underscores, dots, and what nobody sees.
_BETWEEN: Final = frozenset(("Zs", "Pd", "Pc", "Po", "Cf"))


class UserCodes:
    """Makes codes, and the names under which stores know them: a dump holds no code.

    Args:
        secrets: the operator's secrets; the first names, all are tried.
    """

    def __init__(self, secrets: Sequence[bytes]) -> None:
        self._keys = tuple(derive(secret, "user-codes", 32) for secret in secrets)

    def names(self, code: str) -> tuple[str, ...]:
        """Return the names of a code, that of a new one first: 32 hexadecimal digits each."""
        digests = (hmac.digest(key, code.encode(), "sha256") for key in self._keys)
        return tuple(digest[:16].hex() for digest in digests)


def new(entropy: Entropy) -> str:
    """Return a code that nobody can foresee."""
    return from_number(int.from_bytes(entropy.token(24), "big") % len(ALPHABET) ** LENGTH)


def from_number(number: int) -> str:
    """Return the code of a number below 20⁸."""
    letters = []
    for _ in range(LENGTH):
        number, place = divmod(number, len(ALPHABET))
        letters.append(ALPHABET[place])
    return "".join(reversed(letters))


def number(code: str) -> int:
    """Return the number of a code."""
    found = 0
    for letter in code:
        found = found * len(ALPHABET) + ALPHABET.index(letter)
    return found


def shown(code: str) -> str:
    """Return a code as people read it: ``XXXX-XXXX``."""
    return f"{code[: LENGTH // 2]}-{code[LENGTH // 2 :]}"


def normalised(typed: str) -> str | None:
    """Return the code that somebody typed, or None where it can be none.

    Case, width (Japanese keyboards), spaces, dashes and other marks between letters do not count.
    """
    if len(typed) > LONGEST:
        return None
    text = unicodedata.normalize("NFKC", typed).upper()
    code = "".join(c for c in text if unicodedata.category(c) not in _BETWEEN)
    if len(code) != LENGTH or any(letter not in ALPHABET for letter in code):
        return None
    return code
