"""What will happen to the keys, and when: maintenance played through on a time that is not real.

Pure, like `keys.policy`. It supposes that some process does what is due when it is due, and that
no operator changes anything meanwhile. Keys that have yet to be made bear names such as
`new key 1`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from keys import policy as rules
from keys.due import Due, due_for
from keys.model import Delete, KeyRecord, Replace, outsider
from keys.policy import Policy
from keys.risks import NOTHING_KNOWN, Risk, Seals, find
from keys.upkeep import record_of
from keys.vault import NewKey

StepKind = Literal["known", "begins", "published", "hastened", "erased", "leaves", "deleted"]
PhaseKind = Literal["learning", "waiting", "signing", "verifying", "revoked"]

MOST_STEPS: Final = 500
"""A plan ends after so many steps, however far it was to reach."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens to one key.

    Attributes:
        at: When, in epoch seconds.
        kind: `known`: from now on every cache knows it. `begins`: it signs from now on.
            `published`: it was made, and enters the JWKS. `hastened`: it is to sign earlier than
            was planned. `erased`: its private half goes. `leaves`: it leaves the JWKS.
            `deleted`: its record goes.
        alg: Its algorithm.
        kid: The key.
        other: For `begins`: the key it relieves, or None for the first.
    """

    at: float
    kind: StepKind
    alg: str
    kid: str
    other: str | None = None


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of a key's life.

    Attributes:
        kind: `learning`: published, and caches still learn of it. `waiting`: every cache knows
            it. `signing`. `verifying`: it signs no more, or never did. `revoked`: out of use, but
            a cache may go on trusting it.
        start: When it begins, in epoch seconds.
        end: When it ends; None where no end is planned.
    """

    kind: PhaseKind
    start: float
    end: float | None


@dataclass(frozen=True, slots=True)
class Bar:
    """One key through time.

    Attributes:
        kid: The key.
        alg: Its algorithm.
        phases: Its life, in order and without gaps.
    """

    kid: str
    alg: str
    phases: tuple[Phase, ...]


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
        bars=_bars(tuple(future.ever.values()), now, until, policy),
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


# ── what happened between two looks ────────────────────────────────────────────────────────


def steps_between(
    before: Sequence[KeyRecord],
    after: Sequence[KeyRecord],
    then: float,
    now: float,
    policy: Policy,
) -> tuple[Step, ...]:
    """Return what happened between two looks at the keys, as of the second.

    Args:
        before: The keys at the first look.
        after: The keys at the second look.
        then: When the first look was, in epoch seconds.
        now: When the second look was.
        policy: The times that are kept.
    """
    old = {record.kid: record for record in before}
    new = {record.kid: record for record in after}
    begun = _begun(before, after, then, now)
    kept = [record for record in after if record.kid in old]
    steps = [Step(now, "known", r.alg, r.kid) for r in kept if _became_known(r, then, now)]
    steps += [step for step in begun if step.kid in old]
    steps += [Step(now, "published", r.alg, r.kid) for r in after if r.kid not in old]
    steps += [step for step in begun if step.kid not in old]
    steps += [
        Step(now, "hastened", r.alg, r.kid) for r in kept if r.signs_from < old[r.kid].signs_from
    ]
    steps += [
        Step(now, "erased", r.alg, r.kid)
        for r in kept
        if r.sealed is None and old[r.kid].sealed is not None
    ]
    shown = {record.kid for record in rules.published(after, now, policy)}
    steps += [
        Step(now, "leaves", r.alg, r.kid)
        for r in rules.published(before, then, policy)
        if r.kid not in shown
    ]
    steps += [Step(now, "deleted", r.alg, r.kid) for r in before if r.kid not in new]
    return tuple(steps)


def _became_known(record: KeyRecord, then: float, now: float) -> bool:
    in_line = record.revoked_at is None and record.verifies_until is None
    return in_line and then < record.ready_at <= now


def _begun(
    before: Sequence[KeyRecord], after: Sequence[KeyRecord], then: float, now: float
) -> list[Step]:
    """Return the keys that began to sign, each with the one it relieves."""
    steps = []
    for alg in dict.fromkeys(record.alg for record in after):
        signs = rules.current(after, alg, now)
        signed = rules.current(before, alg, then)
        relieved = signed or rules.newest(before, alg, then)
        if signs is not None and (signed is None or signed.kid != signs.kid):
            other = None if relieved is None else relieved.kid
            steps.append(Step(now, "begins", alg, signs.kid, other))
    return steps


# ── the lives of the keys ──────────────────────────────────────────────────────────────────


def _bars(
    records: tuple[KeyRecord, ...], now: float, until: float, policy: Policy
) -> tuple[Bar, ...]:
    bars = []
    for record in sorted(records, key=lambda r: (r.signs_from, r.created_at, r.kid)):
        phases = tuple(
            p for p in _life(record, records, policy) if p.end is None or p.start < p.end
        )
        ends = [phase.end for phase in phases]
        if ends and phases[0].start <= until and (ends[-1] is None or ends[-1] > now):
            bars.append(Bar(record.kid, record.alg, phases))
    return tuple(bars)


def _life(record: KeyRecord, records: tuple[KeyRecord, ...], policy: Policy) -> tuple[Phase, ...]:
    """Return every phase of a key, empty ones among them."""
    if record.verifies_until is not None:
        made_here = record.predecessor != outsider(record.kid)
        start = record.verifies_until - policy.overlap if made_here else record.created_at
        phases = [Phase("verifying", max(start, record.created_at), record.verifies_until)]
    else:
        known, begins = min(record.ready_at, record.signs_from), record.signs_from
        ends = rules.retired_at(record, records)
        phases = [
            Phase("learning", record.created_at, known),
            Phase("waiting", known, begins),
            Phase("signing", begins, ends),
        ]
        if ends is not None:
            phases.append(Phase("verifying", ends, ends + policy.overlap))
    if record.revoked_at is None:
        return tuple(phases)
    dead = record.revoked_at
    lived = [
        Phase(phase.kind, phase.start, dead if phase.end is None else min(phase.end, dead))
        for phase in phases
        if phase.start < dead
    ]
    if lived and (lived[-1].end or dead) < dead:
        return tuple(lived)  # it had left the JWKS before
    return (*lived, Phase("revoked", dead, dead + policy.lead))
