"""The core's ``Apis`` and ``Guilds`` ports: whole tables in memory, so the hot path asks no SQL."""

import asyncio
import logging
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any, Final, Generic, TypeVar

from broker.core.apis import Api
from broker.core.community.registry import Guild
from broker.core.errors import StoreUnavailable
from broker.core.ports import Clock
from broker.core.resting import rest
from broker.stores.sql.register import SqlRegister

T = TypeVar("T")

INTERVAL: Final = 2.0  # seconds between two looks at a table
STALE_AFTER: Final = 3600.0  # seconds
log: Final = logging.getLogger(__name__)


class FollowedRegister(Generic[T]):
    """All that is registered of a kind: there are as many as an organisation has services.

    ``follow`` reads the table every ``interval``, so an edit, by whatever process, is seen within
    that and a little more. While SQL is down they are served up to ``stale_after`` after the last
    reading that succeeded, then refused with ``StoreUnavailable``. Where nothing follows, a
    reading counts for one ``interval``.

    Args:
        register: the repository.
        clock: the time.
        interval: seconds between two readings.
        stale_after: seconds for which a reading counts.
    """

    plural = "registrations"

    def __init__(
        self,
        register: SqlRegister[T, Any],
        clock: Clock,
        *,
        interval: float = INTERVAL,
        stale_after: float = STALE_AFTER,
    ) -> None:
        self._register = register
        self._clock = clock
        self._interval = interval
        self._stale_after = stale_after
        self._known: Mapping[str, T] = MappingProxyType({})
        self._read_at = float("-inf")
        self._begun = self._adopted = 0
        self._reading: asyncio.Task[None] | None = None
        self._following = 0

    async def registered(self) -> Mapping[str, T]:
        """Return every one by its identifier; no SQL when they were read lately.

        Raises:
            StoreUnavailable: they were never read, or too long ago, and SQL does not answer.
        """
        bound = self._stale_after if self._following else self._interval
        if self._clock.now() - self._read_at > bound:
            await self._read_together()
        return self._known

    async def know(self, keys: Collection[str]) -> None:
        """Read the table unless every one of ``keys`` was in it when it was read last.

        Raises:
            StoreUnavailable: SQL does not answer.
        """
        if not self._known.keys() >= set(keys):
            await self.read()

    async def follow(self, stop: asyncio.Event) -> None:
        """Read the table every ``interval`` until ``stop`` is set."""
        self._following += 1
        try:
            while not stop.is_set():
                try:
                    await self.read()
                except StoreUnavailable as error:
                    log.warning("%s cannot be followed: %s", self.plural, error.private)
                await rest(stop, self._interval)
        finally:
            self._following -= 1

    async def read(self) -> None:
        """Read the table.

        Raises:
            StoreUnavailable: SQL does not answer.
        """
        self._begun += 1
        turn, begun = self._begun, self._clock.now()
        found = await self._register.registered()
        if turn > self._adopted:  # else a reading that began later was quicker
            if found != self._known:  # what was worked out for the same records stays good
                self._known = MappingProxyType(dict(found))
            self._adopted, self._read_at = turn, begun

    async def _read_together(self) -> None:
        """Read the table once for all who want it at the same time."""
        if self._reading is None:
            self._reading = asyncio.create_task(self.read())
            self._reading.add_done_callback(self._done)
        await asyncio.shield(self._reading)

    def _done(self, ended: asyncio.Task[None]) -> None:
        self._reading = None
        if not ended.cancelled():
            ended.exception()  # seen, even if every caller has gone


class FollowedApis(FollowedRegister[Api]):
    """``broker.core.apis.Apis``: registered APIs by their identifiers."""

    plural = "APIs"


class FollowedGuilds(FollowedRegister[Guild]):
    """``broker.core.community.registry.Guilds``: registered guilds by their snowflakes."""

    plural = "guilds"
