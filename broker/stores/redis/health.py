"""Whether a Redis can be trusted with what is kept in it."""

from typing import Any

from redis.asyncio import RedisCluster
from redis.exceptions import NoPermissionError, ResponseError

from broker.core.deadlines import Span
from broker.stores.redis.connect import FAILURES, Client

KEEPS = "noeviction"


async def health(client: Client, *, deadline: float = 1.5) -> str | None:
    """Return why Redis cannot be used, in plain words, or None when it can.

    Looks whether it answers, takes writes, and never evicts: a server that drops keys when memory
    is short would drop sessions, and the marks that keep disabled accounts out.
    """
    try:
        return await Span(deadline).within(_fault(client))
    except FAILURES as error:
        return f"Redis does not answer ({type(error).__name__})"


async def _fault(client: Client) -> str | None:
    await client.execute_command("PING")
    return await _evicts(client) or await _read_only(client)


async def _evicts(client: Client) -> str | None:
    settings: dict[str, Any]
    try:
        settings = await client.config_get("maxmemory*")  # type: ignore[assignment]
    except (NoPermissionError, ResponseError):
        # Managed services hide CONFIG; INFO tells the same.
        settings = await _memory_info(client)
    limit, policy = int(settings.get("maxmemory", 0)), settings.get("maxmemory-policy", KEEPS)
    if limit and policy != KEEPS:
        return f"Redis is configured to evict (maxmemory-policy {policy}): set noeviction"
    return None


async def _memory_info(client: Client) -> dict[str, Any]:
    info = await client.info("memory")
    return {
        "maxmemory": info.get("maxmemory", 0),
        "maxmemory-policy": info.get("maxmemory_policy", KEEPS),
    }


async def _read_only(client: Client) -> str | None:
    if isinstance(client, RedisCluster):
        return None  # the client finds the primaries itself
    info = await client.info("replication")
    if info.get("role") == "slave":
        return "Redis is a read-only replica"
    return None
