"""Time tells nobody how much of a secret was guessed right.

That secrets are compared by ``hmac.compare_digest``, as digests or by AES-SIV is held by
``tests/core/test_core_comparisons.py`` in every run; this measures it, which takes minutes of a
machine that is not too busy: ``BROKER_TEST_LONG=1``, with ``-s`` for the figures.
"""

import os
import random

import pytest

from tests.timing.measuring import CERTAIN, RUNS, Seen, compared, leaks, measured
from tests.timing.secrets_checked import (
    CHECKS,
    Check,
    by_character,
    by_equality,
    in_constant_time,
)

SAMPLES = int(os.environ.get("BROKER_TEST_SAMPLES", "20000"))  # of each class, in each run


def runs_of(check: Check, name: str) -> list[Seen]:
    seen = [
        measured(check.call, (check.near, check.far), samples=SAMPLES, calls=check.calls)
        for _ in range(RUNS)
    ]
    print(f"\n{name}: nearly right against wrong from the first byte: {'; '.join(map(str, seen))}")
    return seen


@pytest.mark.parametrize("name", CHECKS)
def test_every_guess_is_wrong(name: str) -> None:
    """What is measured is a refusal, whichever byte is wrong."""
    check = CHECKS[name]()
    for guesses in (check.near, check.far):
        assert len(set(guesses)) == len(guesses) > 5
        for guess in guesses[:70]:
            assert not check.call(guess)


@pytest.mark.long
@pytest.mark.parametrize("name", CHECKS)
def test_nearly_right_takes_as_long_as_wrong(name: str) -> None:
    """No run after run says, on the same side, that one of them is the slower."""
    seen = runs_of(CHECKS[name](), name)
    assert not leaks(seen)


@pytest.mark.long
def test_what_tells_is_found() -> None:
    """The measure is fine enough: ``==`` on 43 bytes tells, by a few nanoseconds."""
    for make in (by_equality, by_character):
        assert leaks(runs_of(make(), make.__name__)), make


@pytest.mark.long
def test_what_does_not_tell_is_not() -> None:
    """``compare_digest`` itself, measured as finely."""
    assert not leaks(runs_of(in_constant_time(), "compare_digest"))


def noise(seed: int, shift: float = 0.0, size: int = 4000) -> list[float]:
    """Times as a busy machine has them: mostly near 1000, at times much more."""
    chance = random.Random(seed)
    return [
        1000 + shift + chance.gauss(0, 8) + (chance.random() < 0.2) * chance.expovariate(0.002)
        for _ in range(size)
    ]


def test_the_measure_of_the_measure() -> None:
    """Alike is alike; five nanoseconds in a thousand are found, whichever class has them."""
    alike = [compared(noise(seed), noise(seed + 100)) for seed in range(RUNS)]
    assert not leaks(alike)
    assert max(abs(one.t) for one in alike) < CERTAIN
    slower = [compared(noise(seed, 5), noise(seed + 100)) for seed in range(RUNS)]
    assert leaks(slower)
    assert leaks([compared(noise(seed), noise(seed + 100, 5)) for seed in range(RUNS)])
    assert not leaks([*slower, alike[0]]), "one quiet run is enough"
    assert leaks([compared([2.0] * 50, [1.0] * 50)] * RUNS), "one class is always the slower"
