"""How an operation on keys is told and remembered, and whom a revocation touches."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

import typer

from broker.cli import show

if TYPE_CHECKING:
    from broker.app.clock import SystemClock
    from broker.app.settings import Settings
    from broker.app.stores import Stores
    from keys.model import KeyRecord
    from keys.outcome import Aftermath, Outcome
    from keys.policy import Policy

NAMED: Final = 12
"""So many apps or APIs are named; --json names them all."""


async def remember(
    stores: "Stores", clock: "SystemClock", kind: str, detail: Mapping[str, Any]
) -> None:
    """Write an audit event of an operator's."""
    from broker.core.model import AuditEvent

    await stores.sql.audit.record(AuditEvent(kind, clock.now(), "operator", detail=detail))


async def remember_outcome(stores: "Stores", clock: "SystemClock", outcome: "Outcome") -> None:
    """Write the audit event of an operation, where it changed anything."""
    if outcome.changed:
        detail = {"kid": outcome.subject, "signing": outcome.signing}
        await remember(stores, clock, f"keys.{outcome.action}", detail)


def outcome_facts(outcome: "Outcome") -> dict[str, Any]:
    """Return an outcome for scripts."""
    facts = asdict(outcome)
    return facts | {name: show.stamp(facts[name]) for name in _MOMENTS}


_MOMENTS: Final = ("switches_at", "leaves_at", "resumes_at")


def tell_outcome(outcome: "Outcome") -> None:
    """Print what was done, what happens next, and what a verifier sees."""
    for sentence in (outcome.happened, outcome.then, outcome.verifiers):
        typer.echo(sentence)


# ── a revocation ───────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Affected:
    """Whom and what a revocation touches.

    Attributes:
        kind: ``ours``: tokens of ours that it signed may be alive. ``expired``: none is any more.
            ``unused``: it never signed. ``elsewhere``: it signed elsewhere, and never here.
        last_signed: when it stopped signing, in UTC seconds; None where it signs.
        clients: enabled clients whose ID tokens are signed with its algorithm.
        apis: registered APIs whose access tokens are.
        every_audience: whether access tokens for all that is no registered API are, too.
    """

    kind: Literal["ours", "expired", "unused", "elsewhere"]
    last_signed: float | None = None
    clients: tuple[str, ...] = ()
    apis: tuple[str, ...] = ()
    every_audience: bool = False


async def affected_by(
    record: "KeyRecord",
    records: "tuple[KeyRecord, ...]",
    stores: "Stores",
    now: float,
    policy: "Policy",
) -> Affected:
    """Find out whom revoking a key touches, or touched."""
    from keys import policy as rules
    from keys.model import RS256, outsider

    if record.predecessor == outsider(record.kid):
        return Affected("elsewhere")
    # The heir of a revoked key signs at once, by whatever clock.
    begun = record.signs_from <= (now if record.revoked_at is None else record.revoked_at)
    if not begun and record != rules.current(records, record.alg, now):
        return Affected("unused")
    last = rules.retired_at(record, records)
    if record.verifies_until is not None:
        last = record.verifies_until - policy.overlap
    if last is not None and last + policy.overlap <= now:
        return Affected("expired", last)
    clients = [one.client for one in await stores.sql.clients.list()]
    apis = [one.api for one in await stores.sql.apis.list()]
    return Affected(
        kind="ours",
        last_signed=last if last is not None and last <= now else None,
        clients=tuple(
            one.client_id
            for one in clients
            if not one.disabled and one.id_token_signed_response_alg == record.alg
        ),
        apis=tuple(
            one.identifier for one in apis if one.access_token_signed_response_alg == record.alg
        ),
        every_audience=record.alg == RS256,
    )


def affected_facts(affected: Affected, revoked_at: float, policy: "Policy") -> dict[str, Any]:
    """Return whom a revocation touches, and until when, for scripts."""
    ends = _ends(affected, revoked_at, policy)
    return {
        "affected": {
            "tokens": affected.kind,
            "clients": list(affected.clients),
            "apis": list(affected.apis),
            "every_other_audience": affected.every_audience,
        },
        "stops_signing_by": show.stamp(ends.stops_at),
        "trusted_until": show.stamp(ends.trusted_until),
        "tokens_until": show.stamp(ends.tokens_until),
    }


def tell_affected(affected: Affected, revoked_at: float, now: float, policy: "Policy") -> None:
    """Print whom a revocation touches, and until when."""
    ends = _ends(affected, revoked_at, policy)
    trusted = ("caches may trust it", f"until {_by(ends.trusted_until, now)} at the latest")
    if affected.kind != "ours":
        typer.echo(_UNTOUCHED[affected.kind])
        show.details([trusted])
        return
    typer.echo()
    show.details(
        [
            ("no process signs with it", f"from {_by(ends.stops_at, now)}"),
            trusted,
            ("tokens it signed", f"expire by {_by(ends.tokens_until, now)}"),
            ("ID tokens", _some(affected.clients, "app", "apps")),
            ("access tokens", _audiences(affected)),
            ("sessions, refresh tokens", "live on: nobody signs in again, apps refresh"),
            ("sign-out hints", "signed with it count no more: such a sign-out asks first"),
        ]
    )


_UNTOUCHED: Final = {
    "unused": "It never signed anything: no token is affected.",
    "expired": "Every token it signed has expired: none is affected.",
    "elsewhere": "It never signed here: what is affected is what was signed with it elsewhere.",
}


def _ends(affected: Affected, revoked_at: float, policy: "Policy") -> "Aftermath":
    from keys.outcome import aftermath

    whole = aftermath(revoked_at, policy)
    if affected.last_signed is None:
        return whole
    earlier = aftermath(min(affected.last_signed, revoked_at), policy)
    return replace(earlier, trusted_until=whole.trusted_until)


def _by(moment: float, now: float) -> str:
    away = "already" if moment <= now else show.when(moment, now)
    return f"{show.stamp(moment)} ({away})"


def _audiences(affected: Affected) -> str:
    if not affected.every_audience:
        return _some(affected.apis, "API", "APIs")
    named = f"{_some(affected.apis, 'API', 'APIs')}; and " if affected.apis else ""
    return f"{named}for every audience that is no registered API"


def _some(names: tuple[str, ...], one: str, many: str) -> str:
    if not names:
        return f"of no {one}"
    left = len(names) - NAMED
    more = f" and {left} more" if left > 0 else ""
    return f"of {len(names)} {one if len(names) == 1 else many}: {', '.join(names[:NAMED])}{more}"


def sentence(affected: Affected) -> str:
    """Say what revoking would do to people and apps."""
    if affected.kind != "ours":
        return _UNTOUCHED[affected.kind]
    count = len(affected.clients)
    return (
        f"Services refuse every token it signed once their caches end; {count} "
        f"{'app gets' if count == 1 else 'apps get'} ID tokens of its algorithm. "
        "Apps refresh; nobody has to sign in again."
    )


async def look(
    kid: str, stores: "Stores", settings: "Settings", clock: "SystemClock"
) -> "tuple[KeyRecord, Affected]":
    """Return the key that is meant, and whom revoking it would touch."""
    from broker.cli.key_choices import named

    records = await stores.keys.all()
    record = named(records, kid)
    policy = settings.key_policy
    return record, await affected_by(record, records, stores, clock.now(), policy)
