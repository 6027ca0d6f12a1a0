"""All that SQL keeps, over one engine."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import QueuePool

from broker.core.deadlines import Span, TookTooLong
from broker.core.ports import Clock, Entropy
from broker.stores.sql.account_import import SqlAccountImport
from broker.stores.sql.accounts import SqlAccounts
from broker.stores.sql.apis import SqlApis
from broker.stores.sql.audit import SqlAudit
from broker.stores.sql.authorizations import SqlAuthorizations
from broker.stores.sql.bans import SqlBans
from broker.stores.sql.clients import SqlClients
from broker.stores.sql.followed import FollowedClients
from broker.stores.sql.followed_register import (
    INTERVAL,
    STALE_AFTER,
    FollowedApis,
    FollowedGuilds,
)
from broker.stores.sql.guilds import SqlGuilds
from broker.stores.sql.identities import SqlIdentities
from broker.stores.sql.operators import SqlOperators
from broker.stores.sql.outbox import SqlOutbox
from broker.stores.sql.overview import SqlOverview
from broker.stores.sql.own import SqlOwnAccounts
from broker.stores.sql.unit import Units

CLOSING: Final = 2.0  # seconds for all connections, which are closed one after the other


class SqlStores:
    """The stores in SQL.

    Args:
        engine: from ``broker.stores.sql.engine.create``; ``close`` disposes of it.
        entropy: makes identifiers.
        clock: ages what is kept of clients, APIs and guilds.
        secrets: the operator's secrets; the first seals upstream tokens, all open them.
        follow_interval: seconds between two looks at their tables.
        stale_after: seconds for which clients, APIs and guilds are served while SQL is down.

    Attributes:
        engine: the same.
        accounts: the ``Accounts`` port, and what operators do to accounts.
        own: the ``OwnAccounts`` port.
        identities: the ``Identities`` port.
        bans: those that have outlived their accounts.
        account_import: makes accounts that come from elsewhere.
        clients: the clients' repository.
        followed_clients: the ``Clients`` port; run its ``follow``.
        apis: the APIs' repository.
        followed_apis: the ``Apis`` port; run its ``follow``.
        guilds: the guilds' repository.
        followed_guilds: the ``Guilds`` port; run its ``follow``.
        operators: the ``Operators`` port, and who is one.
        authorizations: the ``Authorizations`` port, and sealing them anew.
        audit: the ``Audit`` port, and its pages.
        overview: how much there is of everything.
        outbox: what must still be carried to Redis.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        entropy: Entropy,
        clock: Clock,
        secrets: Sequence[bytes],
        *,
        follow_interval: float = INTERVAL,
        stale_after: float = STALE_AFTER,
    ) -> None:
        self.engine = engine
        self._units = Units(engine)
        self.accounts = SqlAccounts(self._units, entropy)
        self.own = SqlOwnAccounts(self._units)
        self.identities = SqlIdentities(self._units)
        self.bans = SqlBans(self._units)
        self.account_import = SqlAccountImport(self._units, entropy)
        self.apis = SqlApis(self._units)
        self.followed_apis = FollowedApis(
            self.apis, clock, interval=follow_interval, stale_after=stale_after
        )
        self.guilds = SqlGuilds(self._units)
        self.followed_guilds = FollowedGuilds(
            self.guilds, clock, interval=follow_interval, stale_after=stale_after
        )
        self.clients = SqlClients(self._units)
        self.followed_clients = FollowedClients(
            self.clients,
            clock,
            self.followed_apis,
            self.followed_guilds,
            interval=follow_interval,
            stale_after=stale_after,
        )
        self.operators = SqlOperators(self._units)
        self.authorizations = SqlAuthorizations(self._units, secrets, entropy.token)
        self.audit = SqlAudit(self._units)
        self.overview = SqlOverview(self._units)
        self.outbox = SqlOutbox(self._units)

    def connections(self) -> dict[str, int]:
        """Return how many connections there are, by state; none are kept in memory databases."""
        pool = self.engine.pool
        if not isinstance(pool, QueuePool):
            return {}
        overflow = max(pool.overflow(), 0)
        return {
            "in_use": pool.checkedout(),
            "idle": pool.checkedin(),
            "most": pool.size() + overflow,
        }

    async def ping(self) -> None:
        """Return if SQL answers.

        Raises:
            StoreUnavailable: it does not.
        """
        await self._units.ping()

    async def close(self) -> None:
        """Let unfinished writes end, then close every connection; a server that hangs is left."""
        await self.audit.settle()
        await self._units.settle()
        with suppress(TookTooLong):
            await Span(CLOSING).within(self.engine.dispose())
