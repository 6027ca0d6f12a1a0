"""Revoked signing keys, told to every process through Redis."""

from broker.stores.redis.keys import Names
from broker.stores.redis.scripts import Steps


class RedisRevocations:
    """Which signing keys are revoked: one set, never shrinking (a ``kid`` is not made twice)."""

    def __init__(self, steps: Steps, names: Names) -> None:
        self._steps = steps
        self._key = names.revoked_keys()

    async def announce(self, kid: str) -> None:
        """Tell every process that a key is revoked; repeating is harmless."""
        await self._steps.command("SADD", self._key, kid)

    async def revoked_kids(self) -> frozenset[str]:
        """Return the ``kid`` of every key announced as revoked.

        Raises:
            StoreUnavailable: Redis did not answer in time.
        """
        return frozenset(await self._steps.command("SMEMBERS", self._key))
