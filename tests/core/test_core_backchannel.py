"""What the answer of a receiver of logout tokens means (Back-Channel Logout 1.0 §2.8)."""

import pytest

from broker.core.backchannel import REFUSALS, Verdict, verdict


@pytest.mark.parametrize("status", [200, 202, 204])
def test_told(status: int) -> None:
    """The first time or later; some frameworks turn 200 into 204."""
    assert verdict(status, 1) is verdict(status, 99) is Verdict.TOLD


@pytest.mark.parametrize("status", [300, 301, 307, 400, 401, 403, 404, 405, 410, 422, 499])
def test_a_no_that_is_repeated_is_believed(status: int) -> None:
    """Not at once: receivers are deployed, too."""
    assert verdict(status, REFUSALS - 1) is Verdict.AGAIN
    assert verdict(status, REFUSALS) is Verdict.REFUSED


@pytest.mark.parametrize("status", [100, 408, 425, 429, 500, 501, 502, 503, 599])
def test_not_at_the_moment(status: int) -> None:
    """However often: that ends with the time that a notice is kept."""
    assert verdict(status, 99) is Verdict.AGAIN
