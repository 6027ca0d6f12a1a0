"""``broker clients export`` and ``import``."""

import json as json_text
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from broker.cli import show
from broker.cli.running import Exit, Failure, reported, with_stores

if TYPE_CHECKING:
    from broker.app.clock import SystemClock
    from broker.app.importing import Change, Plan
    from broker.app.settings import Settings
    from broker.app.stores import Stores

LARGEST = 16 * 1024 * 1024  # bytes of a file
WIDEST = 60  # characters of a value in the table of differences


def export_clients(
    client_ids: Annotated[
        list[str] | None, typer.Argument(metavar="[CLIENT_ID]…", help="The apps to write.")
    ] = None,
    *,
    everyone: Annotated[bool, typer.Option("--all", help="All apps.")] = False,
    digests: Annotated[
        bool,
        typer.Option(
            "--digests",
            help="Write the digests of secrets and of registration access tokens too, so that an "
            "import elsewhere accepts the same ones. Keep such a file like a password file.",
        ),
    ] = False,
) -> None:
    """Write apps as a JSON array in the metadata format of RFC 7591, to be imported again.

    Members that no standard names are called like the fields of: broker clients show --json.
    """
    wanted = client_ids or []
    if bool(wanted) == everyone:
        raise typer.BadParameter("name clients, or give --all")

    async def work(stores: "Stores", _settings: "Settings", _clock: "SystemClock") -> list[Any]:
        from broker.core import registration

        known = {one.client.client_id: one.client for one in await stores.sql.clients.list()}
        missing = [client_id for client_id in wanted if client_id not in known]
        if missing:
            raise Failure(Exit.NOT_FOUND, f"there is no client {', '.join(missing)}")
        chosen = dict.fromkeys(wanted or known)
        return [registration.document(known[one], digests=digests) for one in chosen]

    show.document(with_stores(work))


def import_clients(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            allow_dash=True,
            help="A JSON array of apps, or one of them; - reads standard input.",
        ),
    ],
    *,
    update: Annotated[
        bool, typer.Option("--update", help="Change apps that exist; what is omitted is unset.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")
    ] = False,
    json: show.Json = False,
) -> None:
    """Take in apps written by export, or by hand in the metadata format of RFC 7591.

    All or nothing: with one bad entry nothing is changed, and each bad entry is named. Apps keep
    the secrets they have, or get those of client_secret_digests; a new one without them gets a
    new secret, which is shown this once. Apps that the file does not name stay as they are.

    Exit code 4 for an entry that may not be, and for an app that exists and differs, unless
    --update is given.
    """
    with reported():
        entries = _entries(_contents(file))

    async def work(stores: "Stores", settings: "Settings", clock: "SystemClock") -> "Plan":
        from broker.app.clock import SystemEntropy
        from broker.app.importing import plan

        records, now = await stores.sql.clients.list(removed=True), clock.now()
        apis = [record.api for record in await stores.sql.apis.list()]
        found = plan(
            entries,
            records,
            settings,
            apis=apis,
            update=update,
            now=now,
            entropy=SystemEntropy(),
        )
        await _must_sign(found, stores, settings, now)
        if not dry_run:
            await stores.sql.clients.apply(found.added, found.edited, now=now)
        return found

    found = with_stores(work)
    if json:
        show.document(_facts(found, dry_run=dry_run))
        return
    _tell(found, dry_run=dry_run)


def _contents(file: Path) -> bytes:
    if str(file) == "-":
        return sys.stdin.buffer.read(LARGEST)
    try:
        with file.open("rb") as opened:
            return opened.read(LARGEST)
    except OSError as error:
        raise Failure(Exit.FAILED, f"{file} cannot be read: {error.strerror}") from None


def _entries(data: bytes) -> list[Any]:
    try:
        found = json_text.loads(data)
    except (ValueError, RecursionError) as error:
        raise Failure(Exit.REFUSED, f"the file is no JSON: {error}") from None
    if isinstance(found, dict):
        return [found]
    if not isinstance(found, list):
        raise Failure(Exit.REFUSED, "the file must hold a JSON array of clients")
    return found


async def _must_sign(found: "Plan", stores: "Stores", settings: "Settings", now: float) -> None:
    """Refuse clients set to an algorithm that nothing signs with yet."""
    from broker.cli.algorithm_check import check_signs

    chosen = {
        one.client.id_token_signed_response_alg: one
        for one in reversed(found.changes)
        if one.kind != "unchanged" and not one.client.disabled
    }
    for alg, one in chosen.items():
        label = f"entry {one.number} ({one.client.client_id}): id_token_signed_response_alg"
        await check_signs(alg, label, stores, settings, now)


def _facts(found: "Plan", *, dry_run: bool) -> dict[str, Any]:
    told = {kind: list(found.named(kind)) for kind in ("new", "changed", "unchanged")}
    differences = {
        one.client.client_id: {name: [old, new] for name, old, new in one.differences}
        for one in found.changes
        if one.kind == "changed"
    }
    secrets = {one.client.client_id: one.secret for one in found.changes if one.secret}
    return told | {
        "differences": differences,
        "secrets": {} if dry_run else secrets,
        "dry_run": dry_run,
    }


def _tell(found: "Plan", *, dry_run: bool) -> None:
    rows = [row for one in found.changes for row in _rows(one)]
    columns = ("client_id", "change", "member", *(("is", "to be") if dry_run else ("was", "is")))
    show.table(columns, rows, empty="Nothing changes." if dry_run else "Nothing changed.")
    counts = ", ".join(
        f"{len(found.named(kind))} {kind}" for kind in ("new", "changed", "unchanged")
    )
    typer.echo(f"{'Would be' if dry_run else 'Done'}: {counts}.")
    made = [(one.client.client_id, one.secret or "") for one in found.changes if one.secret]
    if made and not dry_run:
        from broker.cli.client_views import ONCE

        show.table(("client_id", "client_secret"), made, empty="")
        typer.secho(ONCE, fg="yellow", err=True)


def _rows(one: "Change") -> list[tuple[str, ...]]:
    if one.kind == "new":
        return [(one.client.client_id, "new", "client_name", "", _shown(one.client.name))]
    return [
        (one.client.client_id, "changed", name, *_values(name, old, new))
        for name, old, new in one.differences
    ]


def _values(name: str, old: Any, new: Any) -> tuple[str, str]:
    if name.endswith(("_digest", "_digests")):
        return "others", "those of the file"
    return _shown(old), _shown(new)


def _shown(value: Any) -> str:
    if value is None:
        return "—"
    text = value if isinstance(value, str) else json_text.dumps(value, ensure_ascii=False)
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"
