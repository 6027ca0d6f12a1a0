"""All Redis stores of one client."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from broker.core.deadlines import Span
from broker.core.limits import Kind
from broker.core.ports import Clock
from broker.stores.redis.accounts import RedisAccountStates
from broker.stores.redis.budget import RedisBudget
from broker.stores.redis.connect import FAILURES, Client
from broker.stores.redis.consoles import RedisConsoles
from broker.stores.redis.devices import RedisDevices
from broker.stores.redis.grants import RedisGrants
from broker.stores.redis.keys import Names
from broker.stores.redis.notices import RedisNotices
from broker.stores.redis.once import RedisOnce
from broker.stores.redis.requests import RedisPendingRequests
from broker.stores.redis.revocations import RedisRevocations
from broker.stores.redis.scripts import MakeSteps, Steps
from broker.stores.redis.sentinels import Primary
from broker.stores.redis.sessions import RedisSessions
from broker.stores.redis.turns import RedisTurns

if TYPE_CHECKING:
    from broker.stores.redis.admissions import RedisAdmissions
    from broker.stores.redis.guesses import RedisGuesses, RedisOffers
    from broker.stores.redis.limits import RedisLimits

BUDGET_DEADLINE = 0.5  # seconds; a process knows a budget of its own
CLOSING = 1.0  # seconds that servers have for their farewell, which they say over TLS


class RedisStores:
    """The stores of what is short-lived.

    Args:
        client: made by ``broker.stores.redis.connect``.
        prefix: what every key begins with; no braces.
        replicas: how many replicas must have an ending before it is acknowledged.
        index_cap: how many sessions, codes and grants one account may have alive; those nearest
            to their end are ended first.
        deadline: seconds in which every step has answered or failed.
        make_steps: makes what runs the steps.

    Attributes:
        requests, sessions, grants, accounts: the ports of ``broker.core.ports``.
        revocations: which signing keys are revoked.
        notices: which clients are to be told that a session is over.
        devices: which devices wait for a person.
        once: what was used and may not be again.
        consoles: sessions of the operator console.
        turns: whose turn it is to read somebody's communities anew.
        budget: whose turn it is to call an upstream.
    """

    def __init__(
        self,
        client: Client,
        *,
        prefix: str = "broker:",
        replicas: int = 0,
        index_cap: int = 500,
        deadline: float = 1.5,
        make_steps: MakeSteps = Steps,
    ) -> None:
        names = Names(prefix)
        steps = make_steps(client, deadline=deadline, replicas=replicas)
        self.client = client
        self._names, self._steps = names, steps
        self.requests = RedisPendingRequests(steps, names)
        self.notices = RedisNotices(steps, names)
        self.sessions = RedisSessions(steps, names, self.notices, index_cap=index_cap)
        self.grants = RedisGrants(steps, names, index_cap=index_cap)
        self.accounts = RedisAccountStates(steps, names, self.notices)
        self.revocations = RedisRevocations(steps, names)
        self.devices = RedisDevices(steps, names)
        self.once = RedisOnce(steps, names)
        self.consoles = RedisConsoles(steps, names)
        self.turns = RedisTurns(steps, names)
        hasty = make_steps(client, deadline=min(deadline, BUDGET_DEADLINE), replicas=0)
        self.budget = RedisBudget(hasty, names)
        self._all_steps = steps, hasty

    def guesses(self, clock: Clock) -> "RedisGuesses":
        """Return what counts guesses of a device's code."""
        # A tenth of a second to load, which only a process that serves has to spend.
        from broker.stores.redis.guesses import RedisGuesses  # noqa: PLC0415

        return RedisGuesses(self._steps, self._names, clock)

    def offers(self, clock: Clock) -> "RedisOffers":
        """Return what counts tokens of upstreams that are offered in exchange."""
        from broker.stores.redis.guesses import RedisOffers  # noqa: PLC0415 - as above

        return RedisOffers(self._steps, self._names, clock)

    def limits(self, rates: Mapping[Kind, str], clock: Clock) -> "RedisLimits":
        """Return what counts requests; ``rates`` as the ``limits`` library writes them."""
        from broker.stores.redis.guesses import Counters  # noqa: PLC0415 - as above
        from broker.stores.redis.limits import RedisLimits  # noqa: PLC0415 - as above

        return RedisLimits(Counters(self._steps, self._names, clock), rates, clock)

    def admissions(self, clock: Clock) -> "RedisAdmissions":
        """Return what counts clients that register themselves."""
        from broker.stores.redis.admissions import RedisAdmissions  # noqa: PLC0415 - as above

        return RedisAdmissions(self._steps, self._names, clock)

    def connections(self) -> dict[str, int]:
        """Return how many connections there are, by state; nothing is known of a cluster's."""
        pool = getattr(self.client, "connection_pool", None)
        if pool is None:
            return {}
        counted = {told["db.client.connection.state"]: n for n, told in pool.get_connection_count()}
        kept = sum(steps.kept for steps in self._all_steps)
        in_use, idle = counted.get("used", 0) - kept, counted.get("idle", 0) + kept
        return {"in_use": in_use, "idle": idle, "most": pool.max_connections}

    def beside(self) -> dict[str, Callable[[asyncio.Event], Awaitable[None]]]:
        """Return what is to run beside the requests, by name, each until its event is set."""
        pool = getattr(self.client, "connection_pool", None)
        return {"primary": pool.follow} if isinstance(pool, Primary) else {}

    async def close(self) -> None:
        """Close every connection; nobody waits for long for a server that hangs."""
        with suppress(*FAILURES):
            await Span(CLOSING).within(self.client.aclose())
