"""``broker audit``: reading the audit log, taking it away, forgetting what is old of it."""

import re
import sys
from typing import TYPE_CHECKING, Annotated, Final

import typer

from broker.cli import show
from broker.cli.confirming import Yes, sure
from broker.cli.moments import MOMENT, duration, moment
from broker.cli.paging import PAGE, Limit
from broker.cli.running import Exit, Failure, with_stores

if TYPE_CHECKING:
    from broker.admin.views.events import EventLine
    from broker.app.clock import SystemClock
    from broker.app.settings import Settings
    from broker.app.stores import Stores
    from broker.stores.sql.records import AuditEntry

app = typer.Typer(
    help="What happened, who did it, and when. Servers forget it after BROKER_AUDIT_LIFETIME.",
    no_args_is_help=True,
)

_ACCOUNT: Final = re.compile(r"[0-9a-f]{32}")


Since = Annotated[str | None, typer.Option(metavar="WHEN", help=f"From when on: {MOMENT}.")]
Until = Annotated[str | None, typer.Option(metavar="WHEN", help="Before when; likewise.")]
Kind = Annotated[
    str, typer.Option(help="One kind, such as grant.reused; keys. with its dot: all such.")
]
App = Annotated[str | None, typer.Option("--client", help="Of one app, by its client_id.")]


@app.command("list")
def list_events(
    *,
    since: Since = None,
    until: Until = None,
    kind: Kind = "",
    account: Annotated[
        str | None,
        typer.Option(
            metavar="WHO", help="Of one account: its identifier, Discord snowflake or username."
        ),
    ] = None,
    client: App = None,
    limit: Limit = PAGE,
    json: show.Json = False,
) -> None:
    """List what happened, newest first, people and apps by their names."""

    async def work(
        stores: "Stores", settings: "Settings", clock: "SystemClock"
    ) -> "tuple[tuple[AuditEntry, ...], tuple[EventLine, ...], float]":
        from broker.admin.views import events
        from broker.app.upstreams import providers
        from broker.stores.sql.audit import AuditFilter

        now = clock.now()
        whose = None if account is None else await known(stores, account)
        span = moment("--since", since, now), moment("--until", until, now)
        entries = await stores.sql.audit.page(AuditFilter(whose, client, kind, *span), limit)
        titles = {one.name: one.title for one in providers(settings)}
        lines = await events.lines(entries, stores.sql, lambda name: titles.get(name, name))
        return entries, lines, now

    entries, lines, now = with_stores(work)
    if json:
        from broker.app import audit_export

        show.document([audit_export.facts(entry) for entry in entries])
        return
    show.table(
        ("when", "what", "who did it", "person", "app", "more"),
        [
            (
                show.when(one.at, now),
                one.kind,
                one.actor,
                one.account,
                one.client,
                "; ".join(f"{name}: {text}" for name, text in one.more),
            )
            for one in lines
        ],
        empty="Nothing such is in the log.",
    )


@app.command("export")
def export(
    *,
    since: Since = None,
    until: Until = None,
    kind: Kind = "",
    account: Annotated[str | None, typer.Option(help="Of one account, by its identifier.")] = None,
    client: App = None,
    form: Annotated[
        str, typer.Option("--format", metavar="jsonl|csv", help="JSON lines, or a sheet.")
    ] = "jsonl",
) -> None:
    """Write audit events to standard output, oldest first, however many there are.

    Such as: broker audit export --since 7d --kind keys. --format csv > keys.csv
    """

    async def work(stores: "Stores", _settings: "Settings", clock: "SystemClock") -> None:
        from broker.app import audit_export
        from broker.stores.sql.audit import AuditFilter

        if form not in audit_export.FORMS:
            raise Failure(Exit.USAGE, "--format takes jsonl or csv")
        now = clock.now()
        wanted = AuditFilter(
            account, client, kind, moment("--since", since, now), moment("--until", until, now)
        )
        write = audit_export.row if form == "csv" else audit_export.line
        if form == "csv":
            sys.stdout.write(audit_export.head())
        async for entry in stores.sql.audit.each(wanted):
            sys.stdout.write(write(entry))

    with_stores(work)


@app.command("prune")
def prune(
    older_than: Annotated[
        str, typer.Option(metavar="DURATION", help="Such as 90d; a day at the least.")
    ],
    yes: Yes = False,
    json: show.Json = False,
) -> None:
    """Forget audit events older than you say, now; that it was done is in the log itself."""

    async def work(stores: "Stores", _settings: "Settings", clock: "SystemClock") -> int:
        from broker.core.model import AuditEvent
        from broker.core.moments import DAY

        age = duration("--older-than", older_than)
        if age < DAY:
            raise Failure(Exit.USAGE, "--older-than takes a day at the least")
        sure(f"Forget audit events older than {older_than} for good", yes=yes)
        now = clock.now()
        removed = await stores.sql.audit.prune(now - age)
        if removed:
            detail = {"removed": removed, "before": show.stamp(now - age)}
            event = AuditEvent("audit.pruned", now, "operator", detail=detail)
            await stores.sql.audit.record(event)
        return removed

    removed = with_stores(work)
    if json:
        show.document({"removed": removed})
    else:
        typer.echo(f"{removed} events were forgotten.")


async def known(stores: "Stores", who: str) -> str:
    """Return the identifier of the one account that a reference means.

    What looks like an identifier may be that of somebody who is gone, of whom the log still tells.

    Raises:
        Failure: there is none, or it may mean several.
    """
    from broker.cli.account_commands import found

    try:
        return (await found(stores, who)).account_id
    except Failure:
        if _ACCOUNT.fullmatch(who):
            return who
        raise
