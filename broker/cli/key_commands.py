"""``broker keys``."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from broker.cli import key_changes, key_export, key_import, key_plan, show
from broker.cli.key_choices import Kid, named
from broker.cli.running import with_stores

if TYPE_CHECKING:
    from broker.app.clock import SystemClock
    from broker.app.settings import Settings
    from broker.app.stores import Stores
    from keys.model import KeyRecord
    from keys.policy import Policy

app = typer.Typer(help="The keys that sign tokens.", no_args_is_help=True)


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
    several = len({one["alg"] for one in found}) > 1
    show.table(
        ("key", *(("for",) if several else ()), "state", "made", "signs from", "until", LEAVES),
        [
            (
                one["kid"],
                *((one["alg"],) if several else ()),
                _state(one),
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
        record = named(records, kid)
        return _facts(record, records, now, settings.key_policy), now

    found, now = with_stores(work)
    if json:
        show.document(_stamped(found))
        return
    times = {name: value for name, value in found.items() if name in TIMES and value is not None}
    show.details(
        [
            ("key", found["kid"]),
            ("state", _state(found)),
            ("algorithm", found["alg"]),
            *(
                (TIMES[name], f"{show.stamp(value)} ({show.when(value, now)})")
                for name, value in times.items()
            ),
            ("reason", found["revoked_reason"]),
            ("predecessor", found["predecessor"]),
            *_public_half(found["public_jwk"]),
        ]
    )


LEAVES = "leaves the JWKS"
TIMES = {
    "created_at": "published",
    "ready_at": "known to every cache",
    "signs_from": "signs from",
    "signs_until": "signs until",
    "leaves_at": LEAVES,
    "revoked_at": "revoked",
}


def _facts(
    record: "KeyRecord", records: "tuple[KeyRecord, ...]", now: float, policy: "Policy"
) -> dict[str, Any]:
    """Return what an operator may know of a key: everything but its private half."""
    from keys import policy as rules
    from keys.model import outsider

    facts = asdict(record)
    del facts["sealed"]
    if record.predecessor == outsider(record.kid):  # it never signs here
        facts |= {"predecessor": None, "ready_at": None, "signs_from": None}
    return facts | {
        "state": rules.state(record, records, now, policy),
        "signs_until": _signs_until(record, records),
        "leaves_at": rules.leaves_at(record, records, policy),
    }


def _state(facts: dict[str, Any]) -> str:
    """Return what a key is, in the word for people: one that never signed here is not retired."""
    elsewhere = facts["state"] == "retired" and facts["signs_from"] is None
    return "verifies" if elsewhere else str(facts["state"])


def _public_half(jwk: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the members of a public key that tell it from others, under names people know."""
    known = {"n": "modulus", "crv": "curve", "x": "x", "y": "y"}
    return [(said, jwk[name]) for name, said in known.items() if name in jwk]


def _signs_until(record: "KeyRecord", records: "tuple[KeyRecord, ...]") -> float | None:
    """Return when a key stops or stopped signing; a revoked one stopped there and then."""
    from keys import policy as rules

    ends = rules.retired_at(record, records)
    if record.revoked_at is None:
        return ends
    return record.revoked_at if ends is None else min(ends, record.revoked_at)


def _stamped(facts: dict[str, Any]) -> dict[str, Any]:
    return facts | {name: show.stamp(facts[name]) for name in TIMES}


app.command("plan")(key_plan.plan)
app.command("rotate")(key_changes.rotate)
app.command("revoke")(key_changes.revoke)
app.command("prune")(key_changes.prune)
app.command("import")(key_import.import_key)
app.command("export")(key_export.export)
