"""A second channel for what a process must not miss while its key store is out of reach.

Operations announce a mark there before they commit: the `kid` of a key that is revoked, or
`kid@instant` of a key that is to sign earlier than was planned. So a revocation whose announcer
died before the commit holds for processes that cannot reach the store, until they can.
"""

from collections.abc import Iterable
from typing import Protocol

from keys import policy as rules
from keys.model import KeyRecord
from keys.policy import Policy
from keys.snapshot import Snapshot


class RevocationWitness(Protocol):
    """Remembers every announced mark for `Policy.hint_retention` or longer."""

    async def revoked_kids(self) -> frozenset[str]:
        """Return every mark announced, as it was announced.

        Raises:
            KeyStoreUnavailable: It cannot be reached, or may have forgotten.
        """
        ...


def early_mark(record: KeyRecord) -> str:
    """Return the mark of a key that is to sign earlier than was planned."""
    return f"{record.kid}@{record.signs_from!r}"


def announced(records: Iterable[KeyRecord], marks: Iterable[str]) -> frozenset[str]:
    """Return the keys of a reading that were announced to be revoked since.

    Args:
        records: The keys as they were read.
        marks: What the witness remembers.
    """
    names = frozenset(marks)
    return frozenset(r.kid for r in records if r.kid in names and r.revoked_at is None)


def is_current(
    held: Snapshot, marks: Iterable[str], now: float, read_at: float, policy: Policy
) -> bool:
    """Tell whether the keys of a reading, with those announced as revoked, may be signed with.

    Args:
        held: The keys, with what was announced since.
        marks: What the witness remembers.
        now: The moment, in epoch seconds.
        read_at: When they were read.
        policy: The times that are kept.
    """
    planned = {record.kid: record.signs_from for record in held.as_read}
    if any(_contradicts(mark, planned, read_at, policy) for mark in marks if "@" in mark):
        return False
    horizon = now + policy.grace
    for alg in {record.alg for record in held.as_read}:
        signs = rules.current(held.records, alg, now)
        if signs is None:
            continue
        if _ran_out(signs, held, horizon, policy) or _overtaken(signs, held, horizon):
            return False
    return True


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


def _ran_out(signs: KeyRecord, held: Snapshot, horizon: float, policy: Policy) -> bool:
    """Tell whether a key that the snapshot does not know of may have taken over.

    Where the snapshot has no successor, others may have made one that signs once the period ends.
    """
    follows = rules.waiting(held.records, signs.alg, signs.signs_from)
    return not follows and signs.signs_from + policy.period <= horizon


def _overtaken(signs: KeyRecord, held: Snapshot, horizon: float) -> bool:
    """Tell whether a key after this one may have begun, although its revocation was announced.

    Whoever announced it may have died before the commit; then the others took that key up.
    """
    return any(
        record.kid in held.announced and signs.signs_from < record.signs_from <= horizon
        for record in held.as_read
        if record.alg == signs.alg
    )
