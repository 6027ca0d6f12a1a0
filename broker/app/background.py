"""What runs beside the requests of a process, from its start to its end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from broker.core.account import deletion
from broker.core.account.own import OwnAccounts
from broker.core.ports import AccountStates, Clock
from broker.core.resting import rest
from broker.log import structlog
from broker.stores.sql.facade import SqlStores

HOUSEKEEPING: Final = 3600.0  # seconds between two clean-ups
DELETING: Final = 60.0  # seconds between two looks for accounts to delete
OUTBOX_KEPT: Final = 7 * 86400.0  # seconds a finished outbox row stays for operators to see
STOPPING: Final = 5.0  # seconds that background work has to come to an end
LONGEST_PAUSE: Final = 60.0  # seconds before a task that keeps failing is begun again

_log = structlog.get_logger("broker.background")

Task = Callable[[asyncio.Event], Awaitable[None]]
"""Works until the event is set."""


@asynccontextmanager
async def running(tasks: dict[str, Task]) -> AsyncIterator[None]:
    """Run the tasks until the block ends; then they are asked to stop, and in the end made to."""
    stop = asyncio.Event()
    begun = [asyncio.create_task(_kept_up(name, task, stop)) for name, task in tasks.items()]
    try:
        yield
    finally:
        stop.set()
        _, late = await asyncio.wait(begun, timeout=STOPPING)
        for task in late:
            task.cancel()
        await asyncio.gather(*begun, return_exceptions=True)


async def _kept_up(name: str, task: Task, stop: asyncio.Event) -> None:
    """Run a task until it is told to stop; one that fails is begun again after a while."""
    pause = 1.0
    while not stop.is_set():
        try:
            await task(stop)
            await rest(stop, pause)  # none should end by itself; one that does must not spin
        except Exception as error:  # noqa: BLE001 - whatever it was, the work must go on
            _log.warning("task.failed", task=name, reason=repr(error))
            await rest(stop, pause)
            pause = min(pause * 2, LONGEST_PAUSE)


async def clean(sql: SqlStores, audit_lifetime: float, clock: Clock, stop: asyncio.Event) -> None:
    """Remove old audit events and finished outbox rows once an hour.

    Args:
        sql: where they are.
        audit_lifetime: seconds that audit events are kept.
        clock: time.
        stop: ends it.
    """
    while not stop.is_set():
        await sql.audit.prune(clock.now() - audit_lifetime)
        await sql.outbox.prune(clock.now() - OUTBOX_KEPT)
        await rest(stop, HOUSEKEEPING)


async def delete_accounts(
    own: OwnAccounts, states: AccountStates, clock: Clock, stop: asyncio.Event
) -> None:
    """Delete accounts whose time has come, beside all the other processes that do.

    Args:
        own: the accounts.
        states: what lives of them.
        clock: time.
        stop: ends it.
    """
    while not stop.is_set():
        count = await deletion.delete_due(own, states, clock.now())
        if count:
            _log.info("accounts.deleted", count=count)
        await rest(stop, DELETING)
