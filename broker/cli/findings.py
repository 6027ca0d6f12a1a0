"""Findings, as an operator reads them: a mark, what was seen, and the cure."""

import shutil
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import typer

if TYPE_CHECKING:
    from broker.doctor.model import Finding, Section

MARKS: Final = {"pass": ("✓", "green"), "warn": ("!", "yellow"), "fail": ("✗", "red")}
NAME_WIDTH: Final = 20
WIDEST: Final = 110


def tell(title: str, sections: "Sequence[Section]") -> None:
    """Print all findings, section by section."""
    typer.echo(title)
    for section in sections:
        heading(section.title)
        for finding in section.findings:
            line(finding)


def heading(title: str) -> None:
    """Print a section's title."""
    typer.echo(f"\n{typer.style(title, bold=True)}")


def line(finding: "Finding") -> None:
    """Print one finding, and its cure below it."""
    mark, colour = MARKS[finding.verdict]
    first, *rest = _wrapped(finding.seen)
    typer.echo(f"{typer.style(mark, fg=colour)} {finding.name:<{NAME_WIDTH}} {first}")
    margin = " " * (NAME_WIDTH + 3)
    for more in rest:
        typer.echo(margin + more)
    if finding.cure:
        first, *rest = _wrapped(finding.cure, 2)
        typer.echo(f"{margin}{typer.style('→', fg=colour)} {first}")
        for more in rest:
            typer.echo(f"{margin}  {more}")


def counts(sections: "Sequence[Section]") -> dict[str, int]:
    """Return how many findings ended in which way."""
    seen = [str(one.verdict) for section in sections for one in section.findings]
    return {verdict: seen.count(verdict) for verdict in MARKS}


def summary(sections: "Sequence[Section]") -> None:
    """Print how it stands, in one line."""
    number = counts(sections)
    told = f"{number['pass']} right, {number['warn']} risky, {number['fail']} wrong."
    if number["fail"]:
        word, colour = "Something is wrong; see ✗ and its cure.", "red"
    elif number["warn"]:
        word, colour = "It works; see ! for what is risky.", "yellow"
    else:
        word, colour = "Everything is right.", "green"
    typer.echo(f"\n{typer.style(word, fg=colour)} {told}")


def _wrapped(text: str, less: int = 0) -> list[str]:
    columns = min(WIDEST, shutil.get_terminal_size((WIDEST, 24)).columns)
    width = max(40, columns - NAME_WIDTH - 3 - less)
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False) or [""]
