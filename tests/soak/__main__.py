"""Hurt a broker at random, then judge what its clients saw.

For ten minutes, and once more from what was written::

    python -m tests.soak --minutes 10 --seed 7
    python -m tests.soak --judge soak.jsonl

Exit code 1 where an invariant was broken.
"""

import argparse
import asyncio
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.postgresql import Cluster
from tests.soak.history import History
from tests.soak.judge import judge
from tests.soak.running import Plan, Run, run


def main() -> int:
    """Run it; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--grace", type=int, default=10, help="seconds")
    parser.add_argument(
        "--history",
        type=Path,
        default=Path("soak.jsonl"),
        help="written here, and the broker's log beside it",
    )
    parser.add_argument("--judge", type=Path, help="judge this history again; run nothing")
    asked = parser.parse_args()
    if asked.judge:
        return report(Run(History.read(asked.judge)))
    found = hurt(Plan(asked.minutes * 60, asked.seed, asked.grace))
    found.history.write(asked.history)
    asked.history.with_suffix(".log").write_text(found.log, "utf-8")
    print(f"history: {asked.history}; faults: {dict(found.faults)}")
    return report(found)


def hurt(plan: Plan) -> Run:
    """Run a plan in a folder of its own, with a PostgreSQL of its own."""
    sql = Cluster()
    try:
        sql.make()
        with tempfile.TemporaryDirectory(prefix="soak-") as folder:
            return asyncio.run(run(plan, Path(folder), sql, lambda line: print(line, flush=True)))
    finally:
        sql.remove()


def report(found: Run) -> int:
    """Print the verdict; returns the exit code."""
    verdict = judge(found.history)
    seen = Counter(f"{one.what} {one.outcome}" for one in found.history.records)
    print(f"{len(found.history.records)} records: {dict(sorted(seen.items()))}")
    for name, words in (
        ("lost in a fail-over, accounted for", verdict.lost),
        ("came again after the grace time", verdict.late),
        ("BREACHES", verdict.breaches),
        ("NOT SERVED AGAIN", found.unserved),
    ):
        print(f"{name}: {len(words)}", *words, sep="\n  ")
    return 1 if verdict.breaches or found.unserved else 0


if __name__ == "__main__":
    sys.exit(main())
