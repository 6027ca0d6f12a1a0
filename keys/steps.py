"""What happened to the keys between two looks at them: pure, like `keys.policy`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from keys import policy as rules
from keys.model import KeyRecord
from keys.policy import Policy

StepKind = Literal["known", "begins", "published", "hastened", "erased", "leaves", "deleted"]


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
