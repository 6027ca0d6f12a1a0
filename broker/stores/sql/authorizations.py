"""What upstreams let us do, sealed, one an identity: the core's ``Authorizations`` port.

The tokens are sealed with the first of the operator's secrets, under a key for this purpose alone,
bound to the identity: a row that is moved to another does not open. Leases are one conditional
UPDATE each, so of any number of processes one has it, and one that dies keeps it for a while only.
"""

import json
import logging
from collections.abc import Callable, Sequence
from typing import Any, Final

from sqlalchemy import LargeBinary, Update, func, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from broker.core.federation import KeptAuthorization, UpstreamAuthorization
from broker.core.model import AuditEvent
from broker.stores.sql.account_rows import identity_at, remember
from broker.stores.sql.tables import IdentityRow, UpstreamTokenRow
from broker.stores.sql.unit import Units
from keys.errors import KeyRecordCorrupt
from keys.sealing import Sealer

LABEL: Final = b"token-broker/upstream-tokens"
BATCH: Final = 200  # tokens sealed anew in one transaction

log: Final = logging.getLogger(__name__)


class SqlAuthorizations:
    """Sealed authorizations in SQL; ``StoreUnavailable`` from every method when it is away.

    One that does not open any more (its secret was dropped) counts as none: its person signs in
    again.

    Args:
        units: where transactions run.
        secrets: the operator's secrets; the first seals, all open.
        entropy: returns so many random bytes.
    """

    def __init__(
        self, units: Units, secrets: Sequence[bytes], entropy: Callable[[int], bytes]
    ) -> None:
        self._units = units
        self._sealer = Sealer(secrets, entropy, label=LABEL)

    async def keep(
        self,
        account_id: str,
        upstream: str,
        authorization: UpstreamAuthorization,
        *,
        now: float,
        version: int | None = None,
    ) -> bool:
        """Replace what is kept for the account's identity at the upstream; ends a lease.

        Args:
            account_id: whose.
            upstream: where.
            authorization: what to keep.
            now: UTC seconds.
            version: of what it was renewed from; what a sign-in has put in its place since stays.

        Returns:
            Whether it was kept; False, too, where the account has no identity there (any more).
        """

        async def work(session: AsyncSession) -> bool:
            identity = await identity_at(session, account_id, upstream)
            if identity is None or identity.id is None:
                return False
            row = await _locked(session, identity.id)
            if version is not None and (row is None or row.version != version):
                return False
            columns = self._columns(identity, authorization, now)
            if row is None:
                # Beyond every version there was before it was forgotten: nobody's lease fits it.
                session.add(
                    UpstreamTokenRow(identity_id=identity.id, version=int(now * 1000), **columns)
                )
            else:
                row.sqlmodel_update(columns)
                row.version += 1
            return True

        return await self._units.write(work)

    async def get(self, account_id: str, upstream: str) -> KeptAuthorization | None:
        """Return what is kept, or None."""
        found = await self._units.read(lambda session: _found(session, account_id, upstream))
        return None if found is None else self._opened(*found)

    async def lease(
        self, account_id: str, upstream: str, *, version: int, now: float, seconds: float
    ) -> bool:
        """Take the right to renew this version for so long.

        Returns:
            False where another has it, the version is another by now, or it is lost.
        """
        free = col(UpstreamTokenRow.lease_until) <= now, col(UpstreamTokenRow.lost_at).is_(None)
        wanted = _version(account_id, upstream, version).where(*free)
        return await self._change(wanted.values(lease_until=now + seconds))

    async def lose(self, account_id: str, upstream: str, *, version: int, now: float) -> None:
        """Mark this version as refused, with an audit event; a newer one stays as it is."""
        alive = col(UpstreamTokenRow.lost_at).is_(None)
        wanted = _version(account_id, upstream, version).where(alive)
        detail = {"upstream": upstream}
        event = AuditEvent("upstream.lost", now, "system", account_id, detail=detail)
        await self._change(wanted.values(lost_at=now, lease_until=0.0), event)

    async def forget(self, account_id: str, upstream: str) -> None:
        """Remove what is kept; idempotent."""

        async def work(session: AsyncSession) -> None:
            found = await _found(session, account_id, upstream)
            if found is not None:
                await session.delete(found[1])

        await self._units.write(work)

    async def rewrap(self) -> int:
        """Seal everything with the first secret; return how many were sealed with another.

        What no secret opens stays as it is. Safe beside all else, and to repeat.
        """
        count, last = 0, 0
        while True:
            changed, found = await self._rewrap_some(last)
            count += changed
            if found is None:
                return count
            last = found

    async def sealed_with_last(self) -> int:
        """Return how many are sealed with the last of the secrets."""
        key_id = func.substr(UpstreamTokenRow.sealed, 2, 4, type_=LargeBinary)
        counted = select(func.count()).select_from(UpstreamTokenRow)
        wanted = counted.where(key_id == self._sealer.ids[-1])

        async def work(session: AsyncSession) -> int:
            return (await session.exec(wanted)).one()

        return await self._units.read(work)

    async def _change(self, statement: Update, event: AuditEvent | None = None) -> bool:
        """Run an update of one row; return whether there was one that fits."""

        async def work(session: AsyncSession) -> bool:
            done = await session.exec(statement)
            if done.rowcount and event is not None:
                remember(session, event)
            return bool(done.rowcount)

        return await self._units.write(work)

    async def _rewrap_some(self, after: int) -> tuple[int, int | None]:
        """Seal a batch anew; return how many, and the last identity, or None at the end."""
        wanted = (
            select(UpstreamTokenRow, IdentityRow)
            .join(IdentityRow)
            .where(col(UpstreamTokenRow.identity_id) > after)
            .order_by(col(UpstreamTokenRow.identity_id))
            .limit(BATCH)
            .with_for_update(of=UpstreamTokenRow)
        )

        async def work(session: AsyncSession) -> tuple[int, int | None]:
            count, last = 0, None
            for row, identity in await session.exec(wanted):
                last = row.identity_id
                count += self._rewrapped(row, identity)
            return count, last

        return await self._units.write(work)

    def _rewrapped(self, row: UpstreamTokenRow, identity: IdentityRow) -> bool:
        try:
            sealed = self._sealer.rewrap(_name(identity), row.sealed)
        except KeyRecordCorrupt:
            return False
        changed, row.sealed = sealed != row.sealed, sealed
        return changed

    def _columns(
        self, identity: IdentityRow, authorization: UpstreamAuthorization, now: float
    ) -> dict[str, Any]:
        return {
            "sealed": self._sealer.seal(_name(identity), _tokens(authorization)),
            "scope": " ".join(authorization.scope),
            "expires_at": authorization.expires_at,
            "lease_until": 0.0,
            "lost_at": None,
            "updated_at": now,
        }

    def _opened(self, identity: IdentityRow, row: UpstreamTokenRow) -> KeptAuthorization | None:
        try:
            tokens = json.loads(self._sealer.open(_name(identity), row.sealed))
        except KeyRecordCorrupt as error:
            account = identity.account_id
            log.warning("an upstream token of account %s does not open: %s", account, error.why)
            return None
        scope = tuple(row.scope.split())
        opened = UpstreamAuthorization(
            tokens["access_token"], tokens["refresh_token"], scope, row.expires_at
        )
        return KeptAuthorization(opened, row.version, row.lost_at is not None)


