"""How those who are told things behave: what is known of them in this process alone.

A receiver that is slow may hold a few deliveries at a time, one that does not answer is left in
peace for a while, so that neither holds up the deliveries to others.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

AT_ONCE: Final = 4  # deliveries to one receiver
TOLERATED: Final = 3  # failures in a row before it is left in peace
FIRST_PAUSE: Final = 2.0  # seconds
LONGEST_PAUSE: Final = 300.0  # seconds
BUSY: Final = 1.0  # seconds until a receiver that has enough to do is asked again


@dataclass(slots=True)
class _Record:
    under_way: int = 0
    failures: int = 0
    until: float = 0.0
    why: str = ""


class Receivers:
    """Admits deliveries.

    Args:
        now: seconds of a clock that never steps.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._records: dict[str, _Record] = {}

    def admit(self, name: str) -> float:
        """Return 0 and count a delivery as under way, or the seconds until it may be tried."""
        record = self._records.setdefault(name, _Record())
        left = record.until - self._now()
        if left > 0:
            return left
        if record.under_way >= AT_ONCE:
            return BUSY
        record.under_way += 1
        return 0.0

    def why(self, name: str) -> str:
        """Return why a receiver is not asked now: how it failed last, or that it is busy."""
        record = self._records.get(name)
        return record.why if record and record.why else "the receiver is busy"

    def ended(self, name: str, *, failed: str = "") -> None:
        """Count a delivery as over.

        Args:
            name: of the receiver.
            failed: why it did not answer at all; empty where it did.
        """
        record = self._records[name]
        record.under_way -= 1
        record.failures = record.failures + 1 if failed else 0
        record.why = failed
        if record.failures >= TOLERATED:
            pause = FIRST_PAUSE * 2 ** min(record.failures - TOLERATED, 10)
            record.until = self._now() + min(pause, LONGEST_PAUSE)
        if not record.under_way and not record.failures:
            del self._records[name]
