"""``broker db``."""

import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from broker.cli import show
from broker.cli.running import Exit, reported

if TYPE_CHECKING:
    from broker.stores.sql.schema import SchemaStatus

app = typer.Typer(help="The database's schema.", no_args_is_help=True)


@app.command("status")
def status(json: show.Json = False) -> None:
    """Show the schema's revision, and what is to be applied. Exit code 4 where it does not fit."""
    found = _on_engine(upgrading=False)
    _tell(found, json=json)
    if not found.usable:
        raise typer.Exit(Exit.REFUSED)


@app.command("upgrade")
def upgrade(json: show.Json = False) -> None:
    """Bring the schema up to date; harmless when it is, or when several do it at once.

    A schema made by a newer broker is left as it is: exit code 4 where this one cannot use it.
    """
    found = _on_engine(upgrading=True)
    _tell(found, json=json)
    if not found.usable:
        raise typer.Exit(Exit.REFUSED)


def _on_engine(*, upgrading: bool) -> "SchemaStatus":
    with reported():
        from broker.app.checks import check
        from broker.app.data_dir import prepare
        from broker.app.loading import load
        from broker.app.stores import database_address
        from broker.cli.quiet import quiet
        from broker.stores.sql import engine, schema

        async def work(address: str) -> "SchemaStatus":
            made = engine.create(address)
            try:
                return await (schema.upgrade if upgrading else schema.status)(made)
            finally:
                await made.dispose()

        settings = load()
        check(settings)
        quiet(settings)
        if settings.database_url is None:
            prepare(settings.data_dir)
        return asyncio.run(work(database_address(settings)))
    raise AssertionError


def _tell(found: "SchemaStatus", *, json: bool) -> None:
    if json:
        show.document(asdict(found) | {"usable": found.usable})
        return
    show.details(
        [
            ("database", found.current or "empty"),
            ("this broker", found.head),
            ("to be applied", found.pending),
            ("state", _state(found)),
        ]
    )


def _state(found: "SchemaStatus") -> str:
    if found.newer:
        return "newer than this broker" + (", and usable" if found.usable else ": upgrade it")
    return "run: broker db upgrade" if found.pending else "up to date"
