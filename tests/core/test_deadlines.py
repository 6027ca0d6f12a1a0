"""One timer for all requests gives up each in its time, and nothing else."""

import asyncio
import contextlib
import functools
import socket
import threading
import time
from collections.abc import Awaitable, Callable

import pytest

from broker.core import deadlines
from broker.core.deadlines import SHARE, STOOD, Deadline, Span, TookTooLong
from tests.pace import stood

TIME = 0.2


class Leaping(asyncio.SelectorEventLoop):
    """An event loop whose time goes by at once, and only while there is nothing to be done."""

    def __init__(self) -> None:
        self.now = 0.0
        super().__init__()
        self._select = self._selector.select
        self._selector.select = self._leap

    def _leap(self, timeout: float | None = None) -> object:
        self.now += timeout or 0.0
        return self._select(0 if timeout else timeout)

    def time(self) -> float:
        return self.now


def leaping(test: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    """Run a test in such a loop: how long the machine takes for it changes nothing."""

    @functools.wraps(test)
    def run() -> None:
        with asyncio.Runner(loop_factory=Leaping) as runner:
            runner.run(test())  # type: ignore[arg-type]

    return run


async def test_what_is_in_time_comes_back():
    """Work that ends in time hands its result or its own failure on, its own timeouts too."""
    deadline = Deadline(TIME)

    async def failing(error: Exception) -> None:
        await asyncio.sleep(0)
        raise error

    assert await deadline.within(asyncio.sleep(0.01, "done")) == "done"
    with pytest.raises(KeyError):
        await deadline.within(failing(KeyError()))
    with pytest.raises(TimeoutError) as own:
        await deadline.within(failing(TimeoutError()))
    assert not isinstance(own.value, TookTooLong)


@leaping
async def test_each_is_given_up_in_its_time():
    """Many that began one after the other: each after the time it has, with the slack at most."""
    deadline, late, now = Deadline(TIME), [], asyncio.get_running_loop().time

    async def one(wait: float) -> None:
        await asyncio.sleep(wait)
        began = now()
        with pytest.raises(TookTooLong):
            await deadline.within(asyncio.sleep(60))
        late.append(now() - began - TIME)
        current = asyncio.current_task()
        assert current is not None
        assert current.cancelling() == 0  # what was cancelled can go on

    await asyncio.gather(*(one(n * 0.01) for n in range(30)))
    assert len(late) == 30
    assert min(late) > -1e-6
    assert max(late) < TIME * SHARE + 1e-6


@leaping
async def test_who_is_in_time_is_left_alone_when_others_are_not():
    """Giving one up touches no other, and the next ones have a timer again."""
    deadline = Deadline(TIME)
    slow = asyncio.create_task(deadline.within(asyncio.sleep(60)))
    await asyncio.sleep(TIME * 0.7)
    assert await deadline.within(asyncio.sleep(TIME * 0.7, "done")) == "done"
    with pytest.raises(TookTooLong):
        await slow
    with pytest.raises(TookTooLong):
        await deadline.within(asyncio.sleep(60))


def stand_still(after: float, seconds: float) -> None:
    """Have the event loop do nothing for a while, as when its process is stopped."""
    asyncio.get_running_loop().call_later(after, time.sleep, seconds)


async def test_what_arrived_while_the_process_stood_still_is_taken():
    """The time was over long before the process went on, and the answer was there, unread."""
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=ours)

    async def asked() -> bytes:
        said = await reader.readexactly(6)
        await asyncio.sleep(0.01)  # what else there is to do
        return said

    for begins in (0.1, 0.7):  # with most of the time left, or next to none
        stand_still(begins, 1.0)
        threading.Timer(begins + 0.3, theirs.send, [b"answer"]).start()
        assert await Deadline(0.8).within(asked()) == b"answer"
    writer.close()
    theirs.close()


async def test_who_hangs_is_given_up_after_the_process_stood_still():
    """Time that nobody had is added, a turn at the most besides; the next has its own time."""
    deadline = Deadline(0.5)
    for begins in (0.1, 0.4):
        stand_still(begins, 1.0)
        began = time.monotonic()
        with pytest.raises(TookTooLong):
            await deadline.within(asyncio.sleep(60))
        assert begins + 1.0 < time.monotonic() - began < 0.5 + 1.0 + 0.2 + 1.5  # on a busy machine
    began = time.monotonic()
    with pytest.raises(TookTooLong):
        await deadline.within(asyncio.sleep(60))
    assert time.monotonic() - began > 0.5 - 0.005


async def test_who_hangs_is_given_up_by_a_process_that_stands_still_all_the_time():
    """It has its own time as often as the process goes on, and that is over some day."""
    loop = asyncio.get_running_loop()

    def again() -> None:
        nonlocal handle
        time.sleep(0.4)
        handle = loop.call_later(0.05, again)

    handle = loop.call_later(0, again)
    with pytest.raises(TookTooLong):
        async with asyncio.timeout(20):
            await Deadline(0.5).within(asyncio.sleep(60))
    handle.cancel()


async def test_a_process_that_is_busy_gives_up_as_ever(monkeypatch):
    """Time that went by with work counts: under too much of it nobody would be given up."""
    monkeypatch.setattr(deadlines, "thread_time", time.monotonic)  # it all was work
    deadline, began = Deadline(TIME), time.monotonic()
    stand_still(0.01, TIME + STOOD + 0.3)
    with pytest.raises(TookTooLong):
        await deadline.within(asyncio.sleep(TIME + STOOD + 0.35))
    assert time.monotonic() - began > TIME + STOOD + 0.3


