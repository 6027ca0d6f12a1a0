"""What an operation on keys did, and what follows from it: for people and for scripts."""

from dataclasses import dataclass
from typing import Literal

from keys import policy as rules
from keys.model import KeyRecord
from keys.policy import Policy

Action = Literal["rotate", "rotate-now", "revoke", "import", "import-public"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of an operation on one key. Every time is in UTC epoch seconds.

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
    verifiers: str | None = None,
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
        verifiers: What a verifier sees, as a sentence. Default: what follows from the key.
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
        verifiers=verifiers or _verifiers(held, records, policy),
    )


def _then(signs: KeyRecord | None, follows: KeyRecord | None, now: float) -> str:
    if follows is None:
        return "The next maintenance pass makes a new successor."
    wait = f"in {span(follows.signs_from - now)}"
    if signs is None:
        return f"Nothing signs until key {follows.kid} is known to every cache, {wait}."
    return f"Key {signs.kid} signs; every process changes over to key {follows.kid} {wait}."


def _verifiers(held: KeyRecord, records: tuple[KeyRecord, ...], policy: Policy) -> str:
    if held.revoked_at is not None:
        return (
            f"Key {held.kid} leaves the JWKS within {span(policy.grace)}; a verifier may go on "
            f"trusting it until its own copy ends, up to {span(policy.cache_lifetime)} later."
        )
    if rules.retired_at(held, records) is None:
        return "Verifiers see no difference."
    return (
        f"Verifiers see no difference: the next key is published already, and key {held.kid} "
        f"stays in the JWKS for {span(policy.overlap)} after it stops signing."
    )


@dataclass(frozen=True, slots=True)
class Aftermath:
    """How long what a revoked key did goes on to matter. Every time is in UTC epoch seconds.

    Attributes:
        stops_at: From when no process signs with it, whatever that process can reach.
        trusted_until: How long a verifier that honours cache lifetimes may go on trusting it.
        tokens_until: The last moment at which a token it signed can be alive.
    """

    stops_at: float
    trusted_until: float
    tokens_until: float


def aftermath(revoked_at: float, policy: Policy) -> Aftermath:
    """Return what follows from a revocation, at the latest; clocks may differ by the skew."""
    return Aftermath(
        stops_at=revoked_at + policy.grace,
        trusted_until=revoked_at + policy.lead,
        tokens_until=revoked_at + policy.overlap,
    )


def span(seconds: float) -> str:
    """Return a length of time as people say it, in its two largest units."""
    left = max(0, round(seconds))
    if left < 60:
        return f"{left} s"
    for unit, size, smaller, small in (("d", 86400, "h", 3600), ("h", 3600, "min", 60)):
        if left >= size:
            rest = left % size // small
            return f"{left // size} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{left // 60} min" + (f" {left % 60} s" if left % 60 else "")
