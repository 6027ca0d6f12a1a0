"""Following a slot of a cluster to the node that serves it, while it moves too.

A node that is being filled serves nothing yet, so that no table names it: it is known first by the
redirects of others. Whoever redirects has done nothing, so that asking again is safe.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from redis.asyncio import RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.cluster import PRIMARY
from redis.exceptions import AskError, MovedError, TryAgainError

from broker.core.deadlines import TookTooLong

HOPS: Final = 3  # times in a row that a slot may turn out to be elsewhere; then a pause is made
PAUSE: Final = 0.02  # seconds; the keys of a slot are on their way meanwhile
LONGEST: Final = 100  # attempts, should nobody else give up before

T = TypeVar("T")
Attempt = Callable[[ClusterNode, bool], Awaitable[T]]
"""Does something on a node; whether it has to say ``ASKING`` before."""


async def follow(client: RedisCluster, key: str, attempt: Attempt[T]) -> T:
    """Return what an attempt on the right node does.

    Where a step has several keys and some are not there, be it that they never were, a node refuses
    it until the slot has moved with all that it has. So it is asked again; the caller brings the
    deadline.

    Args:
        client: of the cluster.
        key: one of those in the slot.
        attempt: is made until it is not redirected.

    Raises:
        SlotNotCoveredError: no node is known that serves it.
        TookTooLong: it was redirected for ever.
    """
    asked, hops = None, 0
    for _ in range(LONGEST):
        await client.initialize()
        slot = client.keyslot(key)
        node = asked or client.nodes_manager.get_node_from_slot(slot)
        try:
            return await attempt(node, asked is not None)
        except MovedError as moved:
            # The client counts what it is told itself; with every fifth it closes all its
            # connections, those that others are using too.
            await client.nodes_manager.move_slot(moved)
            asked, hops = None, hops + 1
        except AskError as ask:
            asked, hops = _named(client, ask), hops + 1
        except TryAgainError:
            asked, hops = None, HOPS
        if hops >= HOPS:
            await asyncio.sleep(PAUSE)
            hops = 0
    raise TookTooLong


def _named(client: RedisCluster, ask: AskError) -> ClusterNode:
    """Return the node that is to be asked; the client keeps it, and closes it in the end."""
    node = client.get_node(host=ask.host, port=ask.port)
    if node is None:
        table = client.nodes_manager
        node = ClusterNode(ask.host, ask.port, PRIMARY, **table.connection_kwargs)
        table.set_nodes(table.nodes_cache, {node.name: node})
    return node
