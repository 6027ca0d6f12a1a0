"""Moments as people say them."""

from typing import Final

from broker.core.texts import Ago, Day, Text

MINUTE: Final = 60
HOUR: Final = 3600
DAY: Final = 86400
MONTH: Final = 30 * DAY


def ago(moment: float, now: float) -> str:
    """Return how long ago a moment was: ``5 minutes ago``; after a month, its date."""
    age = now - moment
    if age < MINUTE:
        return Text("just now")
    if age < HOUR:
        return Ago(int(age // MINUTE), "minute")
    if age < DAY:
        return Ago(int(age // HOUR), "hour")
    return Ago(int(age // DAY), "day") if age < MONTH else Day(moment)
