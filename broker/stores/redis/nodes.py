"""Steps on a cluster: each goes to the node that has its slot, with others that go there too.

The cluster's client knows who has which slot, has the connections, and learns of changes. It runs
what has no key, and what meets a slot on its way from node to node; all else only asks it for the
node.
"""

import asyncio
from typing import Any, Final

from redis.asyncio import RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.exceptions import (
    AskError,
    ClusterDownError,
    MovedError,
    SlotNotCoveredError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError

from broker.stores.redis.connect import FAILURES
from broker.stores.redis.lanes import Lanes, disturbed

NOT_THERE: Final = (AskError, TryAgainError, ClusterDownError)  # nothing was done; the client can
HOPS: Final = 3  # times that a slot may turn out to have moved
SCRIPTS: Final = ("EVAL", "EVALSHA")


class ClusterLanes:
    """Sends commands in batches, a node's own over connections to it.

    Args:
        client: of a cluster.
        deadline: seconds in which a batch is answered or fails.
    """

    def __init__(self, client: RedisCluster, deadline: float) -> None:
        self._client = client
        self._deadline = deadline
        self._lanes: dict[str, tuple[ClusterNode, Lanes]] = {}
        # The client refuses one more than a node has connections for; here it waits for its turn.
        # Lanes need some too, those of others, and whoever waits for replicas.
        most = int(client.connection_kwargs["max_connections"])
        self._turn = asyncio.Semaphore(max(most // 4, 1))

    async def execute(self, *words: str | int) -> Any:
        """Run one command, all of whose keys are in one slot; as ``Lanes.execute``."""
        try:
            return await self._execute(words)
        except FAILURES:
            raise
        except Exception as error:
            # When a node fails, the client closes its free connections, one that another task is
            # just opening among them, and changes its tables under the hands of others: they find
            # no stream to write to any more, or no node where one was.
            raise RedisConnectionError(repr(error)) from error

    async def _execute(self, words: tuple[str | int, ...]) -> Any:
        try:
            for _ in range(HOPS):
                lanes = await self._of_slot(words)
                if lanes is None:
                    break
                try:
                    return await lanes.execute(*words)
                except MovedError as moved:
                    # The client counts what it is told itself; with every fifth it closes all its
                    # connections, those that others are using too.
                    await self._client.nodes_manager.move_slot(moved)
        except NOT_THERE:
            pass
        async with self._turn:
            return await self._client.execute_command(*words)

    async def _of_slot(self, words: tuple[str | int, ...]) -> Lanes | None:
        """Return the lanes to the node that has the command's slot, or None where none is known."""
        key = _key(words)
        if key is None:
            return None
        await self._client.initialize()
        slot = self._client.keyslot(key)
        try:
            node = self._client.nodes_manager.get_node_from_slot(slot)
        except SlotNotCoveredError:
            return None
        known, lanes = self._lanes.get(node.name, (None, None))
        if lanes is None or known is not node:
            lanes = Lanes(_Node(self._client, node), self._deadline)
            self._lanes[node.name] = node, lanes
        return lanes


class _Node:
    """A node of a cluster as a place; when it fails the client is made to look who serves now."""

    def __init__(self, client: RedisCluster, node: ClusterNode) -> None:
        self._client = client
        self._node = node

    async def lend(self) -> Any:
        """Return a connection, which opens when it is written to."""
        connection = self._node.acquire_connection()
        try:
            await self._node.disconnect_if_needed(connection)
            if connection.is_connected and await disturbed(connection):
                await connection.disconnect(nowait=True)
        except BaseException:
            self._node.release(connection)
            raise
        return connection

    async def take_back(self, connection: Any) -> None:
        """Put it back."""
        self._node.release(connection)

    async def give_up(self, connection: Any) -> None:
        """Put it back closed, and do what the client does when a node fails it."""
        try:
            await connection.disconnect(nowait=True)
        finally:
            self._node.release(connection)
        self._client.nodes_manager.move_node_to_end_of_cached_nodes(self._node.name)
        self._node.update_active_connections_for_reconnect()
        self._client._initialize = True  # noqa: SLF001 - nothing public tells it so without closing
        await self._node.disconnect_free_connections()


def _key(words: tuple[str | int, ...]) -> str | None:
    """Return the first key of a command: the broker's have it first, or after their number."""
    if words[0] in SCRIPTS:
        return str(words[3]) if words[2] else None
    return str(words[1]) if len(words) > 1 else None
