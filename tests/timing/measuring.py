"""Two classes of input, measured in turns: does one take longer than the other?

After dudect (Reparaz, Balasch, Verbauwhede: "Dude, is my code constant time?", 2017): many short
measurements in random order, so that whatever else the machine does falls on both alike; the slow
ones, which it disturbed, are left out; then Welch's t. A difference counts when every one of
several runs finds it, on the same side: a machine that is busy for a while fools one of them.
"""

import gc
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, median, variance
from time import perf_counter_ns
from typing import Any, Final

KEPT: Final = 0.5  # the fastest part of all measurements
CERTAIN: Final = 10.0  # of t; 4.5 is what dudect calls a leak, on a machine of its own
FINE: Final = 0.2  # nanoseconds a call; ``==`` on 43 bytes tells by 0.7, a place in memory by 0.02
RUNS: Final = 3


@dataclass(frozen=True)
class Seen:
    """What one run saw: Welch's t, and by how many nanoseconds a call the first class is slower."""

    t: float
    slower: float

    def __str__(self) -> str:
        return f"t = {self.t:+.1f}, {self.slower:+.2f} ns"


def compared(first: Sequence[float], second: Sequence[float], *, calls: int = 1) -> Seen:
    """Compare two classes of measurements, of so many calls each."""
    limit = sorted((*first, *second))[int(KEPT * (len(first) + len(second))) - 1]
    ones, others = ([each for each in one if each <= limit] for one in (first, second))
    if min(len(ones), len(others)) < 10:  # one class is nearly always the slower
        apart = median(first) - median(second)
        return Seen(float("inf") if apart > 0 else float("-inf"), apart / calls)
    apart = fmean(ones) - fmean(others)
    spread = (variance(ones) / len(ones) + variance(others) / len(others)) ** 0.5
    if spread == 0:
        return Seen(0.0 if apart == 0 else float("inf") * apart, apart / calls)
    return Seen(apart / spread, apart / calls)


def leaks(runs: Sequence[Seen]) -> bool:
    """Whether every run is certain of a difference that counts, on the same side."""
    return any(
        all(side * one.t > CERTAIN and side * one.slower > FINE for one in runs) for side in (1, -1)
    )


def measured(
    call: Callable[[Any], object],
    classes: tuple[Sequence[Any], Sequence[Any]],
    *,
    samples: int,
    calls: int,
) -> Seen:
    """Measure so many samples of each class, each of so many calls.

    Args:
        call: what is measured.
        classes: inputs of each class, several, so that no object's place in memory counts.
        samples: of each class.
        calls: in one measurement: the clock itself takes as long as a comparison.
    """
    chance = random.Random(samples)
    order = [0, 1] * samples
    chance.shuffle(order)
    found: tuple[list[float], list[float]] = ([], [])
    times = range(calls)
    gc.disable()
    try:
        for kind in order:
            one = chance.choice(classes[kind])
            call(one)
            began = perf_counter_ns()
            for _ in times:
                call(one)
            found[kind].append(perf_counter_ns() - began)
    finally:
        gc.enable()
    return compared(*found, calls=calls)
