"""Seeing which SQL and which Redis commands a request of ours causes."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import Any

from redis.asyncio import Redis
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

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
