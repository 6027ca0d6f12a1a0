"""What an operation on keys did, and what follows from it: for people and for scripts."""

from dataclasses import dataclass
from typing import Literal

from keys import policy as rules
from keys.model import KeyRecord
from keys.policy import Policy

Action = Literal["rotate", "rotate-now", "revoke"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a rotation or a revocation. Every time is in UTC epoch seconds.

    Attributes:
        action: What was asked for.
        changed: Whether this call changed anything; False where it was done before.
        subject: The `kid` the operation was about: the key that stops signing, or was revoked.
        signing: The `kid` that signs now; None where none may.
        successor: The `kid` that signs next; None only until maintenance has made it.
        switches_at: When the successor begins to sign.
        leaves_at: When the subject leaves the JWKS.
        resumes_at: Where nothing signs now: when signing resumes.
        happened: One sentence: what was done.
        then: One sentence: what happens next.
        verifiers: One sentence: what a verifier sees.
    """

    action: Action
    changed: bool
    subject: str
    signing: str | None
    successor: str | None
    switches_at: float | None
    leaves_at: float | None
    resumes_at: float | None
    happened: str
    then: str
    verifiers: str


def describe(
    action: Action,
    subject: KeyRecord,
    records: tuple[KeyRecord, ...],
    now: float,
    policy: Policy,
    *,
    changed: bool,
    happened: str,
) -> Outcome:
    """Describe how the keys stand after an operation.

    Args:
        action: What was asked for.
        subject: The key it was about.
        records: The keys as they are now.
        now: The moment, in epoch seconds.
        policy: The times that are kept.
        changed: Whether this call changed anything.
        happened: What was done, as a sentence.
    """
    held = next((record for record in records if record.kid == subject.kid), subject)
    signs = rules.current(records, subject.alg, now)
    follows = rules.successor(records, subject.alg, now)
    switches_at = None if follows is None else follows.signs_from
    return Outcome(
        action=action,
        changed=changed,
        subject=subject.kid,
        signing=None if signs is None else signs.kid,
        successor=None if follows is None else follows.kid,
        switches_at=switches_at,
        leaves_at=rules.leaves_at(held, records, policy),
        resumes_at=switches_at if signs is None else None,
        happened=happened,
        then=_then(signs, follows, now),
        verifiers=_verifiers(held, records, policy),
    )


def _then(signs: KeyRecord | None, follows: KeyRecord | None, now: float) -> str:
    if follows is None:
        return "The next maintenance pass makes a new successor."
    wait = f"in {_span(follows.signs_from - now)}"
    if signs is None:
        return f"Nothing signs until key {follows.kid} is known to every cache, {wait}."
    return f"Key {signs.kid} signs; every process changes over to key {follows.kid} {wait}."


def _verifiers(held: KeyRecord, records: tuple[KeyRecord, ...], policy: Policy) -> str:
    if held.revoked_at is not None:
        return (
            f"Key {held.kid} leaves the JWKS within {_span(policy.grace)}; a verifier may go on "
            f"trusting it until its own copy ends, up to {_span(policy.cache_lifetime)} later."
        )
    if rules.retired_at(held, records) is None:
        return "Verifiers see no difference."
    return (
        f"Verifiers see no difference: the next key is published already, and key {held.kid} "
        f"stays in the JWKS for {_span(policy.overlap)} after it stops signing."
    )


def _span(seconds: float) -> str:
    """Return a length of time as people say it, in its two largest units."""
    left = max(0, round(seconds))
    if left < 60:
        return f"{left} s"
    for unit, size, smaller, small in (("d", 86400, "h", 3600), ("h", 3600, "min", 60)):
        if left >= size:
            rest = left % size // small
            return f"{left // size} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{left // 60} min" + (f" {left % 60} s" if left % 60 else "")
