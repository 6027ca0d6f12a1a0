"""Whatever is given to a parser, it answers or refuses in the one way it says, and soon.

In the gate each is given the same few dozen things every time; ``BROKER_TEST_LONG=1`` looks for new
ones, ``BROKER_TEST_EXAMPLES`` of them for each.
"""

import os

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.fuzz import edge, far_side, looks, operators, protocol
from tests.fuzz.parser import Parser

PARSERS = {
    name: parser
    for module in (edge, protocol, far_side, operators, looks)
    for name, parser in module.PARSERS.items()
}
LONG = os.environ.get("BROKER_TEST_LONG") == "1"
EXAMPLES = int(os.environ.get("BROKER_TEST_EXAMPLES", "5000")) if LONG else 40


def try_out(parser: Parser, examples: int) -> None:
    """Give it what it is given every time, and so many other things."""
    for seed in parser.seeds:
        parser.take(seed)

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=not LONG,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(parser.given)
    def taken(data: object) -> None:
        parser.take(data)

    taken()


@pytest.mark.parametrize("name", PARSERS)
def test_it_answers_or_refuses(name: str) -> None:
    """Never another exception, nor a second of work, nor what cannot be written down."""
    try_out(PARSERS[name], EXAMPLES)
