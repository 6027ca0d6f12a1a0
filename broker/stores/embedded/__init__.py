"""A real Redis server as a child of the broker: the default where none is configured."""

from broker.stores.embedded.binary import find_binary
from broker.stores.embedded.errors import BinaryMissing, DataDirectoryBusy, EmbeddedRedisFailed
from broker.stores.embedded.redis import EmbeddedRedis

__all__ = [
    "BinaryMissing",
    "DataDirectoryBusy",
    "EmbeddedRedis",
    "EmbeddedRedisFailed",
    "find_binary",
]
