"""The budget of calls to an upstream: whose turn it is, for all processes together.

An upstream bounds how often it is called: by everyone, on a route, with one person's token. Its
answers say how much of that is left, or that it was too much. A call asks for its turn before it
is sent, waits if its turn comes in time, and hands in what its answer said. Whoever calls an
address in spite of refusals is blocked there, so refusals are counted too.

A turn passes three gates: that of its bucket (an upstream's own word for calls that are counted
together, by holder), of its route, and of the whole upstream.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

OURS: Final = "ours"  # the holder of calls that our application makes in its own name
GATES: Final = 3
WINDOW: Final = 600.0  # seconds over which an upstream counts refusals


class Urgency(StrEnum):
    """What a call is for, the most needed first."""

    SIGN_IN = "sign_in"  # a person waits for it
    KEEPING = "keeping"  # keeps what is known fresh
    OFFERED = "offered"  # judges a token that somebody brought along; it may be anything


@dataclass(frozen=True, slots=True)
class Call:
    """A call that is to be made.

    Attributes:
        upstream: its name.
        route: a word of ours for the path, whatever identifiers it holds.
        holder: `OURS`, or a digest of the token that it is made with.
        urgency: what it is for.
        weight: how many calls it begins; 0 where an earlier one was of that weight.
    """

    upstream: str
    route: str
    holder: str
    urgency: Urgency
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Go:
    """When to send a call.

    Attributes:
        wait: seconds; 0 to send it now. After waiting the turn is asked for once more.
        passed: how many gates are behind it then, that of its place among them.
        window: which of the last one's windows its place is in, counted by the gate.
    """

    wait: float
    passed: int
    window: int = 0


BEFORE_ALL: Final = Go(0.0, 0)


class Why(StrEnum):
    """Why a call has no turn."""

    QUEUE = "queue"  # its turn comes too late
    REFUSALS = "refusals"  # there were so many that the address could be blocked
    DEAD = "dead"  # its token was refused a short while ago


@dataclass(frozen=True, slots=True)
class Declined:
    """The call may not be made.

    Attributes:
        why: the reason.
        wait: seconds after which it could be; 0 where that is not so.
    """

    why: Why
    wait: float


class Reach(StrEnum):
    """Whom a limit is for that was exceeded."""

    BUCKET = "bucket"
    ROUTE = "route"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of a call, as far as limits are concerned.

    Attributes:
        answered: whether there was an answer at all.
        bucket: what the upstream calls the bucket, or None.
        limit: how many calls a window of the bucket has; 0 where that was not said.
        left: how many are left in this one.
        reset: seconds until it ends.
        wait: seconds in which nothing may be sent, as far as ``reach`` says; 0 for none.
        reach: for whom ``wait`` is.
        guessed: whether the upstream named no time and ``wait`` is the least that makes sense.
        limited: whether ``wait`` is because of too many calls.
        refusal: whether it counts towards a block of our address.
        dead: whether the holder's token was refused.
    """

    answered: bool
    bucket: str | None = None
    limit: int = 0
    left: int = 0
    reset: float = 0.0
    wait: float = 0.0
    reach: Reach = Reach.BUCKET
    guessed: bool = False
    limited: bool = False
    refusal: bool = False
    dead: bool = False


UNANSWERED: Final = Heard(answered=False)


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many refusals within `WINDOW` are too many for a call of each urgency.

    Discord blocks an address after 10,000 (401, 403 and 429). What strangers bring along must not
    use up what people need who sign in.
    """

    sign_in: int = 5000
    keeping: int = 3000
    offered: int = 1000

    def of(self, urgency: Urgency) -> int:
        """Return at how many a call of this urgency is not made any more."""
        return {
            Urgency.SIGN_IN: self.sign_in,
            Urgency.KEEPING: self.keeping,
            Urgency.OFFERED: self.offered,
        }[urgency]


class Budget(Protocol):
    """Gives turns. It never fails: where what is shared is out of reach, it goes by what it knows.

    Each step is atomic.
    """

    async def may_send(
        self, call: Call, *, patience: float, waited: Go = BEFORE_ALL
    ) -> Go | Declined:
        """Return when a call may be sent.

        Args:
            call: it.
            patience: seconds that it can wait; beyond them it is declined and takes no place.
            waited: the turn for which it has waited. That may be put off: windows end when the
                upstream says so, and not when it was expected.
        """
        ...

    async def heard(self, call: Call, heard: Heard) -> None:
        """Take in what came of a call that was sent."""
        ...