async def _found(
    session: AsyncSession, account_id: str, upstream: str
) -> tuple[IdentityRow, UpstreamTokenRow] | None:
    wanted = (
        select(IdentityRow, UpstreamTokenRow)
        .join(UpstreamTokenRow)
        .where(col(IdentityRow.account_id) == account_id, col(IdentityRow.upstream) == upstream)
        .order_by(col(IdentityRow.id))
        .limit(1)
    )
    return (await session.exec(wanted)).one_or_none()


async def _locked(session: AsyncSession, identity_id: int) -> UpstreamTokenRow | None:
    wanted = select(UpstreamTokenRow).where(col(UpstreamTokenRow.identity_id) == identity_id)
    return (await session.exec(wanted.with_for_update())).one_or_none()


def _version(account_id: str, upstream: str, version: int) -> Update:
    """Return an update of what is kept for an identity, if it is of this version."""
    identity = select(IdentityRow.id).where(
        col(IdentityRow.account_id) == account_id, col(IdentityRow.upstream) == upstream
    )
    return update(UpstreamTokenRow).where(
        col(UpstreamTokenRow.identity_id).in_(identity), col(UpstreamTokenRow.version) == version
    )


def _name(identity: IdentityRow) -> str:
    """Return what a token is bound to; an upstream's name has no blank."""
    return f"{identity.upstream} {identity.subject}"


def _tokens(authorization: UpstreamAuthorization) -> bytes:
    tokens = {
        "access_token": authorization.access_token,
        "refresh_token": authorization.refresh_token,
    }
    return json.dumps(tokens).encode()
