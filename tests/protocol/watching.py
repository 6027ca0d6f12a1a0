"""Seeing which SQL, which Redis commands and which code a request of ours causes."""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from types import FrameType
from typing import Any, Final

from httpx2 import Response
from redis.asyncio import Redis
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

import broker

OURS: Final = broker.__path__[0] + "/"
_watched: ContextVar[bool] = ContextVar("watched", default=False)


@contextmanager
def statements(engine: AsyncEngine) -> Iterator[list[str]]:
    """Yield the list of statements that are executed in the block.

    What runs beside the requests was begun before, in a context of its own, and is not counted.
    """
    seen: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if _watched.get():
            seen.append(statement)

    event.listen(engine.sync_engine, "before_cursor_execute", note)
    token = _watched.set(True)
    try:
        yield seen
    finally:
        _watched.reset(token)
        event.remove(engine.sync_engine, "before_cursor_execute", note)


@contextmanager
def called() -> Iterator[set[str]]:
    """Yield the set of our functions that the block enters, as ``core/dpop.py::Proofs.judge``."""
    seen: set[str] = set()

    def note(frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(OURS):
            seen.add(f"{code.co_filename.removeprefix(OURS)}::{code.co_qualname}")

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield seen
    finally:
        sys.setprofile(before)


@asynccontextmanager
async def round_trips(redis: Redis) -> AsyncIterator[list[str]]:
    """Yield a list that holds, after the block, what was sent to Redis; not what scripts did.

    The look at the queue of logout tokens runs beside the requests, and is not counted.
    """
    sent: list[str] = []
    async with redis.monitor() as monitor:
        yield sent
        await redis.echo("the end")
        while (command := await monitor.next_command())["command"] != "ECHO the end":
            setting_up = command["command"].startswith(("HELLO", "CLIENT"))
            beside = "{notices}:due" in command["command"]
            if command["client_type"] != "lua" and not setting_up and not beside:
                sent.append(command["command"])


async def one_round_trip(
    engine: AsyncEngine, redis: Redis, *calls: Callable[[], Awaitable[Response]]
) -> None:
    """Make sure that each call is answered well by one script in Redis, and no SQL."""
    for call in calls:
        with statements(engine) as seen:
            async with round_trips(redis) as trips:
                assert (await call()).status_code == 200
        assert [trip.split()[0] for trip in trips] == ["EVALSHA"]
        assert seen == []
