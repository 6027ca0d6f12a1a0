"""Redis under Sentinels: which server is the primary, and hearing at once that it is another.

A fail-over that is asked for leaves the former primary writable for some ten seconds, and whoever
is connected to it notices nothing: what is written there is lost. So a process listens to a
Sentinel, and leaves a server as soon as another has its place.
"""

import asyncio
from contextlib import suppress
from typing import Any, Final

from broker.log import structlog
from broker.without import without

with without("opentelemetry"):
    from redis.asyncio import Redis, Sentinel
    from redis.asyncio.sentinel import (
        MasterNotFoundError,
        SentinelConnectionPool,
        SentinelManagedConnection,
        SentinelManagedSSLConnection,
    )
    from redis.exceptions import ConnectionError as RedisConnectionError
    from redis.exceptions import RedisError, ResponseError

FAILURES: Final = (RedisError, OSError, TimeoutError)
LOOK: Final = 1.0  # seconds between two looks who the primary is, should nothing be heard of it
# What the Sentinel says that leads a fail-over, and what the others do: each as early as it can.
CHANGES: Final = ("+promoted-slave", "+switch-master")
NO_PRIMARY: Final = ("READONLY", "MASTERDOWN", "UNBLOCKED")  # in errors of a server that is none

_log = structlog.get_logger("broker.redis")


class Sentinels(Sentinel):
    """Asks Sentinels who the primary is, one after the other; whoever knew is the first next time.

    Args:
        hosts: of the Sentinels, with their ports.
        options: of connections to them. Answers must have a time-out: one that hangs is passed by.
    """

    def __init__(self, hosts: list[tuple[str, int]], options: dict[str, Any]) -> None:
        super().__init__(hosts, sentinel_kwargs=options)  # type: ignore[no-untyped-call]

    async def discover_master(self, service_name: str) -> tuple[str, int]:
        """Return the primary's host and port.

        The library reads them in a table that has the former one's until a fail-over is over. Who
        leads it answers the question itself with the new one as soon as that takes writes.

        Raises:
            MasterNotFoundError: no Sentinel knows one that is not down.
        """
        errors = []
        for sentinel in tuple(self.sentinels):
            try:
                found = await self._ask(sentinel, service_name)
            except FAILURES as error:
                errors.append(str(error))
                continue
            if found is not None:
                self.sentinels.remove(sentinel)
                self.sentinels.insert(0, sentinel)
                return found
        raise MasterNotFoundError(f"no primary of {service_name!r} is known: {errors}")

    async def _ask(self, sentinel: Redis, service: str) -> tuple[str, int] | None:
        named: Any = await sentinel.sentinel_get_master_addr_by_name(service)
        if not named:
            return None
        states: Any = await sentinel.sentinel_masters()
        state = states.get(service)
        same = state is not None and named == (state["ip"], state["port"])
        if same and not self.check_master_state(state, service):
            return None
        host, port = named
        return host, port


class _ToPrimary(SentinelManagedConnection):
    """A connection that ends where its server is no primary (any more)."""

    async def on_connect_check_health(self, check_health: bool = True) -> None:
        """Look whether it is one: a Sentinel that was cut off may name a former one."""
        await super().on_connect_check_health(check_health)
        await self.send_command("HELLO", check_health=False)
        said = await self.read_response()
        if said["role"] != "master":
            await self.disconnect(nowait=True)
            raise RedisConnectionError(f"the server is no primary but a {said['role']}")

    async def read_response(self, *args: Any, **more: Any) -> Any:
        """Read an answer; at one that only others give, another server is looked for."""
        try:
            return await super().read_response(*args, **more)
        except ResponseError as error:
            # Redis 6.2 says it of a script in the middle of a sentence.
            if not any(word in str(error) for word in NO_PRIMARY):
                raise
            await self.disconnect(nowait=True)
            raise RedisConnectionError("the server is no primary any more") from error


class _ToPrimaryOverTls(_ToPrimary, SentinelManagedSSLConnection):
    """The same over TLS."""


class Primary(SentinelConnectionPool):
    """Connections to the primary, whoever it is.

    Args:
        service: its name among the Sentinels.
        sentinels: who know.
        options: of its connections.
    """

    sentinel_manager: Sentinels

    def __init__(self, service: str, sentinels: Sentinels, **options: Any) -> None:
        kind = _ToPrimaryOverTls if options.pop("ssl", False) else _ToPrimary
        super().__init__(service, sentinels, connection_class=kind, **options)  # type: ignore[no-untyped-call]

    async def aclose(self) -> None:
        """Close all connections, those to Sentinels too."""
        await super().aclose()
        await self.sentinel_manager.aclose()

    async def get_master_address(self) -> tuple[str, int]:
        """Return whom a connection is to be made to; no other is used once more.

        The library closes those that are idle, and knows nothing of those that are not.

        Raises:
            MasterNotFoundError: no Sentinel knows a primary that is not down.
        """
        before = self.master_address
        now: tuple[str, int] = await super().get_master_address()  # type: ignore[no-untyped-call]
        if before not in {None, now}:
            await self.update_active_connections_for_reconnect()  # type: ignore[no-untyped-call]
            _log.warning("redis.primary_changed", now="{}:{}".format(*now))
        return now

    async def follow(self, stop: asyncio.Event) -> None:
        """Leave a primary as soon as another has its place, until the event is set."""
        stopping = asyncio.create_task(stop.wait())
        listening = asyncio.create_task(self._listen(stop))
        try:
            await asyncio.wait({stopping, listening}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            listening.cancel()
            await asyncio.wait({stopping, listening})
        if not listening.cancelled():
            listening.result()

    async def _listen(self, stop: asyncio.Event) -> None:
        """Listen to whoever is asked first; where that is silent, by then another is.

        It looks at the event itself: with Python 3.11 the library may lose that it was cancelled.
        """
        silent = False
        while not stop.is_set():
            listened_to = self.sentinel_manager.sentinels[0]
            try:
                async with listened_to.pubsub(ignore_subscribe_messages=True) as heard:
                    await heard.subscribe(*CHANGES)
                    silent = False
                    while self.sentinel_manager.sentinels[0] is listened_to and not stop.is_set():
                        await self._look()
                        await heard.get_message(timeout=LOOK)
            except FAILURES as error:
                if not silent:
                    _log.warning("sentinel.unreachable", reason=str(error))
                silent = True
                await self._look()
                await asyncio.sleep(LOOK)

    async def _look(self) -> None:
        """Ask who the primary is; where nobody tells, whoever has a connection goes on with it."""
        with suppress(*FAILURES):
            await self.get_master_address()
