"""``broker accounts``."""

from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from broker.cli import show
from broker.cli.moments import MOMENT, moment
from broker.cli.paging import PAGE, After, Limit, tell_rest
from broker.cli.running import Exit, Failure, with_stores

if TYPE_CHECKING:
    from broker.app.clock import SystemClock
    from broker.app.settings import Settings
    from broker.app.stores import Stores
    from broker.stores.sql.records import AccountRecord, BanRecord

app = typer.Typer(help="The people who sign in.", no_args_is_help=True)

Stands = Literal["active", "disabled", "leaving"]
_WANTS: Final = {"person": "its person", "operator": "an operator"}

Who = Annotated[
    str,
    typer.Argument(
        metavar="WHO", help="Account identifier, sub, Discord snowflake, username or e-mail."
    ),
]


@app.command("list")
def list_accounts(
    *,
    query: Annotated[
        str,
        typer.Option(
            "--query", "-q", help="Part of a name, username or e-mail, or a whole Discord id."
        ),
    ] = "",
    state: Annotated[
        Stands | None,
        typer.Option(help="How they stand. Deleted ones that are banned: broker accounts bans."),
    ] = None,
    operators: Annotated[
        bool, typer.Option("--operators", help="Those who may use the console.")
    ] = False,
    since: Annotated[
        str | None, typer.Option(metavar="WHEN", help=f"Last signed in from when on: {MOMENT}.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="WHEN", help="Last signed in before when; likewise.")
    ] = None,
    limit: Limit = PAGE,
    after: After = None,
    json: show.Json = False,
) -> None:
    """List accounts in the order of their identifiers, all or those that fit.

    Such as: broker accounts list --state active --until 365d
    """

    async def work(
        stores: "Stores", _settings: "Settings", clock: "SystemClock"
    ) -> "tuple[tuple[AccountRecord, ...], float]":
        from broker.stores.sql.account_search import AccountFilter, State

        now = clock.now()
        span = moment("--since", since, now), moment("--until", until, now)
        stands = None if state is None else State(state)
        wanted = AccountFilter(query, stands, operators, *span)
        return await stores.sql.accounts.page(wanted, limit, after), now

    records, now = with_stores(work)
    if json:
        show.document([_facts(record) for record in records])
        return
    narrowed = any((query, state, operators, since, until, after))
    show.table(
        ("account", "name", "username", "e-mail", "state", "last sign-in"),
        [
            (
                one.account_id,
                one.name,
                one.username,
                one.email or "",
                _state(one),
                show.when(one.last_sign_in_at, now),
            )
            for one in records
        ],
        empty="Nobody fits." if narrowed else "Nobody has signed in yet.",
    )
    tell_rest(records, limit)


@app.command("show")
def show_account(who: Who, json: show.Json = False) -> None:
    """Show one account, its identities and what it has agreed to."""

    async def work(
        stores: "Stores", _settings: "Settings", _clock: "SystemClock"
    ) -> "AccountRecord":
        return await found(stores, who)

    record = with_stores(work)
    if json:
        show.document(_facts(record))
        return
    show.details(
        [
            ("account", record.account_id),
            ("sub", record.sub),
            ("state", _state(record)),
            ("disabled", show.stamp(record.disabled_at)),
            ("reason", record.disabled_reason),
            ("name", record.name),
            ("username", record.username),
            ("e-mail", record.email),
            ("e-mail verified", record.email_verified if record.email else None),
            ("picture", record.picture),
            ("locale", record.locale),
            (
                "identities",
                [f"{one.upstream} {one.subject} ({one.username})" for one in record.identities],
            ),
            ("agreed to", [f"{client}: {scope}" for client, scope in record.consents.items()]),
            ("made", show.stamp(record.created_at)),
            ("last sign-in", show.stamp(record.last_sign_in_at)),
            ("signed out before", show.stamp(record.not_before or None)),
            ("will be deleted", show.stamp(record.delete_at)),
            ("as is wanted by", _WANTS.get(record.delete_by or "")),
        ]
    )


@app.command("disable")
def disable(
    who: Who,
    reason: Annotated[str, typer.Option(help="Why; kept with the account.")] = "",
    json: show.Json = False,
) -> None:
    """Switch an account off: it cannot sign in, and all it began ends at once."""
    _end(who, "disabled", reason, json=json)


def sign_out(who: Who, json: show.Json = False) -> None:
    """End every session, code and grant of an account; it may sign in again."""
    _end(who, "signed out", "", json=json)


def _end(who: str, what: str, reason: str, *, json: bool) -> None:
    async def work(
        stores: "Stores", _settings: "Settings", clock: "SystemClock"
    ) -> "tuple[AccountRecord, tuple[tuple[str, str], ...] | None]":
        record, now = await found(stores, who), clock.now()
        if what == "disabled":
            facts = await stores.sql.accounts.disable(record.account_id, reason, now)
        else:
            facts = await stores.sql.accounts.sign_out(record.account_id, now)
        ended = await _ended(stores, record.account_id, facts)
        await tidy(stores, clock)
        return record, ended

    record, ended = with_stores(work, redis=True)
    say(record, what, ended, carried=ended is not None, json=json)


async def _ended(
    stores: "Stores", account_id: str, facts: Any
) -> tuple[tuple[str, str], ...] | None:
    """Carry the change to Redis right away; None where Redis is out of reach.

    The change is committed in SQL with its outbox row, so a server carries it out (once more, or
    for the first time) whatever happens here.
    """
    from broker.core.errors import StoreUnavailable

    try:
        return (await stores.redis.accounts.end_all(account_id, facts)).grants
    except StoreUnavailable:
        return None


async def put(stores: "Stores", account_id: str, facts: Any) -> bool:
    """Carry a change that ends nothing; False where Redis is out of reach, as for ``_ended``."""
    from broker.core.errors import StoreUnavailable

    try:
        await stores.redis.accounts.put_facts(account_id, facts)
    except StoreUnavailable:
        return False
    return True


async def tidy(stores: "Stores", clock: "SystemClock") -> None:
    """Leave nothing to carry for servers that may not be running; what one has taken is its own."""
    from broker.core.errors import StoreUnavailable
    from broker.stores.sql.drain import drain_once

    with suppress(StoreUnavailable):
        while await drain_once(stores.sql.outbox, stores.carry, clock=clock):
            continue


def say(
    record: "AccountRecord | BanRecord",
    what: str,
    ended: tuple[tuple[str, str], ...] | None,
    *,
    carried: bool,
    json: bool,
    told: str = "",
) -> None:
    """Say what was done.

    Args:
        record: the account, or what is left of it.
        what: what it is now, in one word.
        ended: grants that ended, and whose; None where nothing was to, or Redis is out of reach.
        carried: whether Redis knows.
        json: whether a script asks.
        told: a sentence in place of the usual one.
    """
    clients = sorted({client for _, client in ended or ()})
    if json:
        show.document(
            {
                "account_id": record.account_id,
                "action": what,
                "grants_ended": len(ended or ()),
                "clients": clients,
                "effective": carried,
            }
        )
        return
    typer.echo(told or f"{record.name} ({record.account_id}) is {what}.")
    if ended is not None and what != "withdrawn":
        apps = f" of {', '.join(clients)}" if clients else ""
        typer.echo(f"All sessions ended, and {len(ended)} grants{apps}.")
    if not carried:
        typer.secho(
            "Redis is out of reach: the change is kept, and a server carries it out as soon as "
            "Redis is back.",
            fg="yellow",
            err=True,
        )


async def found(stores: "Stores", who: str) -> "AccountRecord":
    """Return the one account that a reference means.

    Raises:
        Failure: there is none, or it may mean several.
    """
    records = await stores.sql.accounts.find(who)
    if not records:
        raise Failure(Exit.NOT_FOUND, f"there is no account {who}; see: broker accounts list -q")
    if len(records) > 1:
        names = ", ".join(record.account_id for record in records)
        raise Failure(Exit.USAGE, f"{who} may mean several accounts: {names}")
    return records[0]


def _state(record: "AccountRecord") -> str:
    from broker.stores.sql.account_search import state_of

    return state_of(record).value


def _facts(record: "AccountRecord") -> dict[str, Any]:
    found = asdict(record)
    moments = ("created_at", "updated_at", "last_sign_in_at", "disabled_at", "delete_at")
    found |= {name: show.stamp(found[name]) for name in moments}
    found["not_before"] = show.stamp(record.not_before or None)
    for one in found["identities"]:
        one |= {name: show.stamp(one[name]) for name in ("created_at", "last_seen_at")}
    return found | {"state": _state(record)}
