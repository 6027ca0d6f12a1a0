"""``broker keys plan``."""

import shutil
import sys
import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from broker.cli import key_words as words
from broker.cli import show
from broker.cli.key_choices import Algorithm, chosen, seconds
from broker.cli.running import with_stores

if TYPE_CHECKING:
    from broker.app.clock import SystemClock
    from broker.app.settings import Settings
    from broker.app.stores import Stores
    from keys.plan import Plan
    from keys.policy import Policy
    from keys.steps import Step

WIDTH: Final = 80
"""Columns where nobody looks on; a terminal's own otherwise, up to `WIDEST`."""
WIDEST: Final = 160
MOST_ROWS: Final = 24
PERIODS: Final = 3


def plan(
    reach: Annotated[
        str | None,
        typer.Option("--for", metavar="DURATION", help="How far, such as 90d. Default: 3 periods."),
    ] = None,
    algorithm: Algorithm = None,
    json: show.Json = False,
) -> None:
    """Show what will happen to the keys and when, drawn and as a table, and what is at risk now.

    Changes nothing. It supposes that a broker runs, or that cron runs
    "broker keys rotate --if-due", and that nobody changes anything meanwhile.
    """

    async def work(
        stores: "Stores", settings: "Settings", clock: "SystemClock"
    ) -> "tuple[Plan, Policy]":
        from keys.plan import plan as foretell
        from keys.risks import look_at_seals

        policy, records = settings.key_policy, await stores.keys.all()
        algorithms = settings.algorithms
        if algorithm is not None:
            algorithms = chosen(algorithm, settings)
            records = tuple(record for record in records if record.alg in algorithms)
        horizon = PERIODS * policy.period if reach is None else seconds("--for", reach)
        seals = look_at_seals(records, stores.vault)
        now = clock.now()
        return foretell(records, algorithms, now, policy, horizon, seals=seals), policy

    found, policy = with_stores(work)
    if json:
        show.document(_document(found))
        return
    tell(found, policy)


def tell(found: "Plan", policy: "Policy") -> None:
    """Print a plan: its picture, its steps, its risks."""
    from broker.cli.key_drawing import BLOCKS, PLAIN, draw

    console = _console()
    plain = not _can_show("░▒█·▚┬▼─→")
    for line in textwrap.wrap(_title(policy), console.width):
        console.print(line, style="dim")
    console.print()
    for line in draw(found, console.width, PLAIN if plain else BLOCKS):
        console.print(line, no_wrap=True, crop=True)
    console.print()
    console.print(_table(found))
    if len(found.steps) > MOST_ROWS:
        console.print(f"{len(found.steps) - MOST_ROWS} steps more; --json tells them all.")
    if not found.whole:
        console.print(f"The plan ends at {show.stamp(found.until)}; it would be too long.")
    console.print()
    _tell_risks(found, console, "->" if plain else "→")


def _console() -> Any:
    from rich.console import Console

    seen = sys.stdout.isatty()
    width = min(WIDEST, shutil.get_terminal_size((WIDTH, 24)).columns) if seen else WIDTH
    return Console(width=width, highlight=False, soft_wrap=False)


def _can_show(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def _title(policy: "Policy") -> str:
    from keys.outcome import span

    return (
        f"A key signs for {span(policy.period)}. Caches know it {span(policy.lead)} after it is "
        f"published; it verifies for {span(policy.overlap)} after it signed. Times are UTC; short "
        "stretches are drawn wider than they are."
    )


def _table(found: "Plan") -> Any:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    several = len({step.alg for step in found.steps}) > 1
    for name in ("when", "UTC", *(("for",) if several else ()), "what happens"):
        table.add_column(name, no_wrap=name != "what happens")
    for one in found.steps[:MOST_ROWS]:
        moment = (show.stamp(one.at) or "").replace("T", " ").rstrip("Z")
        alg = (one.alg,) if several else ()
        row = (show.when(one.at, found.at), moment, *alg, words.step(one))
        table.add_row(*row, style="bold" if one.kind == "begins" else None)
    return table


def _tell_risks(found: "Plan", console: Any, arrow: str) -> None:
    from rich.text import Text

    if not found.risks:
        console.print("Nothing is at risk.", style="green")
        return
    console.print("At risk now", style="bold")
    for one in found.risks:
        seen, cure = words.risk(one, found.at)
        for mark, style, text in (("!", "yellow", seen), (f"  {arrow}", "", cure)):
            indent = len(mark) + 1
            lines = textwrap.wrap(text, console.width - indent, break_on_hyphens=False)
            for number, line in enumerate(lines):
                head = f"{mark} " if number == 0 else " " * indent
                console.print(Text.assemble((head, style), line))


def _document(found: "Plan") -> dict[str, Any]:
    return {
        "at": show.stamp(found.at),
        "until": show.stamp(found.until),
        "whole": found.whole,
        "steps": [step_facts(one) for one in found.steps],
        "keys": [
            {
                "kid": bar.kid,
                "alg": bar.alg,
                "phases": [
                    {
                        "phase": one.kind,
                        "start": show.stamp(one.start),
                        "end": show.stamp(one.end),
                    }
                    for one in bar.phases
                ],
            }
            for bar in found.bars
        ],
        "risks": [
            asdict(one)
            | {"since": show.stamp(one.since), "until": show.stamp(one.until)}
            | dict(zip(("seen", "cure"), words.risk(one, found.at), strict=True))
            for one in found.risks
        ],
    }


def step_facts(one: "Step") -> dict[str, Any]:
    """Return a step for scripts."""
    return asdict(one) | {"at": show.stamp(one.at), "what": words.step(one, str)}
