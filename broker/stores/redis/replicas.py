"""Waiting until an ending has reached replicas (``WAIT``)."""

from collections.abc import Sequence

from redis.asyncio import RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import AbstractConnection

from broker.stores.redis.connect import Client
from broker.stores.redis.redirects import follow

Call = tuple[str, Sequence[str], Sequence[str]]


async def evaluate_and_wait(client: Client, call: Call, *, replicas: int, milliseconds: int) -> int:
    """Run an idempotent script again and WAIT, both on one connection.

    ``WAIT`` covers the writes of its own connection only, and a connection does not outlive a
    fail-over: so the script is run on it (it always writes), whoever ran it before.

    Args:
        client: the client.
        call: digest, keys (all in one slot) and arguments of the script.
        replicas: how many are wanted.
        milliseconds: how long to wait for them.

    Returns:
        How many replicas have it.
    """
    _, keys, _ = call
    if isinstance(client, RedisCluster):

        async def on(node: ClusterNode, asking: bool) -> int:
            connection = node.acquire_connection()
            try:
                await connection.connect()  # type: ignore[no-untyped-call]
                if asking:
                    await connection.send_command("ASKING")
                    await connection.read_response()
                return await _both(connection, call, replicas, milliseconds)
            finally:
                node.release(connection)

        return await follow(client, keys[0], on)
    pool = client.connection_pool
    connection = await pool.get_connection()  # type: ignore[no-untyped-call]
    try:
        return await _both(connection, call, replicas, milliseconds)
    finally:
        await pool.release(connection)


async def _both(
    connection: AbstractConnection, call: Call, replicas: int, milliseconds: int
) -> int:
    sha, keys, args = call
    await connection.send_command("EVALSHA", sha, len(keys), *keys, *args)
    await connection.read_response()
    await connection.send_command("WAIT", replicas, milliseconds)
    # It answers late on purpose: a connection's own time-out would be over before.
    return int(await connection.read_response(timeout=milliseconds / 1000 + 1))
