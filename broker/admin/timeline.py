"""Keys in time as a picture for a page: one row a key, time from left to right.

As in ``broker.cli.key_drawing`` every stretch between two events has some room, whatever its true
length, and the rest is shared out to scale: minutes would be lost beside months. What happens at
one moment stands above itself, in every row.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from keys.lives import Bar
from keys.plan import Plan

WIDTH: Final = 720.0
MARGIN: Final = 110.0  # for the names of keys
ROW: Final = 30.0
LEAST: Final = 12.0
NAMED: Final = 112.0  # as much as the name of a moment takes


@dataclass(frozen=True, slots=True)
class Piece:
    """A phase of a key's life, as drawn.

    Attributes:
        kind: which phase.
        x, width: where it stands.
        start, end: when it begins and ends, UTC seconds; None where no end is planned.
    """

    kind: str
    x: float
    width: float
    start: float
    end: float | None


@dataclass(frozen=True, slots=True)
class Row:
    """A key: its name, algorithm, place, and pieces."""

    kid: str
    alg: str
    y: float
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """The whole: its rows, its size, and the moments that its axis names, with their places."""

    rows: tuple[Row, ...]
    height: float
    moments: tuple[tuple[float, float], ...]


def picture(plan: Plan) -> Picture:
    """Return a plan of keys as a picture."""
    places = _places(plan)
    rows = tuple(
        Row(bar.kid, bar.alg, place * ROW, tuple(_pieces(bar, plan, places)))
        for place, bar in enumerate(plan.bars)
    )
    named, last = [], -WIDTH
    for moment, x in places.items():
        if x - last >= NAMED:
            named.append((moment, x))
            last = x
    return Picture(rows, len(rows) * ROW + 24, tuple(named))


def _places(plan: Plan) -> dict[float, float]:
    """Return where each moment at which something happens stands."""
    found = {plan.at, plan.until}
    for bar in plan.bars:
        for phase in bar.phases:
            found |= {at for at in (phase.start, phase.end) if at and plan.at < at < plan.until}
    moments = sorted(found)
    least = min(LEAST, (WIDTH - MARGIN) / (2 * max(len(moments) - 1, 1)))
    scale = (WIDTH - MARGIN - least * (len(moments) - 1)) / max(plan.until - plan.at, 1)
    places, x = {moments[0]: MARGIN}, MARGIN
    for before, after in pairwise(moments):
        x += least + (after - before) * scale
        places[after] = x
    return places


def _pieces(bar: Bar, plan: Plan, places: dict[float, float]) -> Iterable[Piece]:
    for phase in bar.phases:
        start = min(max(phase.start, plan.at), plan.until)
        end = plan.until if phase.end is None else min(max(phase.end, plan.at), plan.until)
        if start < end:
            width = places[end] - places[start]
            yield Piece(phase.kind, places[start], width, phase.start, phase.end)
