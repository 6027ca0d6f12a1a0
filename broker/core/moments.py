"""Moments as operators read them."""

from datetime import UTC, datetime
from typing import Final, overload

DAY: Final = 86400


@overload
def stamp(seconds: float) -> str: ...


@overload
def stamp(seconds: None) -> None: ...


def stamp(seconds: float | None) -> str | None:
    """Return a moment as ISO 8601 in UTC, or None."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def when(seconds: float | None, now: float) -> str:
    """Return a moment as people say it: ``in 3 d``, ``5 min ago``; empty for None."""
    if seconds is None:
        return ""
    away = seconds - now
    if abs(away) < 1:
        return "now"
    size = _size(abs(away))
    return f"in {size}" if away > 0 else f"{size} ago"


def _size(seconds: float) -> str:
    for unit, length in (("d", DAY), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
