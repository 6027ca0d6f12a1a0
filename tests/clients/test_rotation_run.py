"""Keys change every few seconds, workers are killed, a key is revoked: nobody notices.

The short form of ``python -m tests.clients.rotation_run``.
"""

import asyncio
from pathlib import Path

import pytest

from tests.clients.rotation.broken import RULES
from tests.clients.rotation.report import report
from tests.clients.rotation.tally import Tally
from tests.clients.rotation_run import CACHE, POLL, Plan, about, noticing, run
from tests.clients.verifiers.lines import UNKNOWN_KEY

pytestmark = [pytest.mark.node, pytest.mark.slow]

PLAN = Plan(seconds=32)
LIBRARIES = {"PyJWT", "Authlib", "jose"}


@pytest.fixture(scope="module")
def tally(tmp_path_factory: pytest.TempPathFactory, node_folder: Path) -> Tally:
    """What came of one run; the report is shown where a test fails."""
    found = asyncio.run(run(PLAN, tmp_path_factory.mktemp("rotation"), node_folder))
    print(report(found, found.ended - found.began, about(PLAN)))
    return found


def test_nobody_notices(tally: Tally) -> None:
    """No request fails, and no verifier refuses a token of a live key, whatever happens."""
    assert tally.failures == []
    assert tally.requests > 0.5 * PLAN.rate * PLAN.seconds


def test_keys_changed_all_the_while(tally: Tally) -> None:
    """When due, hastened, at once and by revocation: each key signed, by each change-over."""
    counted = [
        words for _, words, outcome in tally.changes if words == "rotate" or outcome["changed"]
    ]
    assert [words.split()[:2] for words in counted[:2]] == [["rotate"], ["rotate", "--now"]]
    assert [words.split()[0] for words in counted[2:]] == ["revoke"]
    assert len(tally.signed) >= 5


def test_copies_were_kept_to_their_end(tally: Tally) -> None:
    """Tokens are judged by copies of every age up to the whole lifetime, by each library."""
    assert tally.judges.keys() == LIBRARIES
    for judge in tally.judges.values():
        assert sorted(judge.replaced)[len(judge.replaced) // 2] >= CACHE - 0.01
        assert max(judge.ages) > 0.9 * CACHE
        assert sorted(judge.ages)[len(judge.ages) // 2] > 0.35 * CACHE
        assert judge.accepted > 2 * tally.requests
        assert judge.late < 0.2 * judge.accepted


def test_a_killed_worker_is_replaced(tally: Tally) -> None:
    """It held people's connections; another answers in its place."""
    assert [kill.connections > 0 for kill in tally.kills] == [True]
    assert [kill.back_after is not None for kill in tally.kills] == [True]


def test_the_revoked_key_is_out_of_use(tally: Tally) -> None:
    """It signed until then; its successor took over at once; then it left the JWKS."""
    revoked = tally.revocation
    assert revoked is not None
    assert tally.signed[revoked.kid].tokens > 0
    assert revoked.heir in tally.signed
    assert revoked.heir != revoked.kid
    assert tally.named_last is None or tally.named_last <= revoked.until
    assert sum(judge.of_revoked for judge in tally.judges.values()) > 0


@pytest.mark.parametrize("rule", RULES)
async def test_a_broken_rule_is_noticed(rule: str, tmp_path: Path, node_folder: Path) -> None:
    """A new key that signs unpublished or too soon, or leaves too soon, fails every verifier."""
    plan = Plan(seconds=12, workers=2, people=2, breaks=rule, period=5 + 2 * POLL)
    found = await run(plan, tmp_path, node_folder, noticing)
    for name, judge in found.judges.items():
        assert set(judge.failed) == {UNKNOWN_KEY}, (name, judge.failed)
