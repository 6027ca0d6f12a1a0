"""What will happen to the keys, and when: maintenance played through on a time that is not real.

Pure, like `keys.policy`. It supposes that some process does what is due when it is due, and that
no operator changes anything meanwhile. Keys that have yet to be made bear names such as
`new key 1`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from keys import policy as rules
from keys.due import Due, due_for
from keys.lives import Bar, bars_of
from keys.model import Delete, KeyRecord, Replace
from keys.policy import Policy
from keys.risks import NOTHING_KNOWN, Risk, Seals, find
from keys.steps import Step, steps_between
from keys.upkeep import record_of
from keys.vault import NewKey

MOST_STEPS: Final = 500
"""A plan ends after so many steps, however far it was to reach."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What will happen.

    Attributes:
        at: The moment it was made, in epoch seconds.
        until: The moment it reaches to.
        whole: Whether it reaches as far as was asked for; else it has `MOST_STEPS` steps.
        steps: What happens, in order.
        bars: Every key that the outside can meet in that time.
        risks: What is at risk at the moment it was made.
    """

    at: float
    until: float
    whole: bool
    steps: tuple[Step, ...]
    bars: tuple[Bar, ...]
    risks: tuple[Risk, ...]


def plan(
    records: Iterable[KeyRecord],
    algorithms: Sequence[str],
    now: float,
    policy: Policy,
    horizon: float,
    *,
    seals: Seals = NOTHING_KNOWN,
) -> Plan:
    """Foretell what happens to the keys.

    Args:
        records: Every stored key.
        algorithms: The algorithms that are on.
        now: The moment, in epoch seconds.
        policy: The times to keep.
        horizon: How far to look, in seconds.
        seals: What is known of how the private halves are sealed.
    """
    stored = tuple(records)
    future = _Future(stored, tuple(algorithms), now, policy)
    until = now + horizon
    while len(future.steps) < MOST_STEPS and future.advance(until):
        pass
    whole = len(future.steps) < MOST_STEPS
    return Plan(
        at=now,
        until=until if whole else future.moment,
        whole=whole,
        steps=tuple(future.steps),
        bars=bars_of(tuple(future.ever.values()), now, until, policy),
        risks=find(stored, algorithms, now, policy, seals),
    )


class _Future:
    """The keys as they will be, moved on from one instant at which something happens to the next.

    Args:
        records: Every stored key.
        algorithms: The algorithms that are on.
        now: The moment to begin at, in epoch seconds.
        policy: The times to keep.
    """

    def __init__(
        self,
        records: tuple[KeyRecord, ...],
        algorithms: tuple[str, ...],
        now: float,
        policy: Policy,
    ) -> None:
        self._algorithms = algorithms
        self._policy = policy
        self._made = 0
        self.moment = now
        self.records = records
        self.ever = {record.kid: record for record in records}
        self.steps: list[Step] = []
        self._move_to(now)

    def advance(self, until: float) -> bool:
        """Go to the next instant at which something happens; tell whether there is one in time."""
        instants = (
            instant
            for record in self.records
            for instant in _instants(record, self.records, self._policy)
            if instant is not None and self.moment < instant <= until
        )
        following = min(instants, default=None)
        if following is None:
            return False
        self._move_to(following)
        return True

    def _move_to(self, moment: float) -> None:
        before, self.records = self.records, self._maintained(moment)
        self.steps += steps_between(before, self.records, self.moment, moment, self._policy)
        self.moment = moment

    def _maintained(self, moment: float) -> tuple[KeyRecord, ...]:
        records = self.records
        while todo := due_for(records, self._algorithms, moment, self._policy):
            records = self._after(records, todo)
            self.ever.update((record.kid, record) for record in records)
        return records

    def _after(self, records: tuple[KeyRecord, ...], todo: Due) -> tuple[KeyRecord, ...]:
        held = {record.kid: record for record in records}
        for change in todo.changes:
            if isinstance(change, Delete):
                del held[change.expected.kid]
            elif isinstance(change, Replace):
                held[change.record.kid] = change.record
        previous = ""
        for slot in todo.slots:
            self._made += 1
            name = f"new key {self._made}"
            follows = previous if slot.predecessor is None else slot.predecessor
            held[name] = record_of(slot, follows, NewKey(name, {}, b""))
            previous = name
        return tuple(held.values())


def _instants(
    record: KeyRecord, records: tuple[KeyRecord, ...], policy: Policy
) -> tuple[float | None, ...]:
    """Return the instants at which something about a key may change."""
    end = record.verifies_until or rules.retired_at(record, records)
    kept = max(policy.hint_retention, policy.overlap)
    return (
        record.ready_at,
        record.signs_from,
        rules.leaves_at(record, records, policy),
        None if end is None else end + policy.grace + policy.skew,
        None if end is None else end + kept,
        None if record.revoked_at is None else record.revoked_at + kept,
    )
