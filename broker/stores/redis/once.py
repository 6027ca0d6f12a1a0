"""What may be used once: identifiers of assertions and of proofs that have no account's slot."""

from broker.stores.redis.keys import Names
from broker.stores.redis.scripts import Steps


class RedisOnce:
    """``broker.core.ports.Once`` in Redis; each digest has a slot of its own.

    Args:
        steps: runs the commands.
        names: names the keys.
    """

    def __init__(self, steps: Steps, names: Names) -> None:
        self._steps = steps
        self._names = names

    async def spend_once(self, digest: str, ttl: int) -> bool:
        """Remember a digest for ``ttl`` seconds; False where it is remembered already."""
        key = self._names.once(digest)
        return await self._steps.command("SET", key, "1", "NX", "EX", max(ttl, 1)) is not None
