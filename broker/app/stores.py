"""Opening what the broker keeps things in: SQL, Redis and the signing keys."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from broker.app.key_places import key_store, open_vault
from broker.app.loading import effective_secrets
from broker.app.problems import Problem, Refused
from broker.app.settings import Settings
from broker.app.sources import variable
from broker.core import audit
from broker.core.errors import BrokerError, StoreUnavailable
from broker.core.ports import Clock, Entropy
from broker.stores.redis import RedisStores, connect
from broker.stores.redis.revocations import RedisRevocations
from broker.stores.redis.scripts import MakeSteps, Steps
from broker.stores.sql import engine as sql_engine
from broker.stores.sql import schema
from broker.stores.sql.facade import SqlStores
from broker.stores.sql.records import (
    ACCOUNT_ENDED,
    ACCOUNT_ERASED,
    CONSENT_WITHDRAWN,
    IDENTITY_UNLINKED,
    OutboxItem,
)
from keys.errors import KeyStoreUnavailable
from keys.rotation import Rotation
from keys.sealing import Sealer
from keys.stores import KeyStore
from keys.vault import Vault

DATABASE_FILE = "broker.db"


@dataclass(frozen=True, slots=True)
class Stores:
    """Everything that is kept, opened.

    Attributes:
        sql: accounts, clients, audit log, outbox.
        redis: sessions, codes, grants.
        keys: the signing keys.
        vault: makes and uses their private halves.
        secrets: the operator's secrets; the first is used.
    """

    sql: SqlStores
    redis: RedisStores
    keys: KeyStore
    vault: Vault
    secrets: tuple[bytes, ...]

    @property
    def pools(self) -> dict[str, Callable[[], dict[str, int]]]:
        """By store, what tells how many of its connections are in which state."""
        return {"redis": self.redis.connections, "sql": self.sql.connections}

    async def carry(self, item: OutboxItem) -> None:
        """Carry one change that was committed in SQL to Redis; safe to repeat.

        Raises:
            StoreUnavailable: SQL or Redis is out of reach; the item is to be tried again.
        """
        account_id = str(item.payload["account_id"])
        if item.kind == ACCOUNT_ERASED:
            await self.redis.accounts.erase(account_id, now=item.created_at)
            return
        facts = await self.sql.accounts.facts(account_id)
        if facts is None:
            return
        if item.kind == ACCOUNT_ENDED:
            stays = item.payload.get("since_stays") is True
            await self.redis.accounts.end_all(account_id, facts, since_stays=stays)
            return
        if item.kind == CONSENT_WITHDRAWN and "at" in item.payload:
            client_id, at = str(item.payload["client_id"]), float(item.payload["at"])
            consented = item.payload.get("consented") is True
            await self.redis.accounts.end_access(
                account_id, facts, client_id, until=at, consented=consented
            )
            return
        await self.redis.accounts.put_facts(account_id, facts)
        if item.kind == IDENTITY_UNLINKED:
            upstream, at = str(item.payload["upstream"]), float(item.payload["at"])
            await self.redis.sessions.end_vouched(account_id, upstream, until=at)

    def rotation(self, settings: Settings) -> Rotation:
        """Return the operator's operations on the signing keys."""
        return Rotation(
            store=self.keys,
            vault=self.vault,
            policy=settings.key_policy,
            announce=KeyNews(self.redis.revocations).announce,
            algorithms=settings.algorithms,
        )


class KeyNews:
    """What processes must hear of signing keys even while SQL is down, told through Redis.

    Args:
        revocations: the set of announced marks.
    """

    def __init__(self, revocations: RedisRevocations) -> None:
        self._revocations = revocations

    async def revoked_kids(self) -> frozenset[str]:
        """Return every mark announced.

        Raises:
            KeyStoreUnavailable: Redis is out of reach.
        """
        try:
            return await self._revocations.revoked_kids()
        except StoreUnavailable as error:
            raise KeyStoreUnavailable(error.private) from error

    async def announce(self, mark: str) -> None:
        """Tell every process.

        Raises:
            KeyStoreUnavailable: Redis is out of reach; nothing was changed.
        """
        try:
            await self._revocations.announce(mark)
        except StoreUnavailable as error:
            raise KeyStoreUnavailable(error.private) from error


def database_address(settings: Settings) -> str:
    """Return the SQL address: the one configured, else SQLite in the data directory."""
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    return f"sqlite+aiosqlite:///{(settings.data_dir / DATABASE_FILE).absolute()}"


@asynccontextmanager
async def open_stores(
    settings: Settings,
    clock: Clock,
    entropy: Entropy,
    redis_url: str,
    *,
    make_steps: MakeSteps = Steps,
) -> AsyncIterator[Stores]:
    """Open the stores; no connection is made before it is needed. Closes them in the end.

    Args:
        settings: where they are.
        clock: time.
        entropy: randomness.
        redis_url: the Redis to use: the one configured, or the embedded one.
        make_steps: makes what runs steps in Redis.

    Raises:
        Refused: the operator's secret cannot be read or made.
    """
    secrets = effective_secrets(settings, entropy)
    engine = sql_engine.create(database_address(settings), pool_size=settings.database_pool)
    sql = SqlStores(engine, entropy, clock, secrets)
    redis = RedisStores(
        connect(redis_url, pool_size=settings.redis_pool),
        prefix=f"{settings.redis_prefix}:",
        replicas=settings.redis_replicas,
        make_steps=make_steps,
    )
    try:
        with open_vault(settings, Sealer(secrets, entropy.token), clock, entropy) as vault:
            yield Stores(sql, redis, key_store(settings, engine, entropy), vault, secrets)
    finally:
        await audit.settle()
        await redis.close()
        await sql.close()


async def make_schema(settings: Settings, stores: Stores) -> None:
    """Bring the embedded database up to date; look whether a configured one is.

    Raises:
        Refused: it is older or newer than this code can use.
        StoreUnavailable: SQL is out of reach.
    """
    if settings.database_url is None:
        await schema.upgrade(stores.sql.engine)
    try:
        await schema.check(stores.sql.engine)
    except StoreUnavailable:
        raise
    except BrokerError as error:
        raise Refused(Problem(variable("database_url"), error.public)) from None
