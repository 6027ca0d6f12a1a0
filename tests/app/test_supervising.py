"""Looking after what serves: what a signal means, and what happens when it dies."""

import asyncio
import os
import signal
from typing import Any

import pytest

from broker.app.children import Nursery
from broker.app.handover import PARTING
from broker.app.shares import Table
from broker.app.supervising import Supervisor


class Here:
    """A server in this process."""

    force_exit = False

    def __init__(self) -> None:
        self.patience: list[float] = []
        self._over = asyncio.Event()

    def end(self, patience: float = 0.0) -> None:
        self.patience.append(patience)
        self._over.set()

    async def serve(self) -> None:
        await self._over.wait()


@pytest.mark.parametrize(
    ("number", "patience"), [(signal.SIGTERM, PARTING), (signal.SIGINT, 0.0)], ids=["term", "int"]
)
async def test_who_ends_it_says_how_kindly(number: int, patience: float) -> None:
    """A service manager waits for requests on the way; somebody at a terminal does not."""
    here: Any = Here()
    nursery = Nursery(
        (), Table(), patience=PARTING, fixed={}, variables=dict, living=lambda pids: None
    )
    serving = asyncio.create_task(Supervisor(nursery, lambda: None, PARTING).serve_here(here))
    await asyncio.sleep(0.05)
    os.kill(os.getpid(), number)
    await asyncio.wait_for(serving, 10)
    assert here.patience == [patience]
