"""Gates: how many calls go through in a window of time, and when nothing goes through at all.

``broker/stores/redis/lua/shared/gates.lua`` does the same for all processes; one suite of tests
holds both to it. Times are seconds of any one clock.
"""

from dataclasses import dataclass
from typing import Final

PROBES: Final = 4  # calls at once while it is not known whether there is a limit
POLL: Final = 0.1  # seconds after which to look whether one of them was answered
EDGE: Final = 0.1  # seconds before a window's end in which a call could still fall into the next
SLOWER: Final = 0.75  # of the pace that was too fast
FASTER: Final = 0.02  # by how much a pace that we chose ourselves grows in a second
FIRST: Final = 20.0  # calls a second; who sends fewer is first slowed down to that
SLOWEST: Final = 10.0  # seconds between two calls
FREE: Final = 0.004  # seconds; a faster pace is none
LONGEST: Final = 600.0  # seconds; a wait that was not named doubles up to this


@dataclass(slots=True)
class Gate:
    """One gate.

    Attributes:
        until: nothing passes before this.
        limit: calls in a window; 0 where no limit is known.
        length: seconds of a window.
        ends: when the present window ends.
        window: the number of the present window.
        taken: places given in this window and, beyond the limit, in those after it.
        learned: whether limit and length are our own guess, after too many calls.
        strikes: how often in a row it was too many.
        known: whether any call was answered.
        probes: calls under way while none was.
        second, sent, before: calls sent in this second and in the one before.
        seen: when it was last looked at.
    """

    until: float = 0.0
    limit: int = 0
    length: float = 0.0
    ends: float = 0.0
    window: int = 0
    taken: int = 0
    learned: bool = False
    strikes: int = 0
    known: bool = False
    probes: int = 0
    second: int = 0
    sent: int = 0
    before: int = 0
    seen: float = 0.0

    def roll(self, now: float) -> None:
        """Let time pass."""
        if self.learned:
            self.length /= 1 + FASTER * max(now - self.seen, 0)
            if self.length < FREE:
                self.limit, self.learned, self.taken = 0, False, 0
        if self.limit and now >= self.ends:
            windows = int((now - self.ends) / self.length) + 1
            self.taken = max(self.taken - windows * self.limit, 0)
            self.ends += windows * self.length
            self.window += windows
        self.seen = now

    @property
    def holds_back(self) -> bool:
        """Whether enough calls are under way of which it is not known what they meet."""
        return not self.known and self.probes >= PROBES

    def take(self, now: float, patience: float, weight: int = 1) -> tuple[float, int]:
        """Return when a call may pass, and the window that its place is in.

        It takes its places unless that is beyond its patience.

        Args:
            now: the time.
            patience: seconds that it can wait.
            weight: how many places; 0 where they were taken before.
        """
        at, ahead = max(now, self.until), 0
        if self.limit and weight:
            if self.taken == 0:
                self.ends = now + self.length  # a window opens with its first call
            elif self.taken < self.limit and self.ends - now < self._edge:
                self.taken = self.limit
            ahead = self.taken // self.limit
            at = max(at, self._begins(now, ahead))
            if at - now <= patience:
                self.taken += weight
        return at, self.window + ahead

    def holds(self, now: float, window: int) -> float | None:
        """Return when a place that was taken is there, or None where a new one has to be taken.

        So it is where nothing passes for a while, or where its window is over or nearly so: the
        call would be counted in the next one, whose places are others'.
        """
        ahead = window - self.window
        if self.limit and 0 < ahead <= self.taken // self.limit:
            return max(now, self.until, self._begins(now, ahead))
        missed = bool(window and self.limit) and not self.learned
        if missed and ahead == 0:
            missed = self.ends - now < self._edge
        return None if missed or self.until > now else now

    @property
    def _edge(self) -> float:
        return min(EDGE, self.length / 10)

    def _begins(self, now: float, ahead: int) -> float:
        """Return when the window begins that is so many ahead."""
        return now if ahead == 0 else self.ends + (ahead - 1) * self.length

    def count(self, now: float) -> None:
        """Count a call that is sent."""
        second = int(now)
        if second != self.second:
            self.before = self.sent if second == self.second + 1 else 0
            self.second, self.sent = second, 0
        self.sent += 1

    def told(self, now: float, limit: int, left: int, reset: float) -> None:
        """Take in what an answer says of the window."""
        if limit < 1 or reset < EDGE:
            return
        used, ends = max(limit - left, 0), now + reset
        told_before = self.limit > 0 and not self.learned
        ahead = max(self.taken - self.limit, 0) if self.limit else 0
        if ahead:
            used = limit + ahead  # others have places in later windows: nobody goes before them
        elif told_before and ends < self.ends + max(EDGE, self.length / 2):
            # The same window, though a slow answer names its end late: some calls that we know of
            # had not arrived when it was given.
            used = max(used, self.taken)
        # What is left of a window when it is first seen may be less than a whole one.
        whole = self.length if told_before and limit == self.limit else 0.0
        self.limit, self.length, self.taken = limit, max(reset, whole), used
        self.ends, self.learned = ends, False

    def stop(self, now: float, wait: float, *, guessed: bool, limited: bool) -> None:
        """Let nothing pass for a while, and not too much afterwards."""
        first = self.until <= now
        if guessed and first:
            wait = min(wait * 2**self.strikes, LONGEST)
        if first and limited:
            self.strikes += 1
            if self.learned or not self.limit:
                self._learn(now)
        self.until = max(self.until, now + wait)
        if self.limit:
            self.ends, self.taken = max(self.ends, self.until), max(self.taken, self.limit)

    def _learn(self, now: float) -> None:
        """Choose a pace below the one that was too fast."""
        sent, before = self.sent, self.before
        if int(now) != self.second:
            sent, before = 0, sent if int(now) == self.second + 1 else 0
        pace = sent + before * (1 - now % 1)
        slower = self.length / SLOWER if self.learned else 0.0
        self.length = min(max(1 / (SLOWER * max(pace, FIRST)), slower), SLOWEST)
        self.limit, self.learned, self.taken = 1, True, max(self.taken, 1)
