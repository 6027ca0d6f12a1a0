"""HTTP caching as caches understand it (RFC 9111): what an answer says of its own freshness."""

import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final

from broker.doctor.model import Answer

LONGEST: Final = 2.0**31  # what caches count to at the most (RFC 9111 §1.2.2)
_DIRECTIVE: Final = re.compile(r'([!#$%&\'*+.^_`|~\w-]+)\s*(?:=\s*(?:"([^"]*)"|([^\s,"]*)))?')


@dataclass(frozen=True, slots=True)
class Control:
    """A Cache-Control header, read.

    Attributes:
        pairs: directives in lower case and their values ("" where they have none), as written.
    """

    pairs: tuple[tuple[str, str], ...]

    def __contains__(self, name: str) -> bool:
        return any(name == key for key, _ in self.pairs)

    @property
    def names(self) -> frozenset[str]:
        """The directives that are there."""
        return frozenset(name for name, _ in self.pairs)

    def seconds(self, name: str) -> float | None:
        """Return the first valid value of a directive in seconds, or None."""
        for key, value in self.pairs:
            if key == name and value.isascii() and value.isdigit():
                return min(float(value), LONGEST)
        return None

    @property
    def contradicts(self) -> bool:
        """Whether a directive is there with different values, or two exclude each other."""
        told: dict[str, str] = {}
        if any(told.setdefault(name, value) != value for name, value in self.pairs):
            return True
        return {"public", "private"} <= self.names or (
            "no-store" in self and bool(self.seconds("max-age"))
        )


def control_of(answer: Answer) -> Control | None:
    """Return the Cache-Control header, or None where there is none."""
    text = answer.header("cache-control")
    if text is None:
        return None
    found = _DIRECTIVE.findall(text)
    return Control(tuple((name.lower(), inner or plain) for name, inner, plain in found))


def lifetime(answer: Answer) -> float | None:
    """Return for how many seconds a verifier may keep an answer from when it was made.

    None where it does not say (RFC 9111 §4.2.1, as a cache that is not shared).
    """
    control = control_of(answer)
    if control is not None:
        if "no-store" in control or "no-cache" in control:
            return 0.0
        told = control.seconds("max-age")
        if told is not None:
            return told
    return expires_after(answer)


def expires_after(answer: Answer) -> float | None:
    """Return Expires less Date in seconds, not below 0; None without a usable Expires."""
    text = answer.header("expires")
    if text is None:
        return None
    ends, made = moment(text), moment(answer.header("date") or "")
    if ends is None:
        return 0.0  # such as "0": already over (RFC 9111 §5.3)
    return max(0.0, ends - (answer.at if made is None else made))


def age(answer: Answer) -> float | None:
    """Return the seconds an answer has lain in shared caches (RFC 9111 §5.1), None untold."""
    text = (answer.header("age") or "").split(",")[0].strip()
    return min(float(text), LONGEST) if text.isascii() and text.isdigit() else None


def moment(text: str) -> float | None:
    """Return an HTTP date (RFC 9110 §5.6.7) in epoch seconds, or None where it is none."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
