"""Time that never runs backwards, over a clock that may."""

from collections.abc import Callable


class SteadyClock:
    """Meets a clock that steps back with the latest time seen, and still counts what passes.

    Args:
        clock: Returns the time in UTC epoch seconds.

    Attributes:
        now: The latest time seen, in epoch seconds.
        elapsed: How much time has passed since the start, in seconds; it goes on counting while
            a clock that was set back catches up.
    """

    __slots__ = ("_clock", "_last", "elapsed", "now")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last = self.now = clock()
        self.elapsed = 0.0

    def tick(self) -> float:
        """Read the clock, and return the time in epoch seconds."""
        read = self._clock()
        if read > self._last:
            self.elapsed += read - self._last
            self.now = max(self.now, read)
        self._last = read
        return self.now
