"""The machine's clock and its randomness: the one place that reads them."""

import os
import time

# Time that steps back by more than this is believed: it is the clock that was wrong before.
_BELIEVED_STEP = 3600.0


class SystemClock:
    """The machine's time, which does not run backwards while the process lives.

    A step back is met with the latest time seen, so that nothing expired comes back to life. A
    step of more than an hour is the repair of a clock that was wrong, and is followed.
    """

    def __init__(self) -> None:
        self._latest = 0.0

    def now(self) -> float:
        """Return UTC seconds since the epoch."""
        read = time.time()
        if read < self._latest < read + _BELIEVED_STEP:
            return self._latest
        self._latest = read
        return read


class Moments:
    """Writes moments for the log; what is the same for a second is written once."""

    def __init__(self) -> None:
        self._second = -1
        self._text = ""

    def now(self) -> str:
        """Return this moment in UTC as ISO 8601 has it, with microseconds."""
        second, part = divmod(time.time_ns(), 10**9)
        if second != self._second:
            self._text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
            self._second = second
        return f"{self._text}.{part // 1000:06d}Z"


class SystemEntropy:
    """The operating system's randomness."""

    def token(self, size: int) -> bytes:
        """Return ``size`` unpredictable bytes."""
        return os.urandom(size)
