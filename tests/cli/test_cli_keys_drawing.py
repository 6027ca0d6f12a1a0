"""The picture of a plan, character by character."""

import os
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from broker.cli import key_plan
from broker.cli.key_drawing import BLOCKS, LEAST, PLAIN, draw
from keys.model import KeyRecord, genesis, outsider
from keys.plan import plan
from keys.policy import DAY, Policy

AT = 1_795_651_200.0  # 2026-11-26T00:00:00Z
POLICY = Policy(longest_token=3600)
ROOT = Path(__file__).resolve().parents[2]
SNAPSHOTS = Path(__file__).parent / "plans"
RS = ("RS256",)


def key(name, follows=None, *, alg="RS256", made=0.0, ready=None, signs=0.0, **more):
    """A key whose times are told in seconds from the beginning."""
    record = KeyRecord(
        kid=name.ljust(43, "_"),
        alg=alg,
        public_jwk={},
        sealed=b"",
        predecessor=genesis(alg) if follows is None else follows.ljust(43, "_"),
        created_at=AT + made,
        ready_at=AT + (made if ready is None else ready),
        signs_from=AT + signs,
    )
    return replace(record, **more)


P = POLICY.period
EMERGENCY = 8 * DAY - 120
QUIET = (key("Alder"), key("Birch", "Alder", signs=P))
REVOKED = (
    key("Alder", revoked_at=AT + EMERGENCY, sealed=None),
    key("Birch", "Alder", signs=EMERGENCY),
    key(
        "Cedar",
        "Birch",
        made=EMERGENCY,
        ready=EMERGENCY + POLICY.lead,
        signs=EMERGENCY + P,
    ),
)
THEIRS = "Elsewhere".ljust(43, "_")
SEVERAL = (
    *QUIET,
    key("Maple", alg="ES256", made=DAY, ready=DAY + POLICY.lead, signs=DAY + POLICY.lead),
    key("Larch", "Maple", alg="ES256", made=DAY, signs=DAY + POLICY.lead + P),
    KeyRecord(THEIRS, "PS256", {}, None, outsider(THEIRS), AT, AT, AT, None, None, AT + 20 * DAY),
)
CASES = {
    "quiet": (QUIET, RS, 8 * DAY, POLICY),
    "revoked": (REVOKED, RS, 8 * DAY, POLICY),
    "several": (SEVERAL, ("RS256", "ES256"), 8 * DAY, POLICY),
    "first": ((), RS, 0, POLICY),
    "minutes": (
        (key("Alder"), key("Birch", "Alder", signs=60)),
        RS,
        7,
        Policy(period=60, cache_lifetime=6, poll_interval=1, skew=2, longest_token=9),
    ),
}


def told(case, horizon=None):
    records, algorithms, later, policy = CASES[case]
    return plan(records, algorithms, AT + later, policy, horizon or 3 * policy.period), policy


def lines(found, width, look=BLOCKS):
    return [line.plain for line in draw(found, width, look)]


@pytest.mark.parametrize("case", CASES)
def test_a_plan_looks_as_it_did(case, capsys):
    """What operators see does not change by accident; delete the file for a change on purpose."""
    key_plan.tell(*told(case))
    text = "\n".join(line.rstrip() for line in capsys.readouterr().out.splitlines()) + "\n"
    assert max(map(len, text.splitlines())) <= 80
    snapshot = SNAPSHOTS / f"{case}.txt"
    if not snapshot.exists():
        snapshot.parent.mkdir(exist_ok=True)
        snapshot.write_text(text, encoding="utf-8")
    assert text == snapshot.read_text(encoding="utf-8"), f"meant? delete {snapshot.name}"


@pytest.mark.parametrize("width", [40, 60, 80, 100, 140, 160])
@pytest.mark.parametrize("case", CASES)
def test_a_picture_fits_its_width(case, width):
    """Rows and ruler; and in ASCII it is the same picture."""
    found, _ = told(case)
    fancy, plain = lines(found, width), lines(found, width, PLAIN)
    assert max(map(len, fancy[:-2])) <= width
    assert all(line.isascii() for line in plain)
    swap = dict(zip(BLOCKS.phases.values(), PLAIN.phases.values(), strict=True))
    table = str.maketrans(swap | {"─": "-", "┬": "+", "▼": "v"})
    assert [line.translate(table) for line in fancy] == plain


@pytest.mark.parametrize("width", [60, 80, 140])
@pytest.mark.parametrize("case", CASES)
def test_what_happens_together_stands_together(case, width):
    """Where one key stops signing the next begins, in the same column; minutes are seen."""
    found, _ = told(case)
    rows = lines(found, width)[2:-2]
    margin = max(len(row.split("  ")[0]) for row in rows)
    ends = {}
    for bar, row in zip(found.bars, rows, strict=False):
        block = [i for i, c in enumerate(row[margin:]) if c in "█▒"]
        signs = [i for i, c in enumerate(row[margin:]) if c == "█"]
        if not signs:
            continue
        begins = min(signs)
        ends.setdefault(bar.alg, []).append((begins, max(signs) + 1, block))
    for line_of in ends.values():
        for (_, stops, _), (begins, _, _) in pairwise(line_of):
            assert stops == begins
    visible = [p for bar in found.bars for p in bar.phases if p.kind == "learning"]
    if any(found.at <= p.start < found.until - DAY for p in visible):
        assert any("·" * LEAST in row for row in rows)


def test_a_picture_of_many_change_overs_ends_where_it_would_crowd():
    """What comes later stands in the table; every row drawn has something to show."""
    found, _ = told("minutes", 3600)
    rows = lines(found, 80)
    assert max(map(len, rows)) <= 80
    assert len(rows) < len(found.bars)
    assert all(any(c in "·░█▒" for c in row) for row in rows[2:-2])


def test_a_screen_that_has_no_blocks_gets_ascii(tmp_path):
    """And says the same."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("BROKER_")}
    answer = subprocess.run(
        [sys.executable, "-m", "broker", "keys", "plan"],
        env=env | {"PYTHONIOENCODING": "ascii", "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    said = answer.stdout.decode("ascii")
    assert "## signs" in said
    assert "-> Start the broker" in said
