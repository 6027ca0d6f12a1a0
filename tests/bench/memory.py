"""What memory several workers take: each for itself, and all together."""

from typing import Final

import psutil

from broker.app.template import NAME
from tests.bench import load
from tests.bench.report import Figure
from tests.bench.rows import ROWS, Stage
from tests.running import RunningBroker

WORKERS: Final = 4
SECONDS: Final = 1  # of each load


def of_one(broker: RunningBroker) -> list[Figure]:
    """Return what a worker that serves alone takes: all that it has in memory is its own."""
    (worker,) = broker.workers()
    return [
        Figure("resident memory of the worker after load", "MB", worker.memory_info().rss / 1e6),
        Figure("its proportional memory (PSS)", "MB", _pss(worker)),
    ]


async def of_several(broker: RunningBroker, stage: Stage, core: int) -> list[Figure]:
    """Put every load on several workers; return what each of them takes, and all that there is.

    What they have in common counts in each one's resident memory (RSS) whole, in the proportional
    one (PSS) by its part: the sum of those is what the machine gives.

    Args:
        broker: of so many workers as `WORKERS` says.
        stage: what loads draw on.
        core: which core generates them.
    """
    for row in ROWS:
        await row.prepare(stage, SECONDS)
        load.run(broker.issuer, row.script, row.ours(stage), SECONDS, core)
    workers, server = broker.workers(), psutil.Process(broker.pid)
    others = [server, *(one for one in server.children() if one.name() == NAME)]
    each = [_pss(worker) for worker in workers]
    resident = max(worker.memory_info().rss for worker in workers) / 1e6
    return [
        Figure(f"proportional memory (PSS) of each of {len(workers)} workers", "MB", max(each)),
        Figure("resident memory (RSS) of each of them", "MB", resident),
        Figure("all of them, their template and server", "MB", sum(each) + sum(map(_pss, others))),
    ]


def _pss(process: psutil.Process) -> float:
    return float(process.memory_full_info().pss) / 1e6
