"""What maintenance has to do at a moment: pure, like `keys.policy`."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from keys import policy as rules
from keys.model import Change, Delete, KeyRecord, Replace, genesis, outsider
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


def due_for(
    records: Iterable[KeyRecord], algorithms: Iterable[str], now: float, policy: Policy
) -> Due:
    """Return what maintenance has to do for several algorithms, all in one transaction.

    So on an empty store the first keys of each are known at once: nobody has cached anything.
    """
    every, on = tuple(records), tuple(algorithms)
    parts = [due(every, alg, now, policy) for alg in on]
    given_up = [r for r in every if r.alg not in on and r.verifies_until is not None]
    return Due(
        tuple(slot for part in parts for slot in part.slots),
        (
            *(change for part in parts for change in part.changes),
            *(Delete(record) for record in given_up if _is_past(record, every, now, policy)),
        ),
    )


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
    hastened = hasten(own, alg, now)
    after = tuple(hastened.get(record.kid, record) for record in own)
    changes: list[Change] = [Replace(r, hastened[r.kid]) for r in own if r.kid in hastened]
    for record in own:
        if _is_past(record, after, now, policy):
            changes.append(Delete(record))
        elif _is_spent(record, after, now, policy):
            changes.append(Replace(record, replace(record, sealed=None)))
    if all(record.verifies_until is not None for record in own):
        last = tail(own, alg)
        follows = genesis(alg) if last is None else last.kid
        slots = _first_pair(alg, follows, now, policy, known=bool(every))
        return Due(slots, tuple(changes))
    return Due(_missing_successor(after, alg, now, policy), tuple(changes))


def tail(records: Iterable[KeyRecord], alg: str) -> KeyRecord | None:
    """Return the last key made for an algorithm: the one no other names as its predecessor."""
    own = [r for r in records if r.alg == alg and r.predecessor != outsider(r.kid)]
    followed = {record.predecessor for record in own}
    ends = [record for record in own if record.kid not in followed]
    return max(ends, key=lambda r: (r.created_at, r.signs_from), default=None)


def hasten(records: Iterable[KeyRecord], alg: str, now: float) -> dict[str, KeyRecord]:
    """Bring a waiting key forward where nothing signs: the key before it was revoked.

    Returns the changed key by its `kid`: the one that caches know first; nothing where none is
    to be changed.
    """
    own = tuple(records)
    if rules.current(own, alg, now) is not None:
        return {}
    heirs = rules.waiting(own, alg, now)
    heir = min(heirs, key=lambda r: (max(now, r.ready_at), r.signs_from), default=None)
    if heir is None:
        return {}
    soonest = max(now, heir.ready_at)
    return {heir.kid: replace(heir, signs_from=soonest)} if soonest < heir.signs_from else {}


def _first_pair(
    alg: str, follows: str, now: float, policy: Policy, *, known: bool
) -> tuple[Slot, Slot]:
    """Place the first two keys. Where nobody has cached a JWKS of ours, they are known at once."""
    ready = now + policy.lead if known else now
    first = Slot(alg, follows, now, ready, ready)
    return first, Slot(alg, None, now, ready, ready + policy.period)


def _missing_successor(
    own: tuple[KeyRecord, ...], alg: str, now: float, policy: Policy
) -> tuple[Slot, ...]:
    if rules.successor(own, alg, now) is not None:
        return ()
    ready = now + policy.lead
    signs = rules.current(own, alg, now)
    begins = ready if signs is None else max(signs.signs_from + policy.period, ready)
    last = tail(own, alg)
    return (Slot(alg, genesis(alg) if last is None else last.kid, now, ready, begins),)


def _is_spent(record: KeyRecord, own: tuple[KeyRecord, ...], now: float, policy: Policy) -> bool:
    """Tell whether no process can still sign with it, so that its private half may go."""
    if record.sealed is None:
        return False
    if record.revoked_at is not None:
        return True
    end = record.verifies_until or rules.retired_at(record, own)
    return end is not None and end + policy.grace + policy.skew <= now


def _is_past(record: KeyRecord, own: tuple[KeyRecord, ...], now: float, policy: Policy) -> bool:
    """Tell whether the row itself is of no more use: not even to judge an old hint."""
    if record.verifies_until is None and record == tail(own, record.alg):
        return False
    end = record.verifies_until or rules.retired_at(record, own)
    if record.revoked_at is not None and record.revoked_at < record.signs_from:
        end = record.revoked_at
    return end is not None and end + max(policy.hint_retention, policy.overlap) <= now
