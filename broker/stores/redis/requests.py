"""Authorization requests that wait for a person."""

from typing import Final

from broker.core.model import PendingRequest
from broker.stores.redis import codec
from broker.stores.redis.keys import Names
from broker.stores.redis.scripts import Steps, script

KEPT_AFTER: Final = 3600  # seconds beyond its expiry, so that an expired one can say so


class RedisPendingRequests:
    """``broker.core.ports.PendingRequests`` in Redis: one string a request."""

    def __init__(self, steps: Steps, names: Names) -> None:
        self._steps = steps
        self._names = names
        self._spend = script("request_spend")

    async def put(self, pending: PendingRequest, *, kept_after: int = KEPT_AFTER) -> None:
        """Write or replace the record.

        It is kept so many seconds beyond its expiry, to explain itself.
        """
        key = self._names.request(pending.request_id)
        kept = max(int(pending.expires_at - pending.created_at), 0) + kept_after
        await self._steps.command("SET", key, codec.pending_text(pending), "EX", kept)

    async def get(self, request_id: str) -> PendingRequest | None:
        """Return the record, expired or not, or None."""
        return _found(request_id, await self._steps.command("GET", self._names.request(request_id)))

    async def spend_attempt(self, request_id: str, attempt: str) -> PendingRequest | None:
        """Close the open trip upstream if it is this one; return the record as it was, or None."""
        key = self._names.request(request_id)
        return _found(request_id, await self._steps.run(self._spend, (key,), attempt))

    async def finish(self, request_id: str) -> PendingRequest | None:
        """Remove the record; return it to the one caller that removed it."""
        return _found(
            request_id, await self._steps.command("GETDEL", self._names.request(request_id))
        )


def _found(request_id: str, text: str | None) -> PendingRequest | None:
    return None if text is None else codec.pending(request_id, text)
