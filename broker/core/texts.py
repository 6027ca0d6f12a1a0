"""Texts for people, that can be said in other languages too.

Each is a string, in English; so whatever reads strings (a log, an answer to a program) reads
English. It also knows what it was made of, and from that ``broker.web.languages`` says it anew by
a catalogue. The first argument of ``Text``, and the first two of ``Counted``, stand in the
catalogues: they have to be literal.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from math import ceil
from typing import Final, Literal, Self

_LATEST: Final = datetime.max.replace(tzinfo=UTC, microsecond=0).timestamp()


class Text(str):
    """A text.

    Args:
        message: in English, with ``%(name)s`` where a part stands.
        parts: the parts: names, which stay as they are, and texts of this module. Those that are
            not known yet are filled in later by ``having``.
    """

    __slots__ = ("message", "parts")

    message: str
    parts: dict[str, str | int]

    def __new__(cls, message: str, /, **parts: str | int) -> Self:
        """Make a text."""
        made = super().__new__(cls, message % parts if parts else message)
        made.message, made.parts = message, parts
        return made

    def having(self, **parts: str | int) -> "Text":
        """Return the same text with other parts in place of these."""
        return Text(self.message, **self.parts | parts)


class Counted(Text):
    """A text that depends on a number, which is its part ``count``.

    Args:
        one: in English, where the number is one.
        many: in English, where it is another.
        count: the number.
        parts: as those of ``Text``.
    """

    __slots__ = ("many", "number")

    many: str
    number: int

    def __new__(cls, one: str, many: str, /, count: int, **parts: str | int) -> Self:
        """Make a text."""
        everything = {"count": count} | parts
        made = str.__new__(cls, (one if count == 1 else many) % everything)
        made.message, made.many, made.number, made.parts = one, many, count, everything
        return made


class Listed(str):
    """Names as one speaks a list: ``Discord, GitHub or Google``.

    Args:
        names: the names; texts among them are said too.
        last: what stands before the last of them, ``and`` or ``or``.
    """

    __slots__ = ("last", "names")

    names: tuple[str, ...]
    last: str

    def __new__(cls, names: Sequence[str], last: str) -> Self:
        """Make a list."""
        spoken = "".join(names)
        if len(names) > 1:
            spoken = f"{', '.join(names[:-1])} {last} {names[-1]}"
        made = super().__new__(cls, spoken)
        made.names, made.last = tuple(names), last
        return made


class Moment(str):
    """A moment (UTC seconds), to the minute after which it has come."""

    __slots__ = ("then",)

    then: datetime

    def __new__(cls, at: float) -> Self:
        """Make a moment."""
        then = datetime.fromtimestamp(min(ceil(at / 60) * 60, _LATEST), UTC)
        made = super().__new__(cls, f"{then.day} {then:%B %Y, %H:%M} UTC")
        made.then = then
        return made


class Wait(str):
    """How long to wait (seconds), as people say it; minutes from two on, rounded up."""

    __slots__ = ("number", "unit")

    number: int
    unit: str

    def __new__(cls, seconds: int, *, minutes: bool = False) -> Self:
        """Make a length of time; with ``minutes`` it is never told in seconds."""
        in_minutes = minutes or seconds >= 120
        count = max(1, -(-seconds // 60) if in_minutes else seconds)
        unit = "minute" if in_minutes else "second"
        made = super().__new__(cls, f"a {unit}" if count == 1 else f"{count} {unit}s")
        made.number, made.unit = count, unit
        return made


class Day(str):
    """The day of a moment (UTC seconds), in UTC: ``12 December 2026``."""

    __slots__ = ("then",)

    then: datetime

    def __new__(cls, at: float) -> Self:
        """Make a day."""
        then = datetime.fromtimestamp(at, UTC)
        made = super().__new__(cls, f"{then.day} {then:%B %Y}")
        made.then = then
        return made


class Ago(str):
    """How long ago something was: ``5 minutes ago``.

    Args:
        count: of how many units.
        unit: ``minute``, ``hour`` or ``day``.
    """

    __slots__ = ("number", "unit")

    number: int
    unit: Literal["minute", "hour", "day"]

    def __new__(cls, count: int, unit: Literal["minute", "hour", "day"]) -> Self:
        """Make it."""
        made = super().__new__(cls, f"1 {unit} ago" if count == 1 else f"{count} {unit}s ago")
        made.number, made.unit = count, unit
        return made
