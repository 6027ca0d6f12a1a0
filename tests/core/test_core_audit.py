"""What happens on the hot path is kept beside it: together, in order, and never in its way."""

import asyncio

import pytest
from structlog.testing import capture_logs

from broker.core import audit
from broker.core.errors import StoreUnavailable
from broker.core.model import AuditEvent
from tests.core.helpers import NOW


def event(number: int) -> AuditEvent:
    return AuditEvent("token.exchanged", NOW + number, "client", None, "app", {"number": number})


class Log:
    """The ``Audit`` port: remembers what it was given at a time."""

    def __init__(self, error: Exception | None = None) -> None:
        self.given: list[list[int]] = []
        self.error = error

    async def record(self, *events: AuditEvent) -> None:
        await asyncio.sleep(0.01)
        self.given.append([one.detail["number"] for one in events])
        error, self.error = self.error, None
        if error is not None:
            raise error


async def test_events_of_a_while_are_kept_together() -> None:
    """In their order, with a write for all of them; one that comes later goes with the next."""
    log = Log()
    for number in range(5):
        audit.note_soon(log, event(number))
    assert log.given == []
    while not log.given:
        await asyncio.sleep(0.001)
    audit.note_soon(log, event(5))
    await audit.settle()
    assert log.given == [[0, 1, 2, 3, 4], [5]]


async def test_each_is_logged_at_once() -> None:
    """The log has it, whatever becomes of the rest."""
    with capture_logs() as lines:
        audit.note_soon(Log(), event(7))
    assert [line["detail_number"] for line in lines] == [7]
    await audit.settle()


@pytest.mark.parametrize("error", [StoreUnavailable(private="gone"), RuntimeError("odd")])
async def test_a_failure_is_told_and_ends_nothing(error: Exception) -> None:
    """What was not kept is in the log, which says so; what comes next is kept."""
    log = Log(error)
    with capture_logs() as lines:
        audit.note_soon(log, event(0))
        while not log.given:
            await asyncio.sleep(0.001)
        audit.note_soon(log, event(1))
        await audit.settle()
    assert [line["event"] for line in lines].count("audit.not_stored") == 1
    assert log.given == [[0], [1]]


async def test_what_is_too_much_is_in_the_log_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that is slower than the requests costs them nothing, and no memory without end."""
    monkeypatch.setattr(audit, "MOST_WAITING", 2)
    log = Log()
    with capture_logs() as lines:
        for number in range(4):
            audit.note_soon(log, event(number))
        await audit.settle()
    assert log.given == [[0, 1]]
    assert [line["event"] for line in lines].count("audit.not_stored") == 2


async def test_settling_without_anything_is_over_at_once() -> None:
    """Nobody waits where there is nothing to wait for, on other loops either."""
    log = Log()

    async def elsewhere() -> None:
        audit.note_soon(log, event(0))

    await asyncio.to_thread(asyncio.run, elsewhere())
    async with asyncio.timeout(1):
        await audit.settle()
