"""Moments as they are typed: days, moments, and how long ago."""

from typing import Final

from broker.cli.running import Exit, Failure

MOMENT: Final = (
    "a day such as 2026-01-31 (UTC), a moment such as 2026-01-31T12:00:00Z, or 7d for ago"
)


def moment(option: str, text: str | None, now: float) -> float | None:
    """Return the UTC seconds that a text means; None for None.

    Raises:
        Failure: it is neither a day, nor a moment, nor a length of time.
    """
    from datetime import UTC, datetime

    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return now - duration(option, text)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def duration(option: str, text: str) -> float:
    """Return the seconds that a length of time means.

    Raises:
        Failure: it is none.
    """
    from broker.core import durations

    try:
        return float(durations.parse(text))
    except (ValueError, OverflowError) as error:
        raise Failure(Exit.USAGE, f"{option}: {error}") from None
