"""How many connections each process has, in memory that all of them see: who takes the next one.

Each process writes two numbers of its own and reads those of the others, so nothing is locked: how
many connections it has, and when it last looked. One that has not looked for a while hangs or is
gone, and nobody leaves a connection to it.
"""

import mmap
import os
import tempfile
from collections.abc import Iterable
from typing import Final

SEATS: Final = 256  # processes that can share, those that are about to end included
HERE: Final = SEATS - 2  # of the server, where it serves itself
NOWHERE: Final = SEATS - 1  # of a process that serves nobody
FRESH: Final = 0.5  # seconds since its last look in which a process counts as awake
LEARN: Final = 0.1  # seconds until a process that came new is heard of
AHEAD: Final = 2  # connections more than another has, with which a process lets that one go first
AHEAD_PART: Final = 16  # where many are open, a sixteenth of them
_ENTRY: Final = 8  # bytes


class Table:
    """The memory itself.

    Args:
        number: the open file of a table that another process made; a new one unless given.

    Raises:
        OSError: no memory, or no file of that number.
    """

    def __init__(self, number: int | None = None) -> None:
        size = 2 * SEATS * _ENTRY
        self.number: Final = _made(size) if number is None else number
        numbers = memoryview(mmap.mmap(self.number, size)).cast("q")
        self._counts = numbers[:SEATS]
        self._looks = numbers[SEATS:]  # in milliseconds; 0: takes no connections

    def share(self, seat: int) -> "Share":
        """Return what one process writes and asks."""
        return Share(self._counts, self._looks, seat)

    def looked(self, seat: int) -> float:
        """Return when a process last looked, in seconds of the loops' clock; 0: it takes none."""
        return self._looks[seat] / 1000


class Share:
    """One process' part; made by a `Table`."""

    def __init__(self, counts: memoryview, looks: memoryview, seat: int) -> None:
        self._counts = counts
        self._looks = looks
        self._seat = seat
        self._known: list[int] = []  # the seats of those that take connections
        self._known_at = 0.0

    def tell(self, count: int, now: float) -> None:
        """Write how many connections this process has.

        Args:
            count: of them.
            now: seconds of the loop's clock, which all processes of a machine share.
        """
        self._counts[self._seat] = count
        self._looks[self._seat] = int(now * 1000)

    def leave(self) -> None:
        """Say that this process takes no more; nobody waits for it."""
        self._looks[self._seat] = 0

    def others_first(self, now: float) -> bool:
        """Return whether another process that is awake has so few that the next is its own."""
        if not 0 <= now - self._known_at < LEARN:
            looks: list[int] = self._looks.tolist()
            self._known = [seat for seat, look in enumerate(looks) if look]
            self._known_at = now
        awake = int((now - FRESH) * 1000)
        counts: Iterable[int] = (
            self._counts[seat] for seat in self._known if self._looks[seat] > awake
        )
        fewest = min(counts, default=0)
        return self._counts[self._seat] >= fewest + max(AHEAD, fewest // AHEAD_PART)


def _made(size: int) -> int:
    if hasattr(os, "memfd_create"):
        number = os.memfd_create("token-broker")
    else:  # not on Linux
        with tempfile.TemporaryFile() as file:
            number = os.dup(file.fileno())
    os.truncate(number, size)
    return number
