"""Sessions, codes and grants in Redis: every step one atomic script, every account one slot."""

from broker.stores.redis.connect import Client, connect
from broker.stores.redis.health import health
from broker.stores.redis.stores import RedisStores

__all__ = ["Client", "RedisStores", "connect", "health"]
