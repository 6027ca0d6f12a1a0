"""How much there is of everything, and how often things happened: for the console's first page."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from sqlalchemy import case, func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from broker.stores.sql.tables import (
    AccountRow,
    ApiRow,
    AuditEventRow,
    ClientRow,
    GuildRow,
    OperatorRow,
)
from broker.stores.sql.unit import Units


class SqlOverview:
    """Counts; every method raises ``StoreUnavailable`` when SQL does not answer.

    Args:
        units: where transactions run.
    """

    def __init__(self, units: Units) -> None:
        self._units = units

    async def counts(self) -> dict[str, int]:
        """Return how many there are: accounts, disabled ones, clients, APIs, guilds, operators."""
        off, removed = col(AccountRow.disabled_at), col(ClientRow.removed_at)
        wanted: dict[str, Any] = {
            "accounts": select(func.count()).select_from(AccountRow),
            "disabled": select(func.count()).select_from(AccountRow).where(off.is_not(None)),
            "clients": select(func.count()).select_from(ClientRow).where(removed.is_(None)),
            "apis": select(func.count()).select_from(ApiRow),
            "guilds": select(func.count()).select_from(GuildRow),
            "operators": select(func.count()).select_from(OperatorRow),
        }

        async def work(session: AsyncSession) -> dict[str, int]:
            return {name: (await session.exec(each)).one() for name, each in wanted.items()}

        return await self._units.read(work)

    async def per_span(self, kinds: Sequence[str], moments: Sequence[float]) -> tuple[int, ...]:
        """Return how many audit events of these kinds there were between each moment and the next.

        Args:
            kinds: dotted names.
            moments: UTC seconds, two or more, growing.
        """
        at = col(AuditEventRow.at)
        spans = list(pairwise(moments))
        within = [func.sum(case(((at >= a) & (at < b), 1), else_=0)) for a, b in spans]
        wanted: Any = (
            select(*within)
            .where(at >= moments[0], at < moments[-1])
            .where(col(AuditEventRow.kind).in_(kinds))
        )

        async def work(session: AsyncSession) -> tuple[int, ...]:
            found: Any = (await session.exec(wanted)).one()
            return tuple(int(each or 0) for each in (found if len(spans) > 1 else (found,)))

        return await self._units.read(work)
