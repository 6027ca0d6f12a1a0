"""When which key does what: pure functions of the stored keys and a moment.

    next (published, waiting) ──▶ signing ──period──▶ retired (verify only) ──overlap──▶ gone

The line of an algorithm is every key that signs, signed or is to sign, by the moment it begins.
A key revoked before it began never was in the line, nor is one that only verifies. The newest
key that has begun is the only one that may sign: where it is revoked and no heir is ready,
nothing signs. An older key never signs again, for it may be about to leave the JWKS.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Final, Literal

from keys.errors import NoSigningKey, PolicyImpossible
from keys.model import KeyRecord, genesis

State = Literal["next", "signing", "retired", "gone", "revoked"]

DAY: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Policy:
    """The times that rule the life of a key, all in seconds.

    Attributes:
        period: How long a key signs.
        cache_lifetime: How long a verifier may keep the JWKS.
        poll_interval: How often each process reads the key store.
        skew: How far the clocks of two processes may differ, the time a write to the store
            takes to commit included.
        longest_token: The longest lifetime of any token these keys sign.
        hint_retention: How long a retired public half is kept to judge an `id_token_hint`.
    """

    period: float = 30 * DAY
    cache_lifetime: float = 600
    poll_interval: float = 5
    skew: float = 60
    longest_token: float = 300
    hint_retention: float = 30 * DAY

    @property
    def grace(self) -> float:
        """How long a process may sign without having heard from its store, in seconds."""
        return 2 * self.poll_interval

    @property
    def lead(self) -> float:
        """How long a key is published before every cache knows it, in seconds."""
        return self.cache_lifetime + self.grace + self.skew

    @property
    def overlap(self) -> float:
        """How long a retired key stays published, in seconds."""
        return self.longest_token + self.grace + self.skew

    def validate(self) -> None:
        """Check that the times can hold together.

        Raises:
            PolicyImpossible: They cannot; the message shows the arithmetic.
        """
        for field in fields(self):
            value = getattr(self, field.name)
            if not 0 < value < float("inf"):
                raise PolicyImpossible(
                    field.name, f"{field.name} is {value} s; it must be more than 0"
                )
        if self.period <= self.lead:
            raise PolicyImpossible(
                "period",
                f"period is {self.period:g} s; it must be longer than the {self.lead:g} s a new "
                f"key waits until every cache knows it: cache_lifetime {self.cache_lifetime:g} "
                f"+ 2 * poll_interval {self.poll_interval:g} + skew {self.skew:g}",
            )


def _order(record: KeyRecord) -> tuple[float, float, bool, str]:
    first = record.predecessor == genesis(record.alg)
    return record.signs_from, record.created_at, not first, record.kid


def line(records: Iterable[KeyRecord], alg: str) -> list[KeyRecord]:
    """Return the keys of an algorithm that sign, signed or are to sign, oldest first."""
    return sorted(
        (
            record
            for record in records
            if record.alg == alg
            and record.verifies_until is None
            and (record.revoked_at is None or record.revoked_at >= record.signs_from)
        ),
        key=_order,
    )


def newest(records: Iterable[KeyRecord], alg: str, now: float) -> KeyRecord | None:
    """Return the last key that began to sign, revoked or not; None before the first."""
    begun = [record for record in line(records, alg) if record.signs_from <= now]
    return begun[-1] if begun else None


def waiting(records: Iterable[KeyRecord], alg: str, now: float) -> list[KeyRecord]:
    """Return the keys that are to sign after `now`, soonest first."""
    return [r for r in line(records, alg) if r.signs_from > now and r.revoked_at is None]


def signing(records: Iterable[KeyRecord], alg: str, now: float) -> KeyRecord:
    """Return the one key that signs at this moment.

    Where the newest key was revoked, its heir (the key that began at that revocation) signs even
    for a process whose clock has not reached that instant.

    Raises:
        NoSigningKey: None may.
    """
    records = tuple(records)
    last = newest(records, alg, now)
    later = waiting(records, alg, now)
    if last is not None and last.revoked_at is None:
        return last
    if last is not None and last.revoked_at is not None:
        for heir in later:
            if heir.signs_from <= last.revoked_at:
                return heir
    raise NoSigningKey(later[0].signs_from if later else None)


def current(records: Iterable[KeyRecord], alg: str, now: float) -> KeyRecord | None:
    """Return the key that signs at this moment, or None where none may."""
    try:
        return signing(records, alg, now)
    except NoSigningKey:
        return None


def successor(records: Iterable[KeyRecord], alg: str, now: float) -> KeyRecord | None:
    """Return the key that signs next, or None where it has yet to be made."""
    records = tuple(records)
    signs = current(records, alg, now)
    return next((r for r in waiting(records, alg, now) if r != signs), None)


def retired_at(record: KeyRecord, records: Iterable[KeyRecord]) -> float | None:
    """Return when this key stops (or stopped) signing, or None where nothing follows it."""
    if record.verifies_until is not None:
        return None
    return next(
        (other.signs_from for other in line(records, record.alg) if _order(other) > _order(record)),
        None,
    )


def leaves_at(record: KeyRecord, records: Iterable[KeyRecord], policy: Policy) -> float | None:
    """Return when this key leaves (or left) the JWKS, or None where nothing follows it."""
    if record.revoked_at is not None:
        return record.revoked_at
    if record.verifies_until is not None:
        return record.verifies_until
    end = retired_at(record, records)
    return None if end is None else end + policy.overlap


def state(record: KeyRecord, records: Iterable[KeyRecord], now: float, policy: Policy) -> State:
    """Return what this key is to a process at this moment."""
    records = tuple(records)
    if record.revoked_at is not None:
        return "revoked"
    if record == current(records, record.alg, now):
        return "signing"
    if record.signs_from > now and record.verifies_until is None:
        return "next"
    leaves = leaves_at(record, records, policy)
    return "gone" if leaves is not None and leaves <= now else "retired"


def published(records: Iterable[KeyRecord], now: float, policy: Policy) -> tuple[KeyRecord, ...]:
    """Return the keys of the JWKS: next, signing, and retired ones within the overlap."""
    records = tuple(records)
    held = [r for r in records if state(r, records, now, policy) in {"next", "signing", "retired"}]
    return tuple(sorted(held, key=_order))


def hint_keys(records: Iterable[KeyRecord], now: float, policy: Policy) -> tuple[KeyRecord, ...]:
    """Return the keys that may have signed an `id_token_hint` of a session still alive."""
    records = tuple(records)
    return tuple(sorted((r for r in records if _judges_hints(r, records, now, policy)), key=_order))


def _judges_hints(
    record: KeyRecord, records: tuple[KeyRecord, ...], now: float, policy: Policy
) -> bool:
    if record.revoked_at is not None:
        return False
    end = record.verifies_until or retired_at(record, records)
    return end is None or end + max(policy.hint_retention, policy.overlap) > now
