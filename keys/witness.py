"""A second channel for what a process must not miss while its key store is out of reach.

Operations announce a mark there before they commit: the `kid` of a key that is revoked, or
`kid@instant` of a key that is to sign earlier than was planned. So a revocation whose announcer
died before the commit holds for processes that cannot reach the store, until they can.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from keys import policy as rules
from keys.model import KeyRecord
from keys.policy import Policy


class RevocationWitness(Protocol):
    """Remembers every announced mark for `Policy.hint_retention` or longer."""

    async def revoked_kids(self) -> frozenset[str]:
        """Return every mark announced, as it was announced.

        Raises:
            KeyStoreUnavailable: It cannot be reached, or may have forgotten.
        """
        ...


@dataclass(frozen=True, slots=True)
class Word:
    """What the witness's marks mean to a snapshot.

    Attributes:
        revoked: The keys of the snapshot that were revoked since.
        current: Whether the snapshot, with those revoked, may still be signed with.
    """

    revoked: frozenset[str]
    current: bool


def early_mark(record: KeyRecord) -> str:
    """Return the mark of a key that is to sign earlier than was planned."""
    return f"{record.kid}@{record.signs_from!r}"


def judge(
    records: tuple[KeyRecord, ...],
    marks: Iterable[str],
    now: float,
    read_at: float,
    policy: Policy,
) -> Word:
    """Weigh a snapshot against the marks.

    Args:
        records: The keys of the snapshot.
        marks: What the witness remembers.
        now: The moment, in epoch seconds.
        read_at: When the snapshot was read.
        policy: The times that are kept.
    """
    names = frozenset(marks)
    revoked = frozenset(r.kid for r in records if r.kid in names and r.revoked_at is None)
    planned = {record.kid: record.signs_from for record in records}
    outdated = any(_contradicts(mark, planned, read_at, policy) for mark in names if "@" in mark)
    return Word(revoked, current=not outdated and not _ran_out(records, revoked, now, policy))


def _contradicts(mark: str, planned: dict[str, float], read_at: float, policy: Policy) -> bool:
    """Tell whether a key signs earlier than the snapshot plans, or is one it does not know."""
    kid, _, instant = mark.rpartition("@")
    try:
        moved_to = float(instant)
    except ValueError:
        return False
    if kid in planned:
        return moved_to < planned[kid]
    return moved_to >= read_at - policy.skew


def _ran_out(
    records: tuple[KeyRecord, ...], revoked: frozenset[str], now: float, policy: Policy
) -> bool:
    """Tell whether a key that the snapshot does not know of may have taken over.

    Where the snapshot has no successor, others may have made one that signs once the period ends.
    """
    left = tuple(r for r in records if r.kid not in revoked)
    for alg in {record.alg for record in records}:
        signs = rules.current(left, alg, now)
        if signs is None or rules.successor(left, alg, now) is not None:
            continue
        if signs.signs_from + policy.period <= now + policy.grace:
            return True
    return False
