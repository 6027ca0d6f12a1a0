"""A set of signing keys as a JSON document: people can read it, and nothing in it is guessed.

    {"format": "token-broker signing keys", "version": 1, "generation": 12, "keys": […],
     "digest": "sha256:…"}

A key has the attributes of `KeyRecord` as members: times as numbers of epoch seconds, the sealed
private half in base64. The digest is over generation and keys: it tells damage and edits by hand
from what the broker wrote, and is no proof of origin. What is unknown is refused, never left out.
"""

import base64
import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, fields
from typing import Any, Final, get_args, get_origin, get_type_hints

from keys.errors import KeyRecordCorrupt
from keys.model import KeyRecord

FORMAT: Final = "token-broker signing keys"
VERSION: Final = 1
_MEMBERS: Final = frozenset({"format", "version", "generation", "keys", "digest"})


def dump(records: Iterable[KeyRecord], generation: int) -> bytes:
    """Return the document of these keys.

    Raises:
        ValueError: A key has a value that JSON cannot hold exactly.
    """
    keys = [_members(record) for record in records]
    document = {
        "format": FORMAT,
        "version": VERSION,
        "generation": generation,
        "keys": keys,
        "digest": _digest(generation, keys),
    }
    return json.dumps(document, indent=2, allow_nan=False).encode() + b"\n"


def load(data: bytes, generation: int, where: object) -> tuple[KeyRecord, ...]:
    """Return the keys of a document, in its order.

    Args:
        data: The content of the file.
        generation: The generation it has to be.
        where: The name of the file, for the message.

    Raises:
        KeyRecordCorrupt: It is cut short, altered, foreign, or of a version we do not know.
    """
    document = _parse(data, where)
    _refuse_foreign(document, where)
    if document["generation"] != generation:
        raise _refusal(where, "is the copy of another generation: its name is not its own")
    keys = document["keys"]
    if not isinstance(keys, list) or document["digest"] != _digest(generation, keys):
        raise _refusal(where, "was altered: its content is not the one its digest is of")
    records = tuple(_record(members, where) for members in keys)
    for column in ("kid", "predecessor"):
        if len({getattr(record, column) for record in records}) != len(records):
            raise _refusal(where, f"has two keys with the same {column}")
    return records


def _parse(data: bytes, where: object) -> Any:
    try:
        return json.loads(data, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        raise _refusal(where, "is cut short or garbled: it is not JSON") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member is there twice")
    return found


def _refuse_foreign(document: Any, where: object) -> None:
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise _refusal(where, "is not a file of signing keys")
    version = document.get("version")
    if type(version) is not int or version != VERSION:
        raise _refusal(where, f"is of version {version!r}; this release reads {VERSION}")
    if document.keys() != _MEMBERS:
        odd = ", ".join(sorted(document.keys() ^ _MEMBERS))
        raise _refusal(where, f"has members too many or too few: {odd}")


def _digest(generation: int, keys: Any) -> str:
    text = json.dumps([generation, keys], sort_keys=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _refusal(where: object, why: str, kid: str = "?") -> KeyRecordCorrupt:
    return KeyRecordCorrupt(kid, f"{where} {why}")


def _members(record: KeyRecord) -> dict[str, Any]:
    values = {field.name: getattr(record, field.name) for field in fields(KeyRecord)}
    return {
        name: base64.b64encode(value).decode() if isinstance(value, bytes) else value
        for name, value in values.items()
    }


def _record(members: Any, where: object) -> KeyRecord:
    if not isinstance(members, dict) or not isinstance(members.get("kid"), str):
        raise _refusal(where, "has a key without a name")
    kid = members["kid"]
    unknown = members.keys() - _READERS.keys()
    missing = _REQUIRED - members.keys()
    if unknown or missing:
        odd = ", ".join(sorted(unknown | missing))
        raise _refusal(where, f"has members too many or too few about it: {odd}", kid)
    values: dict[str, Any] = {}
    for name, value in members.items():
        try:
            values[name] = _READERS[name](value)
        except (ValueError, OverflowError):
            raise _refusal(where, f"has a value that cannot be its {name}", kid) from None
    return KeyRecord(**values)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("not a string")  # noqa: TRY004 - one kind of error for every bad value
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("not a number")
    return float(value)


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004
    return value


def _octets(value: Any) -> bytes:
    return base64.b64decode(_text(value), validate=True)


_BY_TYPE: Final[Mapping[Any, Callable[[Any], Any]]] = {
    str: _text,
    float: _number,
    dict: _object,
    bytes: _octets,
}


def _reader(hint: Any) -> Callable[[Any], Any]:
    """Return what reads a value of that type. One that nothing reads is an error at import."""
    options = get_args(hint) if type(None) in get_args(hint) else (hint,)
    (kind,) = (option for option in options if option is not type(None))
    read = _BY_TYPE[get_origin(kind) or kind]
    if len(options) == 1:
        return read
    return lambda value: None if value is None else read(value)


_READERS: Final = {name: _reader(hint) for name, hint in get_type_hints(KeyRecord).items()}
_REQUIRED: Final = frozenset(
    field.name
    for field in fields(KeyRecord)
    if field.default is MISSING and field.default_factory is MISSING
)
