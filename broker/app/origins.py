"""What any client is registered for: web origins that may call the token endpoints, guilds."""

import asyncio
from typing import Final

from broker.core.errors import StoreUnavailable
from broker.core.ports import Clock
from broker.core.resting import rest
from broker.log import structlog
from broker.stores.sql.clients import SqlClients

INTERVAL: Final = 5.0  # seconds between two looks
MISS: Final = 1.0  # seconds between two looks for an origin that is not known

_log = structlog.get_logger("broker.origins")


class Origins:
    """Registered origins and guilds, followed from SQL.

    Args:
        clients: the clients' repository.
        clock: time.
    """

    def __init__(self, clients: SqlClients, clock: Clock) -> None:
        self._clients = clients
        self._clock = clock
        self._known: frozenset[str] = frozenset()
        self._guilds: frozenset[str] | None = None
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()

    async def allows(self, origin: str) -> bool:
        """Whether any client has registered the origin; a known one costs no SQL."""
        if origin not in self._known and self._clock.now() - self._read_at > MISS:
            await self._read()
        return origin in self._known

    async def guilds(self) -> frozenset[str]:
        """Return the ids of the guilds that any client may know of; no SQL if read lately.

        Raises:
            StoreUnavailable: they were never read, and SQL does not answer.
        """
        if self._guilds is None or self._clock.now() - self._read_at > INTERVAL:
            await self._read()
        if self._guilds is None:
            raise StoreUnavailable(private="the guilds of clients were never read")
        return self._guilds

    def forget(self) -> None:
        """Look again for the next origin that is not known: clients were just changed."""
        self._read_at = float("-inf")

    async def follow(self, stop: asyncio.Event) -> None:
        """Read what clients are registered for every few seconds until ``stop`` is set."""
        while not stop.is_set():
            await self._read()
            await rest(stop, INTERVAL)

    async def _read(self) -> None:
        asked = self._read_at
        async with self._reading:
            if self._read_at != asked:
                return  # somebody else has just looked
            self._read_at = self._clock.now()
            try:
                records = await self._clients.list()
            except StoreUnavailable as error:
                _log.warning("origins.not_followed", reason=error.private)
                return
            enabled = [record.client for record in records if not record.client.disabled]
            self._known = frozenset(origin for client in enabled for origin in client.origins)
            self._guilds = frozenset(guild for client in enabled for guild in client.guilds)
