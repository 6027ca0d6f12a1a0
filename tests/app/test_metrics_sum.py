"""What several processes counted, added up by the one that looks after them."""

import subprocess
import sys
from pathlib import Path

from prometheus_client import CollectorRegistry

from broker.app.metrics_server import Sum

COUNTING = """
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
registry = CollectorRegistry()
Counter("asked", "", ["how"], registry=registry).labels("well").inc(3)
Histogram("took", "", buckets=(1, 2), registry=registry).observe(1.5)
Gauge("serving", "", multiprocess_mode="livesum", registry=registry).set(1)
print("counted", flush=True)
input()
"""


def test_what_was_counted_outlives_who_counted(tmp_path: Path) -> None:
    """Counters and histograms are added up as before; gauges go; files do not pile up."""
    total = Sum(tmp_path)
    for ended in range(1, 4):
        with counting(tmp_path) as process:
            assert process.stdout is not None
            process.stdout.readline()
            total.forget([process.pid])
            assert sums(total)["serving"] == 1
            total.forget([])  # told to end, and counting to the last
            assert "serving" not in sums(total)
            process.communicate("")
        total.forget([])
        found = sums(total)
        assert found["asked_total"] == 3 * ended
        assert (found["took_count"], found["took_sum"]) == (ended, 1.5 * ended)
        assert len(list(tmp_path.iterdir())) == 2


def counting(folder: Path) -> "subprocess.Popen[str]":
    """A process that counts, and ends when it is spoken to."""
    return subprocess.Popen(
        [sys.executable, "-c", COUNTING],
        env={"PROMETHEUS_MULTIPROC_DIR": str(folder)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def sums(total: Sum) -> dict[str, float]:
    """The samples by name."""
    registry = CollectorRegistry()
    registry.register(total)
    return {one.name: one.value for metric in registry.collect() for one in metric.samples}
