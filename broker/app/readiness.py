"""Whether this process should get requests, and why not."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from broker.app.stores import Stores
from broker.core.errors import BrokerError, StoreUnavailable
from broker.core.ports import Clock
from broker.core.resting import rest
from broker.stores.redis import health
from broker.stores.sql import schema
from broker.web.services import Check

KEPT: Final = 1.0  # seconds an answer counts, so that nobody can wear the stores out by asking
SCHEMA_EVERY: Final = 30.0  # seconds between two looks at the schema


class Readiness:
    """Looks at Redis, SQL, the schema and the signing keys.

    SQL being away leaves the process ready, and says so: refreshes, userinfo and the JWKS need no
    SQL, and a balancer that took every process away would end them too.

    Args:
        stores: what is looked at.
        keys_fault: returns why no key may sign, or None.
        clock: time.
    """

    def __init__(self, stores: Stores, keys_fault: Callable[[], str | None], clock: Clock) -> None:
        self._stores = stores
        self._keys_fault = keys_fault
        self._clock = clock
        self._schema: str | None = None
        self._revision: str | None = None
        self._seen: tuple[float, Sequence[Check]] = (float("-inf"), ())
        self._looking = asyncio.Lock()

    async def checks(self) -> Sequence[Check]:
        """Return one check for each thing that is needed."""
        async with self._looking:
            if not 0 <= self._clock.now() - self._seen[0] < KEPT:
                found = await self._look()
                self._seen = (self._clock.now(), found)
            return self._seen[1]

    async def _look(self) -> Sequence[Check]:
        redis, sql = await asyncio.gather(health(self._stores.redis.client), self._sql())
        return (
            Check("redis", redis is None, redis or ""),
            Check("sql", ok=True, reason=sql),
            Check("schema", self._schema is None, self._schema or ""),
            _check("keys", self._keys_fault()),
        )

    async def _sql(self) -> str:
        try:
            await self._stores.sql.ping()
        except StoreUnavailable:
            return "out of reach: new sign-ins are refused, all else goes on"
        return ""

    async def look_at_schema(self) -> None:
        """Compare the database's schema with what this code wants."""
        try:
            found = await schema.check(self._stores.sql.engine, self._revision)
        except StoreUnavailable:
            return  # the last word stands
        except BrokerError as error:
            self._schema = error.public
            return
        self._schema, self._revision = None, found.current

    async def follow_schema(self, stop: asyncio.Event) -> None:
        """Look at the schema now and then until ``stop`` is set: an upgrade may come later."""
        while not stop.is_set():
            await self.look_at_schema()
            await rest(stop, SCHEMA_EVERY)


def _check(name: str, fault: str | None) -> Check:
    return Check(name, fault is None, fault or "")
