"""Marks of signing keys (revoked, or to sign early), told to every process through Redis."""

from broker.core.errors import StoreUnavailable
from broker.stores.redis.keys import Names
from broker.stores.redis.scripts import Steps
from keys.errors import KeyStoreUnavailable


class RedisRevocations:
    """``keys.witness.RevocationWitness`` in Redis: one set that never shrinks.

    A mark that this process has seen stays known to it, and is put back should Redis have lost it.
    """

    def __init__(self, steps: Steps, names: Names) -> None:
        self._steps = steps
        self._key = names.revoked_keys()
        self._seen: frozenset[str] = frozenset()

    async def announce(self, kid: str) -> None:
        """Tell every process of a mark; repeating is harmless.

        Raises:
            KeyStoreUnavailable: Redis did not answer in time.
        """
        try:
            await self._steps.command("SADD", self._key, kid)
        except StoreUnavailable as error:
            raise KeyStoreUnavailable(error.private) from error
        self._seen |= {kid}

    async def revoked_kids(self) -> frozenset[str]:
        """Return every mark announced, as it was announced.

        Raises:
            KeyStoreUnavailable: Redis did not answer in time.
        """
        try:
            kept = frozenset(await self._steps.command("SMEMBERS", self._key))
            lost = self._seen - kept
            if lost:
                await self._steps.command("SADD", self._key, *sorted(lost))
        except StoreUnavailable as error:
            raise KeyStoreUnavailable(error.private) from error
        self._seen |= kept
        return self._seen
