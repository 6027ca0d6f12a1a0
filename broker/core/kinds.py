"""Kinds of values in client metadata: each reader returns what a field holds for a JSON value.

All of them raise ``Wrong`` for a value of another kind, and bound what is stored.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from broker.core import translations
from broker.core.client import ClientSecret

MOST_ENTRIES: Final = 50  # of a list
MOST_OF_DOCUMENT: Final = 1000  # entries of each list in a policy, or in a mapping of roles
LONGEST: Final = 2000  # characters of a text
LONGEST_TIME: Final = 10 * 366 * 86400  # seconds
DEEPEST: Final = 4  # levels of a JWK Set: set, keys, key, certificates; a policy has as many

_SHA256: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)

Document = Mapping[str, Any]
"""Client metadata, as JSON."""


class Wrong(Exception):
    """A value is not of its kind; the text says what it should be."""


def text(value: Any) -> str | None:
    """Return a text; None for an empty one."""
    if not isinstance(value, str) or len(value) > LONGEST or not value.isprintable():
        raise Wrong(f"must be a text of at most {LONGEST} printable characters")
    return value or None


def texts(value: Any) -> tuple[str, ...]:
    """Return a list of texts, each once."""
    if not isinstance(value, list) or len(value) > MOST_ENTRIES:
        raise Wrong(f"must be a list of at most {MOST_ENTRIES} texts")
    found = [text(one) for one in value]
    if None in found:
        raise Wrong("must be a list without empty texts")
    return tuple(dict.fromkeys(one for one in found if one))


def words(value: Any) -> tuple[str, ...]:
    """Return the words of a text, each once."""
    found = (text(value) or "").split(" ")
    if len(found) > MOST_ENTRIES:
        raise Wrong(f"must be at most {MOST_ENTRIES} words")
    return tuple(dict.fromkeys(word for word in found if word))


def flag(value: Any) -> bool:
    """Return true or false."""
    if not isinstance(value, bool):
        raise Wrong("must be true or false")
    return value


def seconds(value: Any) -> int:
    """Return a number of seconds."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= LONGEST_TIME:
        raise Wrong(f"must be a number of seconds, at most {LONGEST_TIME}")
    return value


def key_set(value: Any) -> Document:
    """Return a JWK Set (RFC 7517 §5), its keys not judged."""
    if not isinstance(value, dict) or not isinstance(value.get("keys"), list):
        raise Wrong("must be a JWK Set (RFC 7517 §5)")
    if not _plain(value, DEEPEST):
        raise Wrong("must be a JWK Set of plain values, none of them endless")
    return value


def document(value: Any) -> Document:
    """Return a small JSON object."""
    if not isinstance(value, dict) or not _plain(value, DEEPEST, MOST_OF_DOCUMENT):
        raise Wrong("must be a JSON object, small and of plain values")
    return value


def _plain(value: Any, deep: int, most: int = MOST_ENTRIES) -> bool:
    """Whether JSON is small, shallow, and holds no text that a store would choke on."""
    if isinstance(value, dict):
        inside = [*value.keys(), *value.values()]
    elif isinstance(value, list):
        inside = value
    else:
        return not isinstance(value, str) or (value.isprintable() and len(value) <= 4 * LONGEST)
    fits = deep > 0 and len(inside) <= most
    return fits and all(_plain(one, deep - 1, most) for one in inside)


def digest(value: Any) -> str:
    """Return a SHA-256 digest, hexadecimal."""
    if not isinstance(value, str) or not _SHA256.fullmatch(value):
        raise Wrong("must be a SHA-256 digest, hexadecimal")
    return value


def secrets(value: Any) -> tuple[ClientSecret, ...]:
    """Return secrets as they are kept: digests with their times."""
    if not isinstance(value, list) or len(value) > MOST_ENTRIES:
        raise Wrong("must be a list of digests")
    return tuple(_secret(one) for one in value)


def _secret(value: Any) -> ClientSecret:
    if not isinstance(value, dict):
        raise Wrong("must be a list of objects with sha256 and created_at")
    end = value.get("expires_at")
    created_at, expires_at = _moment(value.get("created_at")), end if end is None else _moment(end)
    return ClientSecret(digest(value.get("sha256")), created_at, expires_at)


def translated(given: Document) -> Mapping[str, str] | None:
    """Return what metadata say in other languages, named as there; None for nothing."""
    found: dict[str, str] = {}
    for name in filter(translations.is_one, given):
        try:
            said = None if given[name] is None else text(given[name])
        except Wrong as error:
            raise Wrong(f"{name.partition('#')[0]}#: {error}") from None
        found |= {name: said} if said else {}
    return found or None


def _moment(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < 1e11:
        raise Wrong("must name moments in UTC seconds since the epoch")
    return float(value)
