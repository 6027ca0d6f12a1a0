"""Answers: tables for people, JSON for scripts."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Final

import typer

from broker.core.moments import DAY, stamp, when

__all__ = ["DAY", "Json", "details", "document", "stamp", "table", "when"]

Json = Annotated[bool, typer.Option("--json", help="Answer in JSON, for scripts.")]

STYLES: Final = {
    "signing": "green",
    "next": "cyan",
    "retired": "dim",
    "gone": "dim",
    "revoked": "red",
    "disabled": "red",
    "active": "green",
}


def document(value: Any) -> None:
    """Print a value as JSON."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, empty: str) -> None:
    """Print a table, or ``empty`` where there is nothing to show."""
    from rich import box
    from rich.table import Table

    lines = [tuple(row) for row in rows]
    if not lines:
        typer.echo(empty)
        return
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in columns:
        shown.add_column(name, overflow="fold")
    for row in lines:
        shown.add_row(*(_styled(cell) for cell in row))
    _print(shown)


def details(pairs: Iterable[tuple[str, Any]]) -> None:
    """Print names and values below one another; empty values are left out."""
    from rich.table import Table

    shown = Table(box=None, show_header=False, pad_edge=False)
    shown.add_column(style="dim", no_wrap=True)
    shown.add_column(overflow="fold")
    for name, value in pairs:
        if value not in (None, "", (), []):
            shown.add_row(name, _styled(_text(value)))
    _print(shown)


def _print(shown: Any) -> None:
    from rich.console import Console

    # Where nobody looks on, lines are not folded: a script reads whole values.
    Console(width=None if sys.stdout.isatty() else 200, highlight=False).print(shown)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple | list):
        return "\n".join(str(one) for one in value)
    return str(value)


def _styled(text: str) -> Any:
    from rich.text import Text

    # Text, not markup: a client may be named "[red]".
    return Text(text, style=STYLES.get(text, ""))
