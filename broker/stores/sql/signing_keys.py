"""The signing keys' records, given up when all else in SQL is."""

from collections.abc import Coroutine
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncEngine

from broker.core.errors import StoreUnavailable
from broker.stores.sql.unit import Units
from keys.errors import KeyStoreUnavailable
from keys.model import Change, KeyRecord
from keys.stores.sql import SqlKeyStore

T = TypeVar("T")


class PromptKeyStore(SqlKeyStore):
    """``keys.stores.sql.SqlKeyStore`` that answers or fails in the time of a unit of work.

    Args:
        engine: its owner disposes of it.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        super().__init__(engine)
        self._units = Units(engine)

    async def all(self) -> tuple[KeyRecord, ...]:
        """Return every key, oldest first; raises as the store does."""
        return await self._in_time(super().all())

    async def apply(self, *changes: Change) -> None:
        """Make all of these changes in one transaction, or none; raises as the store does."""
        await self._in_time(super().apply(*changes))

    async def _in_time(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return await self._units.run(work)
        except StoreUnavailable as error:
            raise KeyStoreUnavailable(error.private) from error
