"""Key sets that others publish (``jwks_uri``), kept as long as their headers allow.

A hot client's requests find parsed keys and make no call. A key that its set does not hold makes
the set be read again, once a minute at the most, whoever asks. While the address gives no answer
the last set counts for another hour.
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, Protocol

from broker.core.client_keys import KeySet, UnusableKey, read
from broker.core.errors import OutboundError
from broker.core.ports import Clock, Fetched
from broker.log import structlog

LIMIT: Final = 65536  # bytes of one set
SHORTEST, USUAL, LONGEST = 60.0, 600.0, 3600.0  # seconds that a set is fresh
STALE: Final = 3600.0  # seconds that it counts beyond, while its address does not answer
PAUSE: Final = 60.0  # seconds between two readings that an unknown key makes
RETRY: Final = 10.0  # seconds after a reading that failed

_log = structlog.get_logger("broker.jwks_uri")


@dataclass(slots=True)
class _Entry:
    """One set: ``asked_at`` is the last reading, ``ends_at`` when the set counts no more."""

    keys: KeySet
    asked_at: float
    fresh_until: float
    ends_at: float


class Source(Protocol):
    """Where sets are read from: ``broker.core.ports.Outbound`` for addresses that clients name."""

    async def get_json(self, url: str, *, limit: int) -> Fetched:
        """Return the JSON behind an address; ``limit`` is the most bytes of it.

        Raises:
            OutboundError: there is none to be had.
        """
        ...


class PublishedKeys:
    """``broker.core.client_keys.Published`` over calls.

    Args:
        source: makes the calls.
        clock: time.
        size: how many sets are kept.
    """

    def __init__(self, source: Source, clock: Clock, *, size: int = 512) -> None:
        self._source = source
        self._clock = clock
        self._size = size
        self._kept: OrderedDict[str, _Entry] = OrderedDict()
        self._readings: dict[str, asyncio.Task[KeySet | None]] = {}

    async def keys(self, uri: str) -> KeySet:
        """Return the keys behind an address; none where they cannot be had."""
        now = self._clock.now()
        entry = self._kept.get(uri)
        if entry is not None and now < entry.fresh_until:
            self._kept.move_to_end(uri)
            return entry.keys
        found = await self._read_together(uri)
        if found is None and entry is not None and now < entry.ends_at:
            return entry.keys
        return found or ()

    async def newer(self, uri: str) -> KeySet | None:
        """Return the keys read anew, or None where that was done a moment ago or failed."""
        entry = self._kept.get(uri)
        if entry is not None and self._clock.now() - entry.asked_at < PAUSE:
            return None
        return await self._read_together(uri)

    async def _read_together(self, uri: str) -> KeySet | None:
        """Read a set once for all who want it at the same time; None where that fails."""
        task = self._readings.get(uri)
        if task is None:
            task = self._readings[uri] = asyncio.create_task(self._read(uri))
            task.add_done_callback(lambda _: self._readings.pop(uri))
        return await asyncio.shield(task)

    async def _read(self, uri: str) -> KeySet | None:
        asked_at = self._clock.now()
        try:
            value, max_age = await self._source.get_json(uri, limit=LIMIT)
            found = read(value)
        except (OutboundError, UnusableKey) as error:
            _log.warning("jwks_uri.unread", uri=uri, reason=getattr(error, "private", str(error)))
            self._failed(uri, asked_at)
            return None
        fresh = min(max(USUAL if max_age is None else max_age, SHORTEST), LONGEST)
        until = asked_at + fresh
        self._keep(uri, _Entry(found, asked_at, until, until + STALE))
        return found

    def _failed(self, uri: str, asked_at: float) -> None:
        """Leave the address alone for a while; its last set counts as long as it may."""
        entry = self._kept.get(uri)
        if entry is None or entry.ends_at <= asked_at:
            again = asked_at + RETRY
            self._keep(uri, _Entry((), asked_at, again, again))
            return
        again = max(entry.fresh_until, asked_at + RETRY)
        ends_at = entry.ends_at
        self._keep(uri, _Entry(entry.keys, asked_at, min(again, ends_at), ends_at))

    def _keep(self, uri: str, entry: _Entry) -> None:
        self._kept[uri] = entry
        self._kept.move_to_end(uri)
        if len(self._kept) > self._size:
            self._kept.popitem(last=False)
