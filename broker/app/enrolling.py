"""Registration of clients by themselves, over SQL and Redis."""

from collections.abc import Callable

from broker.app.registration import judge
from broker.app.settings import Settings
from broker.core.enrolled import Enrolled
from broker.core.enrolment import Enrolment
from broker.core.handles import Handles
from broker.core.model import Client
from broker.core.ports import Clock, Entropy, Outbound
from broker.stores.redis import RedisStores
from broker.stores.sql.errors import EditConflict, NotFound
from broker.stores.sql.facade import SqlStores
from broker.stores.sql.records import ClientRecord

BY: str = "client"  # whom the audit log names


class SqlRecords:
    """``broker.core.enrolled.Records`` over the clients' repository.

    Args:
        sql: the clients, and what this process keeps of them.
        clock: time.
        changed: called after each change.
    """

    def __init__(self, sql: SqlStores, clock: Clock, changed: Callable[[], None]) -> None:
        self._sql = sql
        self._clock = clock
        self._changed = changed

    async def add(self, client: Client) -> Enrolled:
        """Register a client under an identifier that nobody has had."""
        record = await self._sql.clients.add(client, now=self._clock.now(), actor=BY)
        self._forget(client.client_id)
        return _enrolled(record)

    async def get(self, client_id: str) -> Enrolled | None:
        """Return the client as SQL has it, or None."""
        record = await self._sql.clients.get(client_id)
        return None if record is None else _enrolled(record)

    async def edit(self, client: Client, version: int) -> Enrolled | None:
        """Replace a registration; None where it was changed or removed since."""
        now = self._clock.now()
        try:
            record = await self._sql.clients.edit(client, version=version, now=now, actor=BY)
        except (EditConflict, NotFound):
            return None
        self._forget(client.client_id)
        return _enrolled(record)

    async def remove(self, client_id: str) -> bool:
        """Remove a client for good; False where it was removed before."""
        try:
            await self._sql.clients.remove(client_id, now=self._clock.now(), actor=BY)
        except NotFound:
            return False
        self._forget(client_id)
        return True

    def _forget(self, client_id: str) -> None:
        self._sql.followed_clients.forget(client_id)
        self._changed()


def enrolment(
    settings: Settings,
    sql: SqlStores,
    redis: RedisStores,
    *,
    handles: Handles,
    outbound: Outbound,
    clock: Clock,
    entropy: Entropy,
    changed: Callable[[], None],
) -> Enrolment | None:
    """Return what answers ``/register``; None where registration is off.

    Args:
        settings: whether it is on, and for whom.
        sql: the clients.
        redis: counts.
        handles: opens tickets.
        outbound: fetches sector documents.
        clock: time.
        entropy: makes identifiers and secrets.
        changed: called after each change of a client.
    """
    if settings.registration == "off":
        return None
    return Enrolment(
        issuer=settings.public_issuer,
        open=settings.registration == "open",
        clients=sql.followed_clients,
        records=SqlRecords(sql, clock, changed),
        admissions=redis.admissions(clock),
        judge=lambda client: judge(client, settings),
        outbound=outbound,
        handles=handles,
        clock=clock,
        entropy=entropy,
    )


def _enrolled(record: ClientRecord) -> Enrolled:
    return Enrolled(record.client, record.version, record.created_at)
