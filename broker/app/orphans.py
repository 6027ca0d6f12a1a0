"""Ended processes that nobody else takes note of.

A process whose parent ends becomes a child of the container's first process, or of the nearest one
that adopts. Where that is the server, it has to take note of their ends, or each keeps its number
for ever. What the server started itself is taken note of by whoever started it, within moments: so
one that has been without notice between two looks is nobody's.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

EVERY: Final = 10.0  # seconds between two looks
TASKS: Final = Path("/proc/self/task")


class Orphans:
    """Takes note of them."""

    def __init__(self) -> None:
        self._looked_at = 0.0
        self._ended: set[int] = set()

    def look(self, now: float) -> None:
        """Take note of those that were there at the last look already.

        Args:
            now: seconds of the loop's clock.
        """
        if now - self._looked_at < EVERY:
            return
        self._looked_at = now
        ended = {child for child in _children() if _has_ended(child)}
        for child in ended & self._ended:
            with suppress(ChildProcessError):
                os.waitpid(child, os.WNOHANG)
        self._ended = ended


def _children() -> Iterator[int]:
    """Yield the numbers of this process' children; none where the system does not tell."""
    with suppress(OSError):
        for task in TASKS.iterdir():
            with suppress(OSError):  # a thread that has ended
                yield from map(int, (task / "children").read_text().split())


def _has_ended(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return False
