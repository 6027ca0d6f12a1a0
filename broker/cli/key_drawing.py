"""A plan of keys as a picture: one row a key, time from left to right.

An axis true to scale would hide minutes beside months. So every stretch between two events is
drawn with `LEAST` cells or more, what is left is shared out to scale, and each phase that has
room has its true length written at it. Order and simultaneity are exact: what happens at one
moment stands in one column, in every row.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby, pairwise
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from broker.cli.key_words import short

if TYPE_CHECKING:
    from keys.lives import Bar, Phase
    from keys.plan import Plan

LEAST: Final = 2
PAST: Final = 0.06
"""How much of the picture the past may take."""
CROWD: Final = 0.7
"""How much of the width short stretches may take; what comes later is left out of the picture."""
DAY: Final = 86400.0


@dataclass(frozen=True, slots=True)
class Look:
    """The characters of a picture, phase by phase, and those of its axis."""

    phases: dict[str, str]
    rule: str
    tick: str
    now: str


BLOCKS: Final = Look(
    {"learning": "·", "waiting": "░", "signing": "█", "verifying": "▒", "revoked": "▚"},
    "─", "┬", "▼",
)  # fmt: skip
PLAIN: Final = Look(
    {"learning": ".", "waiting": "-", "signing": "#", "verifying": "=", "revoked": "x"},
    "-", "+", "v",
)  # fmt: skip

STYLES: Final = {
    "learning": "yellow",
    "waiting": "cyan",
    "signing": "bold green",
    "verifying": "blue",
    "revoked": "red",
}
MEANINGS: Final = {
    "learning": "caches learn it",
    "waiting": "known, waits",
    "signing": "signs",
    "verifying": "verifies only",
    "revoked": "revoked",
}


def draw(plan: "Plan", width: int, look: Look) -> list[Any]:
    """Return the lines of the picture, as rich texts of ``width`` columns or fewer.

    Args:
        plan: what to draw; it has a bar at the least.
        width: the columns there are.
        look: the characters to draw with.
    """
    names = _names(plan.bars)
    margin = max(map(len, names)) + 2
    axis = _Axis.of(plan, max(20, width - margin))
    drawn = [(name, bar) for name, bar in zip(names, plan.bars, strict=True) if axis.shows(bar)]
    rows = [_row(name.ljust(margin), bar, plan.at, axis, look) for name, bar in drawn]
    return [*_ruler(plan, margin, axis, look), *rows, *_legend([bar for _, bar in drawn], look)]


def _names(bars: "Sequence[Bar]") -> list[str]:
    """Return what the rows are called; the algorithm is named where there are several."""
    if len({bar.alg for bar in bars}) == 1:
        return [short(bar.kid) for bar in bars]
    longest = max(len(bar.alg) for bar in bars)
    return [f"{bar.alg:<{longest}}  {short(bar.kid)}" for bar in bars]


# ── the axis ───────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Axis:
    """Where moments stand.

    Attributes:
        moments: the moments at which something begins or ends, the ends of the axis included.
        columns: the column of each.
    """

    moments: tuple[float, ...]
    columns: tuple[int, ...]

    @classmethod
    def of(cls, plan: "Plan", width: int) -> "_Axis":
        """Place every moment of a plan on so many columns."""
        phases = [phase for bar in plan.bars for phase in bar.phases]
        ends = {phase.end for phase in phases if phase.end is not None}
        every = {phase.start for phase in phases} | ends
        begin = max(min(every), plan.at - PAST * (plan.until - plan.at))
        inside = sorted({begin, plan.at, plan.until, *(m for m in every if begin < m < plan.until)})
        most = max(2, int(width * CROWD / LEAST))
        moments = tuple(inside[: most + 1])
        return cls(moments, _places([b - a for a, b in pairwise(moments)], width))

    def shows(self, bar: "Bar") -> bool:
        """Tell whether a bar begins within the axis."""
        return bar.phases[0].start < self.moments[-1]

    def column(self, moment: float) -> int:
        """Return the column of a moment; what lies outside is at the nearer end."""
        inside = min(max(moment, self.moments[0]), self.moments[-1])
        return self.columns[bisect_left(self.moments, inside)]


def _places(lengths: list[float], width: int) -> tuple[int, ...]:
    """Return the column at which each stretch begins, and the one after the last.

    Short stretches get `LEAST` columns; the others share what is left, to scale.
    """
    fixed: set[int] = set()
    while True:
        free = width - LEAST * len(fixed)
        total = sum(length for i, length in enumerate(lengths) if i not in fixed) or 1.0
        small = {i for i, n in enumerate(lengths) if i not in fixed and free * n / total < LEAST}
        if not small:
            break
        fixed |= small
    places, exact = [0], 0.0
    for i, length in enumerate(lengths):
        exact += LEAST if i in fixed else free * length / total
        places.append(round(exact))
    return tuple(places)


def _ruler(plan: "Plan", margin: int, axis: _Axis, look: Look) -> list[Any]:
    """Return the dates, and the line below with a tick for each change-over and one for now."""
    from rich.text import Text

    width = axis.columns[-1]
    rule = [look.rule] * width
    labels = [" "] * (margin + width)
    moments = [phase.start for bar in plan.bars for phase in bar.phases if phase.kind == "signing"]
    ticks = [moment for moment in sorted(set(moments)) if plan.at < moment < axis.moments[-1]]
    for moment, label in [(plan.at, "now"), *((one, _date(one, plan, axis)) for one in ticks)]:
        column = min(axis.column(moment), width - 1)
        rule[column] = look.now if moment == plan.at else look.tick
        start = min(max(0, margin + column - len(label) // 2), margin + width - len(label))
        if not "".join(labels[max(0, start - 1) : start + len(label) + 1]).strip():
            labels[start : start + len(label)] = label
    return [
        Text("".join(labels).rstrip(), style="bold"),
        Text(" " * margin + "".join(rule), style="dim"),
    ]


def _date(moment: float, plan: "Plan", axis: _Axis) -> str:
    """Return a moment as finely as the axis asks for, in UTC."""
    at, now = (datetime.fromtimestamp(one, UTC) for one in (moment, plan.at))
    reach = axis.moments[-1] - axis.moments[0]
    clock = f"{at:%H:%M:%S}" if reach < 1800 else f"{at:%H:%M}"
    if reach <= DAY:
        return clock
    day = f"{at.day} {at:%b}" + (f" {at.year}" if at.year != now.year else "")
    return f"{day} {clock}" if reach <= 7 * DAY else day


# ── the rows ───────────────────────────────────────────────────────────────────────────────


def _row(label: str, bar: "Bar", now: float, axis: _Axis, look: Look) -> Any:
    from rich.text import Text

    width = axis.columns[-1]
    cells = [" "] * width
    styles = [""] * width
    for phase in bar.phases:
        left, right = _span_of(phase, axis)
        for column in range(left, right):
            cells[column], styles[column] = look.phases[phase.kind], STYLES[phase.kind]
    for phase in bar.phases:
        _write_length(phase, now, cells, styles, axis)
    row = Text(label)
    for style, run in groupby(zip(cells, styles, strict=True), key=itemgetter(1)):
        row.append("".join(cell for cell, _ in run), style)
    row.rstrip()
    return row


def _span_of(phase: "Phase", axis: _Axis) -> tuple[int, int]:
    end = axis.moments[-1] if phase.end is None else phase.end
    return axis.column(phase.start), axis.column(end)


def _write_length(
    phase: "Phase", now: float, cells: list[str], styles: list[str], axis: _Axis
) -> None:
    """Write how long a phase lasts (still): into it, else beside it, where there is room."""
    from keys.outcome import span

    left, right = _span_of(phase, axis)
    if phase.end is None or not now < phase.end <= axis.moments[-1]:
        return
    said = f"{span(phase.end - now)} left" if phase.start < now else span(phase.end - phase.start)
    room = right - left - len(said)
    if room >= 4:
        start = left + room // 2
        said, start = f" {said} ", start - 1
        style = STYLES[phase.kind]
    elif phase.kind == "learning" and phase.start >= now:
        start, style = left - len(said) - 1, "dim"
    elif phase.kind in {"verifying", "revoked"}:
        start, style = right + 1, "dim"
    else:
        return
    inside = room >= 4
    end = start + len(said)
    if inside or (start >= 0 and end <= len(cells) and not "".join(cells[start:end]).strip()):
        cells[start:end] = said
        styles[start:end] = [style] * len(said)


def _legend(bars: "Sequence[Bar]", look: Look) -> list[Any]:
    """Return what the characters mean: those that occur."""
    from rich.text import Text

    used = {phase.kind for bar in bars for phase in bar.phases}
    line = Text()
    for kind, glyph in look.phases.items():
        if kind in used:
            line.append(glyph * 2, STYLES[kind])
            line.append(f" {MEANINGS[kind]}   ")
    line.rstrip()
    return [Text(), line]
