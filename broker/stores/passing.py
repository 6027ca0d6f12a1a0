"""Records as other releases wrote them: what runs beside us may be newer, or older."""

from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")


def known(kind: type[T], document: Mapping[str, Any], **given: Any) -> T:
    """Return the record out of its document; what its kind does not know is passed by.

    A newer release may therefore add a field that older ones may do without, no other: one that
    they must not pass by needs a name of its own for the whole record.

    Args:
        kind: a dataclass; fields added after the first release have defaults.
        document: its fields, JSON as kept.
        given: fields that are not taken from the document as they are.
    """
    made: Any = kind
    names = _names(made)
    return kind(**{name: value for name, value in document.items() if name in names} | given)


@cache
def _names(kind: Any) -> frozenset[str]:
    return frozenset(field.name for field in fields(kind))
