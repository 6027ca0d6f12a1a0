"""Starting processes that serve."""

import pytest

from broker.app.children import Nursery
from broker.app.problems import Problem, Refused
from broker.app.shares import Table
from broker.app.spawning import NotStarted


async def test_what_keeps_a_process_from_starting_ends_no_server() -> None:
    """At a reload it is told like any other reason, and what serves goes on."""

    def full() -> dict[str, str]:
        raise Refused(Problem("BROKER_DATA_DIR", "cannot make metrics-8000: No space left"))

    nursery = Nursery((), Table(), patience=0.0, fixed={}, variables=full, living=lambda pids: None)
    with pytest.raises(NotStarted, match="No space left"):
        await nursery.load()
