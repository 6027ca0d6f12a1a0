"""Carrying the outbox on: any process may, several may at once, and none has to finish."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from broker.core.errors import StoreUnavailable
from broker.core.ports import Clock
from broker.core.resting import rest
from broker.stores.sql.outbox import SqlOutbox
from broker.stores.sql.records import OutboxItem

INTERVAL: Final = 1.0  # seconds between looks at an empty outbox
LONGEST: Final = 60.0  # seconds, the longest pause before an item is tried again
BATCH: Final = 16

Handler = Callable[[OutboxItem], Awaitable[None]]

log = logging.getLogger(__name__)


async def drain(
    outbox: SqlOutbox,
    handler: Handler,
    stop: asyncio.Event,
    *,
    clock: Clock,
    interval: float = INTERVAL,
) -> None:
    """Hand due items to ``handler`` until ``stop`` is set.

    Args:
        outbox: where they are.
        handler: carries one out; it is idempotent, and raises to have the item tried again.
        stop: ends the loop, between two items at the latest.
        clock: the time.
        interval: seconds between two looks.
    """
    pause = interval
    while not stop.is_set():
        try:
            taken = await drain_once(outbox, handler, clock=clock, stop=stop)
            pause = 0.0 if taken == BATCH else interval
        except StoreUnavailable as error:
            pause = min(max(pause, interval) * 2, 10 * interval)
            log.warning("the outbox is out of reach: %s", error.private)
        await rest(stop, pause)


async def drain_once(
    outbox: SqlOutbox, handler: Handler, *, clock: Clock, stop: asyncio.Event | None = None
) -> int:
    """Hand what is due now, one batch, to ``handler``; return how many items were taken.

    Raises:
        StoreUnavailable: the outbox is out of reach; what was taken comes back after its lease.
    """
    items = await outbox.claim(BATCH, clock.now())
    for item in items:
        if stop is not None and stop.is_set():
            await outbox.retry(item.number, "", clock.now())
        else:
            await _carry(outbox, handler, item, clock)
    return len(items)


async def _carry(outbox: SqlOutbox, handler: Handler, item: OutboxItem, clock: Clock) -> None:
    try:
        await handler(item)
    except Exception as error:  # noqa: BLE001 - whatever it was, the item must not be lost
        pause = min(2.0 ** min(item.attempts - 1, 10), LONGEST)
        log.warning("outbox item %d (%s) failed: %r", item.number, item.kind, error)
        await outbox.retry(item.number, type(error).__name__, clock.now() + pause)
    else:
        await outbox.done(item.number, clock.now())
