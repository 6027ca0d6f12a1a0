"""``broker keys``."""

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from broker.cli import show
from broker.cli.running import Exit, Failure, with_stores

if TYPE_CHECKING:
    from broker.app.clock import SystemClock
    from broker.app.settings import Settings
    from broker.app.stores import Stores
    from keys.model import KeyRecord
    from keys.outcome import Outcome
    from keys.policy import Policy

app = typer.Typer(help="The keys that sign tokens.", no_args_is_help=True)

Kid = Annotated[str, typer.Argument(metavar="KID", help="The key's identifier, or its beginning.")]


@app.command("list")
def list_keys(json: show.Json = False) -> None:
    """List the signing keys: which signs, which is next, which only verify."""

    async def work(
        stores: "Stores", settings: "Settings", clock: "SystemClock"
    ) -> tuple[list[dict[str, Any]], float]:
        records, now = await stores.keys.all(), clock.now()
        return [_facts(one, records, now, settings.key_policy) for one in records], now

    found, now = with_stores(work)
    if json:
        show.document([_stamped(one) for one in found])
        return
    show.table(
        ("key", "state", "made", "signs from", "until", "leaves the JWKS"),
        [
            (
                one["kid"],
                one["state"],
                show.when(one["created_at"], now),
                show.when(one["signs_from"], now),
                show.when(one["signs_until"], now),
                show.when(one["leaves_at"], now),
            )
            for one in found
        ],
        empty="There are no signing keys yet; the first start of the server makes them.",
    )


@app.command("show")
def show_key(kid: Kid, json: show.Json = False) -> None:
    """Show one key, its times and its public half."""

    async def work(
        stores: "Stores", settings: "Settings", clock: "SystemClock"
    ) -> tuple[dict[str, Any], float]:
        records, now = await stores.keys.all(), clock.now()
        record = _named(records, kid)
        return _facts(record, records, now, settings.key_policy), now

    found, now = with_stores(work)
    if json:
        show.document(_stamped(found))
        return
    times = {name: value for name, value in found.items() if name in TIMES and value is not None}
    show.details(
        [
            ("key", found["kid"]),
            ("state", found["state"]),
            ("algorithm", found["alg"]),
            *(
                (TIMES[name], f"{show.stamp(value)} ({show.when(value, now)})")
                for name, value in times.items()
            ),
            ("reason", found["revoked_reason"]),
            ("predecessor", found["predecessor"]),
            ("modulus", found["public_jwk"]["n"]),
        ]
    )


@app.command("rotate")
def rotate(
    at_once: Annotated[
        bool, typer.Option("--now", help="Change over at this instant, not after the waiting time.")
    ] = False,
    json: show.Json = False,
) -> None:
    """Change over to the published successor; verifiers that honour cache headers notice nothing.

    Exit code 4 where --now would meet a cache that cannot know the successor yet.
    """

    async def work(stores: "Stores", settings: "Settings", clock: "SystemClock") -> "Outcome":
        rotation = stores.rotation(settings)
        change = rotation.rotate_now if at_once else rotation.rotate
        outcome = await change(clock.now())
        await _remember(stores, clock, f"keys.{outcome.action}", outcome)
        return outcome

    _tell(with_stores(work, redis=True), json=json)


@app.command("revoke")
def revoke(
    kid: Kid,
    reason: Annotated[str, typer.Option(help="Why; kept with the key.")] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: show.Json = False,
) -> None:
    """Put a key out of use for good: its successor signs, and it leaves the JWKS.

    Tokens it signed are refused from then on by verifiers that fetch the JWKS anew.
    """
    if not yes and sys.stdin.isatty():
        typer.confirm(f"Revoke {kid}? Tokens signed with it stop being accepted.", abort=True)

    async def work(stores: "Stores", settings: "Settings", clock: "SystemClock") -> "Outcome":
        record = _named(await stores.keys.all(), kid)
        outcome = await stores.rotation(settings).revoke(record.kid, reason, clock.now())
        await _remember(stores, clock, "keys.revoke", outcome)
        return outcome

    _tell(with_stores(work, redis=True), json=json)


async def _remember(stores: "Stores", clock: "SystemClock", kind: str, outcome: "Outcome") -> None:
    from broker.core.model import AuditEvent

    if outcome.changed:
        detail = {"kid": outcome.subject, "signing": outcome.signing}
        await stores.sql.audit.record(AuditEvent(kind, clock.now(), "operator", detail=detail))


TIMES = {
    "created_at": "published",
    "ready_at": "known to every cache",
    "signs_from": "signs from",
    "signs_until": "signs until",
    "leaves_at": "leaves the JWKS",
    "revoked_at": "revoked",
}


def _facts(
    record: "KeyRecord", records: "tuple[KeyRecord, ...]", now: float, policy: "Policy"
) -> dict[str, Any]:
    """Return what an operator may know of a key: everything but its private half."""
    from keys import policy as rules

    facts = asdict(record)
    del facts["sealed"]
    return facts | {
        "state": rules.state(record, records, now, policy),
        "signs_until": _signs_until(record, records),
        "leaves_at": rules.leaves_at(record, records, policy),
    }


def _signs_until(record: "KeyRecord", records: "tuple[KeyRecord, ...]") -> float | None:
    """Return when a key stops or stopped signing; a revoked one stopped there and then."""
    from keys import policy as rules

    ends = rules.retired_at(record, records)
    if record.revoked_at is None:
        return ends
    return record.revoked_at if ends is None else min(ends, record.revoked_at)


def _stamped(facts: dict[str, Any]) -> dict[str, Any]:
    return facts | {name: show.stamp(facts[name]) for name in TIMES}


def _named(records: "tuple[KeyRecord, ...]", kid: str) -> "KeyRecord":
    """Return the key that is meant.

    Raises:
        Failure: there is none, or several begin like that.
    """
    meant = [one for one in records if one.kid == kid] or [
        one for one in records if len(kid) >= 4 and one.kid.startswith(kid)
    ]
    if len(meant) > 1:
        raise Failure(Exit.USAGE, f"several keys begin with {kid}")
    if not meant:
        raise Failure(Exit.NOT_FOUND, f"there is no signing key {kid}")
    return meant[0]


def _tell(outcome: "Outcome", *, json: bool) -> None:
    if json:
        facts = asdict(outcome)
        moments = ("switches_at", "leaves_at", "resumes_at")
        show.document(facts | {name: show.stamp(facts[name]) for name in moments})
        return
    for sentence in (outcome.happened, outcome.then, outcome.verifiers):
        typer.echo(sentence)
