"""JSON documents that operators write, read strictly: what is wrong is named by its place."""

import json
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final

from broker.core.community.snowflakes import is_snowflake

MAX_SHOWN: Final = 40  # characters of a wrong value that an error repeats


class BadDocument(ValueError):
    """A document is not what it should be.

    Args:
        path: of the member that is wrong; empty for the document itself.
        reason: what is wrong with it.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}" if path else reason)
        self.path = path
        self.reason = reason


def parse(text: str) -> dict[str, Any]:
    """Return the document in a text, not judged but for its being a JSON object.

    Raises:
        BadDocument: it is not one, or names a member twice.
    """
    try:
        document = json.loads(text, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise BadDocument("", f"it is no JSON: {error.msg} ({where})") from None
    except BadDocument:
        raise
    except (ValueError, RecursionError):
        raise BadDocument("", "it is no JSON: a number too long, or nested too deeply") from None
    return members(document, "")


def members(value: object, path: str, known: Sequence[str] | None = None) -> dict[str, Any]:
    """Return the members of a JSON object.

    Args:
        value: the object.
        path: its place.
        known: what its members may be called; None for anything.

    Raises:
        BadDocument: it is no object, or a member is not known.
    """
    if not isinstance(value, Mapping):
        raise BadDocument(path, f"{shown(value)} is no JSON object")
    for name in value:
        if known is not None and name not in known:
            near = get_close_matches(str(name), known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
            raise BadDocument(member(path, name), f"is not known; {hint}")
    return dict(value)


def member(path: str, name: object) -> str:
    """Return the place of a member of the object at a place."""
    escaped = shown(str(name))[1:].removesuffix('"')
    return f"{path}.{escaped}" if path else escaped


def listed(value: object, path: str, limit: int) -> list[Any]:
    """Return the entries of a JSON array of at most ``limit``.

    Raises:
        BadDocument: it is none, or longer.
    """
    if not isinstance(value, list | tuple):
        raise BadDocument(path, f"{shown(value)} is no list")
    if len(value) > limit:
        raise BadDocument(path, f"more than {limit}")
    return list(value)


def snowflakes(value: object, path: str, limit: int) -> tuple[str, ...]:
    """Return a list of at most ``limit`` Discord ids, each once.

    Raises:
        BadDocument: it is none.
    """
    entries = enumerate(listed(value, path, limit))
    return tuple(dict.fromkeys(snowflake(one, f"{path}[{n}]") for n, one in entries))


def snowflake(value: object, path: str) -> str:
    """Return a Discord id.

    Raises:
        BadDocument: it is none.
    """
    if is_snowflake(value):
        return value
    reason = f"{shown(value)} is no Discord id"
    if isinstance(value, int) and not isinstance(value, bool):
        reason = f'{shown(value)} is a number; ids are text: "{shown(value)}"'
    raise BadDocument(path, reason)


def shown(value: object) -> str:
    """Return a wrong value as the document has it, shortened."""
    try:
        text = json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        text = type(value).__name__
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}…"


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise BadDocument(member("", twice), "is there twice in one object")
    return found