@leaping
async def test_a_cancelled_request_stays_cancelled():
    """Whoever cancels the task from outside is heard, also at the moment the time is over."""
    deadline = Deadline(TIME)
    before = asyncio.create_task(deadline.within(asyncio.sleep(60)))
    await asyncio.sleep(0.01)
    before.cancel()
    with pytest.raises(asyncio.CancelledError):
        await before

    async def deaf() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(0.05)  # cleans up
            raise

    both = asyncio.create_task(deadline.within(deaf()))
    await asyncio.sleep(TIME + 0.03)  # given up, and still cleaning up
    both.cancel()
    with pytest.raises(asyncio.CancelledError):
        await both


async def test_what_a_cancelled_task_does_last_has_its_time_too():
    """Tidying up after a cancelling takes too long, and not: was cancelled; as asyncio.timeout."""
    deadline, told = Deadline(TIME), []

    async def tidying() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            try:
                await deadline.within(asyncio.sleep(60))
            except TookTooLong:
                told.append("late")

    task = asyncio.create_task(tidying())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert told == ["late"]


async def test_work_that_ends_well_all_the_same_is_not_thrown_away():
    """A result that came in spite of the cancelling counts; the task is not left cancelled."""
    deadline = Deadline(TIME)

    async def stubborn() -> str:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        return "done"

    assert await deadline.within(stubborn()) == "done"
    current = asyncio.current_task()
    assert current is not None
    assert current.cancelling() == 0


def test_a_second_event_loop_has_a_timer_of_its_own():
    """An application that outlives its event loop still gives up what takes too long."""
    deadline = Deadline(TIME)

    async def quick() -> None:
        await deadline.within(asyncio.sleep(0))

    async def slow() -> None:
        with pytest.raises(TookTooLong):
            await deadline.within(asyncio.sleep(60))

    asyncio.run(quick())  # its timer dies with it
    asyncio.run(slow())


def test_what_a_closed_event_loop_left_behind_is_nobodys():
    """A task that died with its event loop keeps no other from being given up."""
    deadline = Deadline(TIME)
    loop = asyncio.new_event_loop()
    left = loop.create_task(deadline.within(asyncio.sleep(60)))
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()

    async def slow() -> None:
        with pytest.raises(TookTooLong):
            async with asyncio.timeout(10 * TIME):
                await deadline.within(asyncio.sleep(60))

    asyncio.run(slow())
    assert not left.done()
    left._log_destroy_pending = False  # type: ignore[attr-defined]


# ── one's own ──────────────────────────────────────────────────────────────────────────────


async def test_a_span_is_for_all_that_is_done_in_it():
    """What is done first takes from what is left for the next, and after the end nothing is."""
    span, began = Span(2 * TIME), time.monotonic()
    assert await span.within(asyncio.sleep(TIME, "done")) == "done"
    assert 0 < span.left <= TIME
    for _ in range(2):
        with pytest.raises(TookTooLong):
            await span.within(asyncio.sleep(60))
    assert 2 * TIME - 0.005 < time.monotonic() - began < 2 * TIME + 1
    assert span.left < 0


async def test_some_may_go_on_after_the_end_of_a_span():
    """Each of several at once has the end, or what it may take besides, whoever began first."""
    span, ended = Span(TIME), []

    async def one(more: float) -> None:
        with pytest.raises(TookTooLong):
            await span.within(asyncio.sleep(60), more)
        ended.append(more)

    began = time.monotonic()
    await asyncio.gather(*(one(more) for more in (4 * TIME, 0.0, 2 * TIME)))
    assert ended == [0.0, 2 * TIME, 4 * TIME]
    assert time.monotonic() - began > 5 * TIME - 0.005


async def test_a_span_ends_later_where_the_process_stood_still():
    """What was in the way of the first of several things does not take the next one's time."""
    span, answer = Span(8.0), asyncio.Event()

    async def asked() -> None:
        stood(100.0)
        asyncio.get_running_loop().call_later(0.02, answer.set)  # there, as soon as it is read
        await answer.wait()
        answer.clear()

    for _ in range(2):
        await span.within(asked())
        assert 7 < span.left <= 8


async def test_who_hangs_in_a_span_is_given_up_after_the_process_stood_still():
    """When the time that it had is over, and not later."""
    span, loop = Span(0.6), asyncio.get_running_loop()
    loop.call_later(0.3, stood, 100.0)
    began = loop.time()
    with pytest.raises(TookTooLong):
        await span.within(asyncio.sleep(600))
    assert 100.5 < loop.time() - began < 102


async def test_what_is_done_at_the_very_end_of_a_span_has_a_turn_and_the_next_too():
    """Of one turn, that is: where a process stands still again and again, a span ends as well."""
    span = Span(8.0)
    stood(7.9)  # while nothing was under way: that is taken for time that was used
    for least in (1.0, 0.0):
        task = asyncio.create_task(span.within(asyncio.sleep(0.05)))
        await asyncio.sleep(0.01)
        stood(1.0)
        await task
        assert least < span.left < 2.7
    with pytest.raises(TookTooLong):
        async with asyncio.timeout(60):
            while True:
                task = asyncio.create_task(span.within(asyncio.sleep(0.05)))
                await asyncio.sleep(0.01)
                stood(1.0)
                await task
