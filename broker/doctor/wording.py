"""Lengths of time and moments, as people say them."""

from datetime import UTC, datetime


def span(seconds: float) -> str:
    """Return a length of time: ``10 min``, ``1 h 30 min``, ``61 d``."""
    if seconds < 0:
        return f"-{span(-seconds)}"
    whole = round(seconds)
    days, hours, minutes, left = (
        whole // 86400,
        whole % 86400 // 3600,
        whole % 3600 // 60,
        whole % 60,
    )
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (left, "s")]
    told = [f"{number} {unit}" for number, unit in parts if number]
    return " ".join(told[:2]) or "0 s"


def at(moment: float) -> str:
    """Return a moment's time of day in UTC."""
    return datetime.fromtimestamp(moment, UTC).strftime("%H:%M:%SZ")
