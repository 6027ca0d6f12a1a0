"""Moments as the console says them."""

from datetime import UTC, datetime
from typing import Final

_UNITS: Final = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


def stamp(at: float | None) -> str:
    """Return a moment in UTC, to the minute; empty for None."""
    return "" if not at else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


def ago(at: float | None, now: float) -> str:
    """Return a moment as people say it: ``in 3 d``, ``5 min ago``; empty for None."""
    if not at:
        return ""
    away = abs(at - now)
    said = next((f"{away / size:.0f} {unit}" for unit, size in _UNITS if away >= size), "")
    if not said:
        return "now"
    return f"in {said}" if at > now else f"{said} ago"
