"""The core's ``Clients`` port: a cache that follows the table, so the hot path asks no SQL."""

import asyncio
import logging
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from broker.core.deadlines import Deadline, TookTooLong
from broker.core.errors import StoreUnavailable
from broker.core.model import Client
from broker.core.ports import Clock
from broker.core.resting import rest
from broker.stores.sql.clients import SqlClients
from broker.stores.sql.followed_register import (
    INTERVAL,
    STALE_AFTER,
    FollowedApis,
    FollowedGuilds,
)
from broker.stores.sql.records import ClientRecord

UNKNOWN_FOR: Final = 3.0  # seconds
LONGEST_ID: Final = 255  # characters, as in the table
LOOKUPS: Final = 3  # at once
TURN: Final = 1.7  # seconds for a lookup, the wait for its turn included

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Entry:
    client: Client | None
    version: int
    read_at: float


class FollowedClients:
    """Clients, read once and kept for as long as the table says that they are unchanged.

    ``follow`` compares the versions of all that is kept with the table every ``interval``, so an
    edit, by whatever process, is seen within that and a little more. A client read before needs no
    SQL: while SQL is down it is served up to ``stale_after`` (default 3600 s) after the last
    comparison that succeeded, then refused with ``StoreUnavailable``: an operator's "disabled"
    must not be ignored for ever. Where nothing follows, an entry counts for one ``interval``.

    Unknown identifiers are kept for three seconds, in a small cache of their own, so that a flood
    of them drives no real client out; at most three lookups are under way at a time, so that it
    does not take the connections of others either.

    A client that names an API or a guild which is not known yet has them read with it: who
    registers an API and then a client of it finds both, whichever process is asked.

    Args:
        clients: the repository.
        clock: the time.
        apis: as they are followed.
        guilds: as they are followed.
        interval: seconds between two comparisons.
        stale_after: seconds for which an entry counts without a comparison.
        size: how many clients are kept.
    """

    def __init__(
        self,
        clients: SqlClients,
        clock: Clock,
        apis: FollowedApis,
        guilds: FollowedGuilds,
        *,
        interval: float = INTERVAL,
        stale_after: float = STALE_AFTER,
        size: int = 2048,
    ) -> None:
        self._clients = clients
        self._clock = clock
        self._apis = apis
        self._guilds = guilds
        self._interval = interval
        self._stale_after = stale_after
        self._size = size
        self._known: OrderedDict[str, _Entry] = OrderedDict()
        self._unknown: OrderedDict[str, float] = OrderedDict()
        self._lookups: dict[str, asyncio.Task[Client | None]] = {}
        self._turns = asyncio.Semaphore(LOOKUPS)
        self._time = Deadline(TURN)
        self._compared_at = float("-inf")
        self._following = 0

    async def find(self, client_id: str) -> Client | None:
        """Return the client, disabled or not, or None; no SQL when it was used lately.

        Raises:
            StoreUnavailable: it is not kept, or kept too long, and SQL does not answer.
        """
        now = self._clock.now()
        entry = self._known.get(client_id)
        if entry is not None and self._counts(entry, now):
            self._known.move_to_end(client_id)
            return entry.client
        if not _plausible(client_id) or self._unknown_lately(client_id, now):
            return None
        return await self._look_up(client_id)

    def forget(self, client_id: str) -> None:
        """Read a client anew when it is asked for next: this process has just changed it."""
        self._known.pop(client_id, None)
        self._unknown.pop(client_id, None)

    async def follow(self, stop: asyncio.Event) -> None:
        """Compare what is kept with the table every ``interval`` until ``stop`` is set."""
        self._following += 1
        try:
            while not stop.is_set():
                await self._try_comparing()
                await rest(stop, self._interval)
        finally:
            self._following -= 1

    async def compare(self) -> None:
        """Drop what the table has in another version; count the rest as fresh.

        Raises:
            StoreUnavailable: SQL does not answer.
        """
        begun = self._clock.now()
        kept = {client_id: entry.version for client_id, entry in self._known.items()}
        now_at = await self._clients.versions(tuple(kept))
        for client_id, version in kept.items():
            entry = self._known.get(client_id)
            if entry is not None and entry.version == version != now_at.get(client_id):
                del self._known[client_id]
        self._compared_at = begun

    async def _try_comparing(self) -> None:
        try:
            await self.compare()
        except StoreUnavailable as error:
            log.warning("clients cannot be followed: %s", error.private)

    def _counts(self, entry: _Entry, now: float) -> bool:
        bound = self._stale_after if self._following else self._interval
        return now - max(entry.read_at, self._compared_at) <= bound

    def _unknown_lately(self, client_id: str, now: float) -> bool:
        return now < self._unknown.get(client_id, float("-inf"))

    async def _look_up(self, client_id: str) -> Client | None:
        """Read one client; callers that want the same one at the same time share the answer."""
        task = self._lookups.get(client_id)
        if task is None:
            task = asyncio.create_task(self._read(client_id))
            self._lookups[client_id] = task
            task.add_done_callback(lambda ended: self._answered(client_id, ended))
        return await asyncio.shield(task)

    def _answered(self, client_id: str, ended: asyncio.Task[Client | None]) -> None:
        self._lookups.pop(client_id, None)
        if not ended.cancelled():
            ended.exception()  # seen, even if every caller has gone

    async def _read(self, client_id: str) -> Client | None:
        begun = self._clock.now()
        try:
            record = await self._time.within(self._in_turn(client_id))
        except TookTooLong as error:
            raise StoreUnavailable(private="too many unknown clients are asked for") from error
        if record is None:
            self._known.pop(client_id, None)
            self._unknown[client_id] = begun + UNKNOWN_FOR
            _trim(self._unknown, 512)
            return None
        self._known[client_id] = _Entry(record.client, record.version, begun)
        self._known.move_to_end(client_id)
        _trim(self._known, self._size)
        return record.client

    async def _in_turn(self, client_id: str) -> ClientRecord | None:
        """Ask SQL when the turn has come, which lasts for as long as it takes a connection.

        Whoever waits for the answer may have given up before that.
        """
        await self._turns.acquire()
        asking = asyncio.create_task(self._asked(client_id))
        asking.add_done_callback(self._turn_ended)
        return await asyncio.shield(asking)

    async def _asked(self, client_id: str) -> ClientRecord | None:
        record = await self._clients.get(client_id)
        if record is not None:
            await self._apis.know(record.client.targets)
            await self._guilds.know(record.client.guilds)
        return record

    def _turn_ended(self, asking: asyncio.Task[ClientRecord | None]) -> None:
        self._turns.release()
        if not asking.cancelled():
            asking.exception()  # seen, even if nobody waits for it


def _trim(cache: OrderedDict[str, _Entry] | OrderedDict[str, float], size: int) -> None:
    while len(cache) > size:
        cache.popitem(last=False)


def _plausible(client_id: str) -> bool:
    """Whether it could be one: visible ASCII (RFC 6749 §A.1) of no more than the column holds."""
    return 0 < len(client_id) <= LONGEST_ID and client_id.isascii() and client_id.isprintable()
