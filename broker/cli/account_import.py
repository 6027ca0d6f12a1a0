"""``broker accounts import``."""

import csv
import json as json_text
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from broker.cli import show
from broker.cli.running import Exit, Failure, reported, with_stores

if TYPE_CHECKING:
    from broker.app.account_import import Imported
    from broker.app.clock import SystemClock
    from broker.app.settings import Settings
    from broker.app.stores import Stores
    from broker.stores.sql.account_import import Taken

BATCH: Final = 200  # accounts a transaction
SHOWN: Final = 20  # faults


def import_accounts(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", exists=True, dir_okay=False, allow_dash=True,
            help="What manage.py dumpdata wrote; - reads standard input.",
        ),
    ],
    *,
    keep_ids: Annotated[
        bool,
        typer.Option(
            "--keep-ids", help="Give each account its Django user's primary key as sub, so that "
            "rows of your apps need no change.",
        ),
    ] = False,
    skip_faulty: Annotated[
        bool, typer.Option("--skip-faulty", help="Take the others where some cannot be taken.")
    ] = False,
    mapping: Annotated[
        Path | None,
        typer.Option("--map", metavar="CSV", help="Write user_id, discord_id and sub of each."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
    ] = False,
    json: show.Json = False,
) -> None:  # fmt: skip
    """Make accounts for the people of a Django site that used django-allauth.

    There: manage.py dumpdata socialaccount.socialaccount auth.user > people.json
    (your own user model in place of auth.user). People are told apart by their
    Discord id alone. Those who have an account here keep it as it is, so the
    command may be repeated; a crash in between loses nothing.

    Nobody is signed in by it, and no password is taken: at their next sign-in
    with Discord people find themselves in their old account.
    """
    with reported():
        document = _document(file)

    async def work(
        stores: "Stores", settings: "Settings", clock: "SystemClock"
    ) -> "tuple[tuple[Imported, ...], list[Taken], tuple[str, ...]]":
        from broker.app.account_import import read

        try:
            found = read(document, settings.discord_cdn_url.rstrip("/"), keep_ids=keep_ids)
        except ValueError as error:
            raise Failure(Exit.REFUSED, f"{file}: {error}") from None
        if found.faults and not skip_faulty:
            told = [*found.faults[:SHOWN], *(["…"] if len(found.faults) > SHOWN else [])]
            raise Failure(Exit.REFUSED, "\n".join([*told, "nothing was done; see --skip-faulty"]))
        taken = [] if dry_run else await _take(stores, found.accounts, clock.now())
        return found.accounts, taken, found.faults

    accounts, taken, faults = with_stores(work)
    if mapping is not None and not dry_run:
        _write_map(mapping, accounts, taken)
    made = sum(one.made for one in taken)
    facts = {"found": len(accounts), "made": made, "known": len(taken) - made,
             "faulty": list(faults), "dry_run": dry_run}  # fmt: skip
    if json:
        show.document(facts)
        return
    for fault in faults:
        typer.secho(f"left out: {fault}", fg="yellow", err=True)
    if dry_run:
        typer.echo(f"{len(accounts)} accounts would be taken. Nothing was done.")
    else:
        typer.echo(f"{made} accounts made, {len(taken) - made} were here before.")


async def _take(stores: "Stores", accounts: "tuple[Imported, ...]", now: float) -> "list[Taken]":
    """Make the accounts, a batch at a time, with a bar where somebody looks on."""
    from broker.stores.sql.account_import import NewAccount, SubjectTaken

    taken: list[Taken] = []
    with typer.progressbar(
        length=len(accounts), label="Accounts", file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as bar:
        for batch in _batches(accounts):
            new = [
                NewAccount(
                    one.profile,
                    one.sub,
                    one.created_at if one.created_at is not None else now,
                    one.last_sign_in_at if one.last_sign_in_at is not None else now,
                    None if one.active else now,
                )
                for one in batch
            ]
            try:
                taken += await stores.sql.account_import.add(new, now=now)
            except SubjectTaken as error:
                reason = f"{error}; {len(taken)} accounts before it were taken"
                raise Failure(Exit.REFUSED, reason) from None
            bar.update(len(batch))
    return taken


def _batches(accounts: "Iterable[Imported]") -> "Iterator[list[Imported]]":
    rest = iter(accounts)
    while batch := list(islice(rest, BATCH)):
        yield batch


def _document(file: Path) -> Any:
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
        return json_text.loads(text)
    except (ValueError, RecursionError):
        raise Failure(Exit.REFUSED, f"{file} is no JSON") from None


def _write_map(path: Path, accounts: "tuple[Imported, ...]", taken: "list[Taken]") -> None:
    subs = {one.subject: one.sub for one in taken}
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("user_id", "discord_id", "sub"))
        for one in accounts:
            writer.writerow((one.user_id, one.profile.subject, subs[one.profile.subject]))
