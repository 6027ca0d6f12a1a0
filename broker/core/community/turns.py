"""Whose turn it is to read somebody's communities anew: of all processes one asks upstream."""

from dataclasses import dataclass
from typing import Protocol

from broker.core.model import Facts


@dataclass(frozen=True, slots=True)
class Turn:
    """What came of asking for a turn.

    Attributes:
        mine: whether it is the caller's until ``ends_at``.
        resting: whether it is nobody's until then, since upstream did not answer; else, where it is
            not the caller's, it is another's.
        ends_at: UTC seconds.
        known: the account's facts as they are now, where the turn is the caller's and Redis has
            them: somebody may have read them while the caller waited.
    """

    mine: bool
    resting: bool
    ends_at: float
    known: Facts | None = None


class Turns(Protocol):
    """Turns at reading, one an account (Redis)."""

    async def take(self, account_id: str, holder: str, *, now: float, seconds: float) -> Turn:
        """Take the turn for so many seconds, unless it is another's or nobody's for now.

        Args:
            account_id: whose communities are to be read.
            holder: unique; whoever has the turn names it to give it back.
            now: UTC seconds.
            seconds: after which it ends by itself, should the holder die.
        """
        ...

    async def give_back(
        self, account_id: str, holder: str, *, now: float, rest: float = 0.0
    ) -> None:
        """End a turn; nothing happens if it ended by itself and is another's by now.

        Args:
            account_id: whose.
            holder: as it was taken.
            now: UTC seconds.
            rest: for so many seconds it is nobody's, since upstream did not answer; 0 for none.
        """
        ...
