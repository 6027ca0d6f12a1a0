"""When what died or did not start is started again, and whether anybody serves meanwhile."""

from typing import Final

from broker.log import structlog

FIRST: Final = 0.1  # seconds
LONGEST: Final = 10.0
STEADY: Final = 10.0  # seconds after which a process counts as having lived well
TELL: Final = 10.0  # seconds between two words about that nobody serves

_log = structlog.get_logger("broker.server")


class Pauses:
    """Twice as long a pause each time, until something lives for a while."""

    def __init__(self) -> None:
        self._next = FIRST
        self._until = 0.0

    def over(self, now: float) -> bool:
        """Return whether something may be started.

        Args:
            now: seconds of the loop's clock.
        """
        return now >= self._until

    def after(self, lived: float, now: float) -> float:
        """Return in how many seconds something takes the place of what has ended.

        Several that end at once make one pause.

        Args:
            lived: seconds that it did; 0 where it did not start.
            now: seconds of the loop's clock.
        """
        if lived >= STEADY:
            self.forget()
        elif self.over(now):
            self._until = now + self._next
            self._next = min(2 * self._next, LONGEST)
        return max(0.0, self._until - now)

    def forget(self) -> None:
        """Start at once, and begin with short pauses again: all is well, or was changed."""
        self._next, self._until = FIRST, 0.0


class Watch:
    """Says again and again that nobody serves, where that is so."""

    def __init__(self) -> None:
        self._nobody_since: float | None = None
        self._told_at = 0.0

    def look(self, now: float, *, serves: bool) -> None:
        """Say what is to be said.

        Args:
            now: seconds of the loop's clock.
            serves: whether anybody does.
        """
        if serves:
            if self._nobody_since is not None:
                _log.warning("server.serves_again", after=round(now - self._nobody_since, 1))
            self._nobody_since = None
            return
        if self._nobody_since is None:
            self._nobody_since = now
        elif now - self._told_at < TELL:
            return
        self._told_at = now
        _log.error("server.serves_nobody", since=round(now - self._nobody_since, 1))
