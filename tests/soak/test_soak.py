"""A short soak in the gate: the long one is ``python -m tests.soak --minutes 10 --seed N``."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgresql import Cluster
from tests.soak.history import Outcome, What
from tests.soak.judge import judge
from tests.soak.running import Plan, Run, run

pytestmark = [pytest.mark.redis_server, pytest.mark.postgresql, pytest.mark.slow]
FAULTS = ("kill a worker", "truncate answers", "cut PostgreSQL's connections", "kill a primary")
PLAN = Plan(6, seed=4, grace=3, only=FAULTS, least=len(FAULTS))


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """One run with a PostgreSQL of its own, which may be stopped."""
    sql = Cluster()
    try:
        sql.make()
        folder: Path = tmp_path_factory.mktemp("soak")
        yield asyncio.run(run(PLAN, folder, sql, print))
    finally:
        sql.remove()


def test_no_invariant_is_broken(found: Run) -> None:
    """Whatever was hurt: no breach in what any client saw."""
    assert judge(found.history).breaches == []


def test_all_are_served_again(found: Run) -> None:
    """Once nothing is hurt any more, each grant that was alive refreshes."""
    assert found.unserved == []


def test_enough_was_seen_to_judge(found: Run) -> None:
    """Each fault was met: requests went unanswered, and as many were served."""
    assert set(found.faults) == set(FAULTS)
    seen = Counter((one.what, one.outcome) for one in found.history.records)
    assert seen[What.REFRESH, Outcome.UNKNOWN] > 0
    assert seen[What.REFRESH, Outcome.OK] > 50
    assert seen[What.VERIFY, Outcome.OK] > 50
