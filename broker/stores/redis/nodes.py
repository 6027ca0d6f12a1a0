"""Steps on a cluster: each goes to the node that has its slot, with others that go there too.

The cluster's client knows who has which slot, has the connections, and learns of changes. It runs
what has no key; all else only asks it for the node.
"""

import asyncio
from typing import Any, Final

from redis.asyncio import RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.exceptions import ClusterDownError, ResponseError, SlotNotCoveredError
from redis.exceptions import ConnectionError as RedisConnectionError

from broker.stores.redis.connect import FAILURES, HANGING
from broker.stores.redis.lanes import Lanes, disturbed, packed
from broker.stores.redis.redirects import follow

NOT_THERE: Final = (ClusterDownError, SlotNotCoveredError)  # nothing was done; the client can look
SCRIPTS: Final = ("EVAL", "EVALSHA")


class ClusterLanes:
    """Sends commands in batches, a node's own over connections to it.

    Args:
        client: of a cluster.
        deadline: seconds in which a step is answered or fails. A node has a part of it for a batch,
            so that there is time to hear who serves its slots now.
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
        key = _key(words)
        if key is not None:
            try:
                return await follow(self._client, key, lambda *at: self._attempt(words, *at))
            except NOT_THERE:
                pass
        async with self._turn:
            return await self._client.execute_command(*words)

    async def _attempt(self, words: tuple[str | int, ...], node: ClusterNode, asking: bool) -> Any:
        if not asking:
            return await self._to(node).execute(*words)
        async with self._turn:
            return await _Node(self._client, node).ask(words)

    def _to(self, node: ClusterNode) -> Lanes:
        """Return the lanes to a node."""
        known, lanes = self._lanes.get(node.name, (None, None))
        if lanes is None or known is not node:
            lanes = Lanes(_Node(self._client, node), self._deadline * HANGING)
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

    async def ask(self, words: tuple[str | int, ...]) -> Any:
        """Run a command though the node does not serve its slot yet, and return the answer.

        Only what comes next on the connection may: both go together, and nobody comes between.
        """
        connection = await self.lend()
        try:
            await connection.send_packed_command(packed(("ASKING",)) + packed(words))
            await connection.read_response()
            try:
                answer = await connection.read_response()
            except ResponseError as error:
                answer = error
        except BaseException:
            await self.give_up(connection)
            raise
        await self.take_back(connection)
        if isinstance(answer, ResponseError):
            raise answer
        return answer

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
