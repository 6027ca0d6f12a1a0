"""What is at risk about the keys at a moment: pure, like `keys.policy`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from keys import policy as rules
from keys.due import due_for
from keys.errors import KeyRecordCorrupt
from keys.model import Insert, KeyRecord, outsider
from keys.policy import DAY, Policy
from keys.vault import Vault

RiskKind = Literal[
    "no-keys",
    "nothing-signs",
    "no-successor",
    "successor-unknown",
    "overdue",
    "overrun",
    "revoked-trusted",
    "switched-off",
    "stale-seal",
    "unopenable",
    "leaves-soon",
]

SOON: Final = 7 * DAY
"""How long before its end a key that only verifies is spoken of, in seconds, at the most."""


@dataclass(frozen=True, slots=True)
class Risk:
    """Something that may go wrong, or has.

    Attributes:
        kind: `no-keys`: an algorithm that is on has none. `nothing-signs`: the signing key was
            revoked and no heir is ready. `no-successor`: an emergency now would stop signing for
            the whole lead. `successor-unknown`: the same, until caches know the successor.
            `overdue`: nobody does what is due. `overrun`: a key signs past its period.
            `revoked-trusted`: a cache may still trust a revoked key. `switched-off`: a key of an
            algorithm that is off. `stale-seal`: a private half is not sealed with the first
            secret. `unopenable`: it does not open. `leaves-soon`: a key made elsewhere is about
            to leave the JWKS.
        alg: The algorithm.
        kid: The key, or None where it is about all of them.
        since: Since when, in epoch seconds, or None.
        until: When it passes by itself or comes true, in epoch seconds, or None.
        seconds: For how long nothing would sign after an emergency now, or None.
        why: What is wrong with a record, or None.
    """

    kind: RiskKind
    alg: str
    kid: str | None = None
    since: float | None = None
    until: float | None = None
    seconds: float | None = None
    why: str | None = None


@dataclass(frozen=True, slots=True)
class Seals:
    """What is known of how private halves are sealed.

    Attributes:
        stale: Keys that are not sealed with the first of the operator's secrets.
        broken: What is wrong with those that do not open, by `kid`.
    """

    stale: frozenset[str] = frozenset()
    broken: Mapping[str, str] = field(default_factory=dict)


NOTHING_KNOWN: Final = Seals()


def look_at_seals(records: Iterable[KeyRecord], vault: Vault) -> Seals:
    """Try every private half with the operator's secrets."""
    stale: set[str] = set()
    broken: dict[str, str] = {}
    for record in records:
        if record.sealed is None:
            continue
        try:
            if vault.rewrapped(record) != record.sealed:
                stale.add(record.kid)
        except KeyRecordCorrupt as error:
            broken[record.kid] = error.why
    return Seals(frozenset(stale), broken)


def find(
    records: Iterable[KeyRecord],
    algorithms: Sequence[str],
    now: float,
    policy: Policy,
    seals: Seals = NOTHING_KNOWN,
) -> tuple[Risk, ...]:
    """Return what is at risk, worst first.

    Args:
        records: Every stored key.
        algorithms: The algorithms that are on.
        now: The moment, in epoch seconds.
        policy: The times that are kept.
        seals: What is known of how the private halves are sealed.
    """
    every = tuple(records)
    found = [
        *(risk for alg in algorithms for risk in _of_line(every, alg, now, policy)),
        *_overdue(every, algorithms, now, policy),
        *(risk for record in every for risk in _of_key(record, every, now, policy)),
        *(_switched_off(every, algorithms, now, policy)),
        *(Risk("unopenable", r.alg, r.kid, why=why) for r, why in _broken(every, seals)),
        *(Risk("stale-seal", r.alg, r.kid) for r in every if r.kid in seals.stale),
    ]
    return tuple(sorted(found, key=lambda risk: _RANK.index(risk.kind)))


_RANK: Final[tuple[RiskKind, ...]] = (
    "no-keys",
    "nothing-signs",
    "unopenable",
    "revoked-trusted",
    "overdue",
    "overrun",
    "no-successor",
    "successor-unknown",
    "leaves-soon",
    "switched-off",
    "stale-seal",
)


def _of_line(
    records: tuple[KeyRecord, ...], alg: str, now: float, policy: Policy
) -> Iterable[Risk]:
    """Yield what is at risk about the line of one algorithm."""
    if not rules.line(records, alg):
        yield Risk("no-keys", alg)
        return
    signs = rules.current(records, alg, now)
    # After a revocation the key that caches know first signs, whatever the order was to be.
    heirs = [one for one in rules.waiting(records, alg, now) if one != signs]
    heir = min(heirs, key=lambda one: (max(now, one.ready_at), one.signs_from), default=None)
    ready_at = now + policy.lead if heir is None else heir.ready_at
    if signs is None:
        # Before the first key of a line begins nothing went wrong: nobody was promised anything.
        if rules.newest(records, alg, now) is not None:
            yield Risk("nothing-signs", alg, until=ready_at, seconds=ready_at - now)
        return
    ends = signs.signs_from + policy.period
    if now > ends + policy.lead:
        until = min((one.signs_from for one in heirs), default=None)
        yield Risk("overrun", alg, signs.kid, since=ends, until=until)
    if heir is None:
        yield Risk("no-successor", alg, signs.kid, seconds=policy.lead)
    elif now < ready_at:
        yield Risk("successor-unknown", alg, heir.kid, until=ready_at, seconds=ready_at - now)


def _overdue(
    records: tuple[KeyRecord, ...], algorithms: Sequence[str], now: float, policy: Policy
) -> Iterable[Risk]:
    """Yield where what is due was due so long ago that no process can be at it."""
    earlier = now - policy.grace - policy.skew
    for alg in algorithms:
        if not rules.line(records, alg):
            continue
        was = due_for(records, (alg,), earlier, policy)
        due = due_for(records, (alg,), now, policy)
        changed = {change.expected.kid for change in was.changes if not isinstance(change, Insert)}
        still = [
            change
            for change in due.changes
            if not isinstance(change, Insert) and change.expected.kid in changed
        ]
        if still or (was.slots and due.slots):
            yield Risk("overdue", alg, since=earlier)


def _of_key(
    record: KeyRecord, records: tuple[KeyRecord, ...], now: float, policy: Policy
) -> Iterable[Risk]:
    """Yield what is at risk about one key that no longer signs."""
    if record.revoked_at is not None:
        left = rules.leaves_at(replace(record, revoked_at=None), records, policy)
        shown = record.revoked_at if left is None else min(left, record.revoked_at)
        trusted = shown + policy.lead
        if now < trusted:
            yield Risk("revoked-trusted", record.alg, record.kid, record.revoked_at, trusted)
        return
    ends = record.verifies_until
    if ends is None or record.predecessor != outsider(record.kid):
        return
    if now < ends <= now + min(SOON, (ends - record.created_at) / 4):
        yield Risk("leaves-soon", record.alg, record.kid, until=ends)


def _switched_off(
    records: tuple[KeyRecord, ...], algorithms: Sequence[str], now: float, policy: Policy
) -> Iterable[Risk]:
    shown = rules.published(records, now, policy)
    for record in shown:
        if record.alg not in algorithms and record.verifies_until is None:
            yield Risk("switched-off", record.alg, record.kid)


def _broken(records: tuple[KeyRecord, ...], seals: Seals) -> Iterable[tuple[KeyRecord, str]]:
    for record in records:
        if record.kid in seals.broken:
            yield record, seals.broken[record.kid]
