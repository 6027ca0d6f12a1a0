"""Answers: tables for people, JSON for scripts."""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer

Json = Annotated[bool, typer.Option("--json", help="Answer in JSON, for scripts.")]

DAY: Final = 86400
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


def stamp(seconds: float | None) -> str | None:
    """Return a moment as ISO 8601 in UTC, or None."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def when(seconds: float | None, now: float) -> str:
    """Return a moment as people say it: ``in 3 d``, ``5 min ago``; empty for None."""
    if seconds is None:
        return ""
    away = seconds - now
    if abs(away) < 1:
        return "now"
    size = _size(abs(away))
    return f"in {size}" if away > 0 else f"{size} ago"


def _size(seconds: float) -> str:
    for unit, length in (("d", DAY), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
