"""PKCE: S256, and nothing less."""

import pytest

from broker.core import pkce
from broker.core.errors import InvalidRequest

# RFC 7636 appendix B.
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_the_example_of_the_rfc() -> None:
    """RFC 7636 appendix B, digit for digit."""
    assert pkce.challenge_of(VERIFIER) == CHALLENGE


def test_a_good_challenge_is_returned() -> None:
    """The challenge is kept as it came."""
    assert pkce.challenge(CHALLENGE, "S256", required=True) == CHALLENGE
    assert pkce.challenge(CHALLENGE, "S256", required=False) == CHALLENGE


@pytest.mark.parametrize("method", [None, "plain", "s256", "S512", "S256 "])
def test_another_method_is_refused(method: str | None) -> None:
    """RFC 9700 §2.1.1: ``plain``, also by omission (RFC 7636 §4.3), is no protection."""
    for required in (True, False):
        with pytest.raises(InvalidRequest):
            pkce.challenge(CHALLENGE, method, required=required)


@pytest.mark.parametrize(
    "challenge",
    ["", "x", CHALLENGE[:-1], CHALLENGE + "A", CHALLENGE[:-1] + "=", CHALLENGE[:-1] + "+",
     CHALLENGE + "\n", CHALLENGE[:-1] + "é"],
)  # fmt: skip
def test_a_malformed_challenge_is_refused(challenge: str) -> None:
    """A challenge is exactly the base64url of a SHA-256."""
    with pytest.raises(InvalidRequest):
        pkce.challenge(challenge, "S256", required=False)


def test_a_missing_challenge_is_refused_where_required_only() -> None:
    """A confidential client may be exempted; nobody else."""
    with pytest.raises(InvalidRequest):
        pkce.challenge(None, None, required=True)
    assert pkce.challenge(None, None, required=False) is None


def test_a_method_without_a_challenge_is_refused() -> None:
    """Half a protection is a mistake, or somebody who cut the challenge out."""
    with pytest.raises(InvalidRequest):
        pkce.challenge(None, "S256", required=False)


@pytest.mark.parametrize(
    ("verifier", "good"),
    [("a" * 42, False), ("a" * 43, True), ("a" * 128, True), ("a" * 129, False),
     ("a" * 42 + "~", True), ("a" * 42 + "+", False), ("a" * 42 + " ", False),
     ("a" * 43 + "\n", False), ("", False)],
)  # fmt: skip
def test_the_form_of_a_verifier(verifier: str, good: bool) -> None:
    """RFC 7636 §4.1: 43 to 128 unreserved characters."""
    assert (pkce.challenge_of(verifier) is not None) is good
