"""JSON on the paths that are asked most (RFC 8259)."""

import json
from typing import Any, Final

import orjson

_thorough: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode  # made once

# A record is no JSON: nothing of one gets out by mistake.
_PLAIN: Final = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME


def encode(value: Any) -> bytes:
    """Return JSON in UTF-8 without blanks, members in their order.

    Args:
        value: what ``json`` can write.

    Raises:
        TypeError: it holds something that JSON has no word for.
        ValueError: it is nested without end, or holds half of a surrogate pair.
    """
    try:
        return orjson.dumps(value, option=_PLAIN)
    except TypeError:  # an integer of more than 64 bits, a deep nesting, a key that is an enum
        return _thorough(value).encode()
