"""Answers: tables for people, JSON for scripts."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from broker.core.moments import DAY, stamp, when

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["DAY", "Json", "details", "document", "stamp", "table", "when"]

Json = Annotated[bool, typer.Option("--json", help="Answer in JSON, for scripts.")]

FOLDED: Final = 20  # letters to which a column may be folded
GAP: Final = 2  # between columns
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
    """Print a table, or ``empty`` where there is nothing to show.

    On a terminal too narrow for it the rows stand below one another instead.
    """
    from rich import box
    from rich.table import Table

    lines = [tuple(row) for row in rows]
    if not lines:
        typer.echo(empty)
        return
    console = _console()
    if _needed(columns, lines) > console.width:
        _stacked(columns, lines)
        return
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in columns:
        shown.add_column(name, overflow="fold")
    for row in lines:
        shown.add_row(*(_styled(cell) for cell in row))
    console.print(shown)


def _needed(columns: Sequence[str], lines: Sequence[Sequence[str]]) -> int:
    """Return how wide a table has to be to be read: no column is folded below so many letters."""
    widths = [
        max(len(part) for cell in cells for part in (cell.splitlines() or [""]))
        for cells in zip(columns, *lines, strict=True)
    ]
    return sum(min(width, FOLDED) + GAP for width in widths)


def _stacked(columns: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    """Print each row below the one before, a name and its value a line."""
    for number, row in enumerate(lines):
        if number:
            typer.echo()
        details(zip(columns, row, strict=True))


def details(pairs: Iterable[tuple[str, Any]]) -> None:
    """Print names and values below one another; empty values are left out."""
    from rich.table import Table

    shown = Table(box=None, show_header=False, pad_edge=False)
    shown.add_column(style="dim", no_wrap=True)
    shown.add_column(overflow="fold")
    for name, value in pairs:
        if value not in (None, "", (), []):
            shown.add_row(name, _styled(_text(value)))
    _console().print(shown)


def _console() -> "Console":
    from rich.console import Console

    # Where nobody looks on, lines are not folded: a script reads whole values.
    return Console(width=None if sys.stdout.isatty() else 200, highlight=False)


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
