"""What was measured, for people and for scripts."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.table import Table

COLUMNS: Final = (
    "path, one worker on one core", "requests/s", "p50 / p99 ms", "÷ RSA-2048 signatures/s",
    "÷ its floor",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Measured:
    """One row.

    Attributes:
        name: what was measured.
        requests_per_second: of one worker; whole flows where a flow is more than one request.
        p50_ms, p99_ms: latency of one request with 32 connections.
        rsa_ratio: requests per second ÷ RSA-2048 signatures per second of the same core.
        floor_fraction: requests per second ÷ those of the floor in the same rounds.
    """

    name: str
    requests_per_second: float
    p50_ms: float
    p99_ms: float
    rsa_ratio: float
    floor_fraction: float


@dataclass(frozen=True, slots=True)
class Compared:
    """One row of the comparison with other providers.

    Attributes:
        name: what was measured.
        unit: of what, told in the last column of people's table.
        values: by provider, ours first; None where it is not measured.
    """

    name: str
    unit: str
    values: dict[str, float | None]


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure beside the rows, with its unit as its name in JSON."""

    name: str
    unit: str
    value: float


def write(
    path: Path, rows: list[Measured], figures: list[Figure], compared: list[Compared]
) -> None:
    """Write everything as a JSON list."""
    found: list[dict[str, Any]] = [_rounded(asdict(row)) for row in rows]
    found += [{"name": one.name, one.unit: round(one.value, 3)} for one in figures]
    found += [{"name": one.name, "unit": one.unit, **_rounded(one.values)} for one in compared]
    path.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def show(rows: list[Measured], figures: list[Figure]) -> None:
    """Print a table."""
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("row")
    for name in ("requests/s", "p50 ms", "p99 ms", "÷ RSA", "÷ floor"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(
            row.name,
            f"{row.requests_per_second:,.0f}",
            f"{row.p50_ms:.1f}",
            f"{row.p99_ms:.1f}",
            f"{row.rsa_ratio:.3f}",
            f"{row.floor_fraction:.2f}",
        )
    console = Console(width=100)
    console.print(table)
    for one in figures:
        console.print(f"  {one.name}: {one.value:.2f} {one.unit}", highlight=False)


def markdown(rows: list[Measured], compared: list[Compared]) -> str:
    """Return the tables of the README: ours, and beside others where they were measured."""
    ours = [
        f"| {' | '.join(COLUMNS)} |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        times = f"{row.p50_ms:.1f} / {row.p99_ms:.1f}"
        ratios = f"{row.rsa_ratio:.2f} | {row.floor_fraction:.2f}"
        ours.append(f"| {row.name} | {row.requests_per_second:,.0f} | {times} | {ratios} |")
    if not compared:
        return "\n".join(ours)
    names = list(compared[0].values)
    beside = [f"| | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for each in compared:
        told = " | ".join("—" if v is None else _told(v) for v in each.values.values())
        beside.append(f"| {each.name}, {each.unit} | {told} |")
    return "\n".join([*ours, "", *beside])


def _told(value: float) -> str:
    return f"{value:.0f}" if value >= 20 else f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def _rounded(row: dict[str, Any]) -> dict[str, Any]:
    return {k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()}
