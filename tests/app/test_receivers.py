"""Receivers that are slow or silent hold up themselves alone."""

from broker.app.receivers import AT_ONCE, BUSY, FIRST_PAUSE, LONGEST_PAUSE, TOLERATED, Receivers
from tests.core.helpers import Hands


def failed(receivers: Receivers, times: int) -> None:
    """Let deliveries to one receiver fail one after the other."""
    for _ in range(times):
        assert receivers.admit("a") == 0
        receivers.ended("a", failed="ConnectError")


def test_a_few_deliveries_at_a_time() -> None:
    """More of them come later; those to others are not counted with them."""
    receivers = Receivers(Hands().now)
    assert [receivers.admit("a") for _ in range(AT_ONCE + 1)] == [0.0] * AT_ONCE + [BUSY]
    assert receivers.admit("b") == 0
    receivers.ended("a")
    assert receivers.admit("a") == 0


def test_a_silent_receiver_is_left_in_peace() -> None:
    """For longer each time, up to a limit; then one delivery finds out."""
    clock = Hands()
    receivers = Receivers(clock.now)
    assert receivers.why("a") == "the receiver is busy"
    failed(receivers, TOLERATED)
    assert receivers.admit("a") == FIRST_PAUSE
    assert receivers.why("a") == "ConnectError"
    assert receivers.admit("b") == 0
    clock.at += FIRST_PAUSE
    failed(receivers, 1)
    assert receivers.admit("a") == 2 * FIRST_PAUSE
    for _ in range(20):
        clock.at += LONGEST_PAUSE
        failed(receivers, 1)
    assert receivers.admit("a") == LONGEST_PAUSE


def test_an_answer_ends_the_silence() -> None:
    """Failures count only in a row, and nothing is kept of who behaves."""
    clock = Hands()
    receivers = Receivers(clock.now)
    failed(receivers, TOLERATED)
    clock.at += FIRST_PAUSE
    assert receivers.admit("a") == 0
    receivers.ended("a")
    assert receivers._records == {}
    failed(receivers, TOLERATED - 1)
    assert receivers.admit("a") == 0
