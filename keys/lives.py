"""The keys through time, phase by phase: pure, like `keys.policy`."""

from dataclasses import dataclass
from typing import Literal

from keys import policy as rules
from keys.model import KeyRecord, outsider
from keys.policy import Policy

PhaseKind = Literal["learning", "waiting", "signing", "verifying", "revoked"]


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


def bars_of(
    records: tuple[KeyRecord, ...], now: float, until: float, policy: Policy
) -> tuple[Bar, ...]:
    """Return the keys that the outside can meet in a stretch of time.

    Args:
        records: Every key there is, was or will be.
        now: The beginning of the stretch, in epoch seconds.
        until: The end of the stretch.
        policy: The times that are kept.
    """
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
