"""What maintenance has to do at a moment: pure, like `keys.policy`."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from keys import policy as rules
from keys.model import Change, Delete, KeyRecord, Replace, genesis
from keys.policy import Policy


@dataclass(frozen=True, slots=True)
class Slot:
    """The place of a key that has yet to be made.

    Attributes:
        alg: The JWS algorithm.
        predecessor: The `kid` it follows; None for the key of the slot before it.
        created_at: When it is published, in epoch seconds.
        ready_at: When every cache knows it.
        signs_from: When it begins to sign.
    """

    alg: str
    predecessor: str | None
    created_at: float
    ready_at: float
    signs_from: float


@dataclass(frozen=True, slots=True)
class Due:
    """What there is to do, all in one transaction; falsy where there is nothing.

    Attributes:
        slots: The keys to make, in order.
        changes: What to change about the keys there are.
    """

    slots: tuple[Slot, ...] = ()
    changes: tuple[Change, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.slots or self.changes)


def due(records: Iterable[KeyRecord], alg: str, now: float, policy: Policy) -> Due:
    """Return what maintenance has to do for one algorithm.

    Args:
        records: Every stored key, of every algorithm.
        alg: The algorithm to look after.
        now: The moment, in epoch seconds.
        policy: The times to keep.
    """
    every = tuple(records)
    own = tuple(record for record in every if record.alg == alg)
    if not own:
        return Due(slots=_first_pair(alg, now, policy, known=bool(every)))
    hastened = _hasten(own, alg, now)
    after = tuple(hastened.get(record.kid, record) for record in own)
    changes: list[Change] = [Replace(r, hastened[r.kid]) for r in own if r.kid in hastened]
    for record in own:
        if _is_past(record, after, now, policy):
            changes.append(Delete(record))
        elif _is_spent(record, after, now, policy):
            changes.append(Replace(record, replace(record, sealed=None)))
    return Due(_missing_successor(after, alg, now, policy), tuple(changes))


def tail(records: Iterable[KeyRecord], alg: str) -> KeyRecord:
    """Return the last key made for an algorithm: the one no other names as its predecessor."""
    own = [record for record in records if record.alg == alg]
    followed = {record.predecessor for record in own}
    ends = [record for record in own if record.kid not in followed]
    return max(ends, key=lambda record: (record.created_at, record.signs_from))


def _first_pair(alg: str, now: float, policy: Policy, *, known: bool) -> tuple[Slot, Slot]:
    """Place the first two keys. Where nobody has cached a JWKS of ours, they are known at once."""
    ready = now + policy.lead if known else now
    first = Slot(alg, genesis(alg), now, ready, ready)
    return first, Slot(alg, None, now, ready, ready + policy.period)


def _hasten(own: tuple[KeyRecord, ...], alg: str, now: float) -> dict[str, KeyRecord]:
    """Bring the successor forward where nothing signs: the key before it was revoked."""
    heir = rules.successor(own, alg, now)
    if heir is None or rules.current(own, alg, now) is not None:
        return {}
    soonest = max(now, heir.ready_at)
    return {heir.kid: replace(heir, signs_from=soonest)} if soonest < heir.signs_from else {}


def _missing_successor(
    own: tuple[KeyRecord, ...], alg: str, now: float, policy: Policy
) -> tuple[Slot, ...]:
    if rules.successor(own, alg, now) is not None:
        return ()
    ready = now + policy.lead
    signs = rules.current(own, alg, now)
    begins = ready if signs is None else max(signs.signs_from + policy.period, ready)
    return (Slot(alg, tail(own, alg).kid, now, ready, begins),)


def _is_spent(record: KeyRecord, own: tuple[KeyRecord, ...], now: float, policy: Policy) -> bool:
    """Tell whether no process can still sign with it, so that its private half may go."""
    if record.sealed is None:
        return False
    if record.revoked_at is not None:
        return True
    end = rules.retired_at(record, own)
    return end is not None and end + policy.grace + policy.skew <= now


def _is_past(record: KeyRecord, own: tuple[KeyRecord, ...], now: float, policy: Policy) -> bool:
    """Tell whether the row itself is of no more use: not even to judge an old hint."""
    if record == tail(own, record.alg):
        return False
    end = rules.retired_at(record, own)
    if record.revoked_at is not None and record.revoked_at < record.signs_from:
        end = record.revoked_at
    return end is not None and end + max(policy.hint_retention, policy.overlap) <= now
