"""``broker audit``: taking the audit log away, and forgetting what is old of it."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from broker.cli import show
from broker.cli.confirming import Yes, sure
from broker.cli.running import Exit, Failure, with_stores

if TYPE_CHECKING:
    from broker.app.clock import SystemClock
    from broker.app.settings import Settings
    from broker.app.stores import Stores

app = typer.Typer(
    help="What happened, who did it, and when. Servers forget it after BROKER_AUDIT_LIFETIME.",
    no_args_is_help=True,
)

MOMENT = "a day such as 2026-01-31 (UTC), a moment such as 2026-01-31T12:00:00Z, or 7d for ago"


@app.command("export")
def export(
    *,
    since: Annotated[
        str | None, typer.Option(metavar="WHEN", help=f"From when on: {MOMENT}.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="WHEN", help="Before when; likewise.")
    ] = None,
    kind: Annotated[
        str, typer.Option(help="One kind, such as grant.reused; keys. with its dot: all such.")
    ] = "",
    account: Annotated[str | None, typer.Option(help="Of one account, by its identifier.")] = None,
    client: Annotated[str | None, typer.Option(help="Of one app, by its client_id.")] = None,
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

        age = _duration("--older-than", older_than)
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


def moment(option: str, text: str | None, now: float) -> float | None:
    """Return the UTC seconds that a text means; None for None.

    Raises:
        Failure: it is neither a day, nor a moment, nor a length of time.
    """
    from datetime import UTC, datetime

    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return now - _duration(option, text)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _duration(option: str, text: str) -> float:
    from broker.core import durations

    try:
        return float(durations.parse(text))
    except (ValueError, OverflowError) as error:
        raise Failure(Exit.USAGE, f"{option}: {error}") from None
