"""Moments as people say them."""

from datetime import UTC, datetime
from typing import Final

MINUTE: Final = 60
HOUR: Final = 3600
DAY: Final = 86400
MONTH: Final = 30 * DAY


def ago(moment: float, now: float) -> str:
    """Return how long ago a moment was: ``5 minutes ago``; after a month, its date."""
    age = now - moment
    if age < MINUTE:
        return "just now"
    if age < HOUR:
        return _counted(int(age // MINUTE), "minute")
    if age < DAY:
        return _counted(int(age // HOUR), "hour")
    return _counted(int(age // DAY), "day") if age < MONTH else date(moment)


def date(moment: float) -> str:
    """Return the day of a moment (UTC seconds), in UTC: ``12 December 2026``."""
    then = datetime.fromtimestamp(moment, UTC)
    return f"{then.day} {then:%B %Y}"


def _counted(count: int, unit: str) -> str:
    return f"1 {unit} ago" if count == 1 else f"{count} {unit}s ago"
