"""What a rotation run counts as a failure, and what it does not."""

from typing import Any

import pytest

from tests.clients.rotation.tally import Judge, Revocation, Tally, Token
from tests.clients.verifiers.lines import EXPIRED, UNKNOWN_KEY

NOW = 1_000.0
REVOKED = Revocation("dead", asked=NOW - 1, done=NOW, heir="heir", bound=2)


@pytest.fixture
def tally() -> Tally:
    """A run with one verifier, whose revocation was done at NOW."""
    return Tally(
        judges={"jose": Judge()}, revocation=REVOKED, revoking="dead", revoking_since=REVOKED.asked
    )


def token(kid: str = "live", *, sent: float = NOW, exp: float = NOW + 5) -> Token:
    return Token("id_token", "…", kid, exp, sent)


def verdict(why: str | None, at: float = NOW + 1) -> dict[str, Any]:
    return {"ok": why is None, "why": why, "age": 1.0, "at": at}


@pytest.mark.parametrize(
    ("judged", "said", "failures"),
    [
        (token(), verdict(None), 0),
        (token(), verdict(UNKNOWN_KEY), 1),
        (token(), verdict("bad signature"), 1),
        (token(exp=NOW + 1), verdict(EXPIRED), 0),
        (token(exp=NOW + 2), verdict(EXPIRED), 1),
        (token("dead"), verdict(UNKNOWN_KEY), 0),
        (token("dead"), verdict(UNKNOWN_KEY, at=NOW - 2), 1),
    ],
)
def test_a_refusal(tally: Tally, judged: Token, said: dict[str, Any], failures: int) -> None:
    """Only what has expired, or whose key was revoked by then, may be refused."""
    tally.judged("jose", judged, said)
    assert len(tally.failures) == failures


@pytest.mark.parametrize(
    ("kid", "after", "failures"), [("dead", 1, 0), ("dead", 3, 1), ("heir", 3, 0)]
)
def test_the_bound_of_a_revocation(tally: Tally, kid: str, after: float, failures: int) -> None:
    """Once it has passed, the key neither signs nor is in the JWKS."""
    tally.issued(token(kid, sent=NOW + after), NOW + after)
    assert len(tally.failures) == failures
    tally.published({"heir", kid}, NOW + after, 2)
    assert len(tally.failures) == 2 * failures


@pytest.mark.parametrize(("age", "failures"), [(None, 0), (2.0, 0), (2.4, 0), (1.5, 1)])
def test_a_copy_given_up_early(tally: Tally, age: float | None, failures: int) -> None:
    """A verifier that asks anew before its copy has ended would hide what it did not know."""
    tally.fetched("jose", age, None if age is None else 2.0)
    assert len(tally.failures) == failures
