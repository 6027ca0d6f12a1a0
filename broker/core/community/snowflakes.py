"""Discord's identifiers: 64-bit integers, written as decimal text (API v10, "Snowflakes")."""

import re
from typing import Final, TypeGuard

EPOCH: Final = 1_420_070_400  # the first second of 2015, from which their time counts
_FORM: Final = re.compile(r"[1-9][0-9]{0,19}", re.ASCII)


def is_snowflake(value: object) -> TypeGuard[str]:
    """Whether this is the text of an identifier, in the one way in which Discord writes it."""
    return isinstance(value, str) and bool(_FORM.fullmatch(value)) and int(value) < 2**64


def made_at(snowflake: str) -> float:
    """Return when the thing with this identifier was made, in UTC seconds."""
    return EPOCH + (int(snowflake) >> 22) / 1000
