"""Turns for calls to upstreams: of all processes through Redis, and by oneself while it is away."""

from contextlib import suppress

from broker.core.budget import BEFORE_ALL, Budget, Call, Declined, Go, Heard
from broker.core.errors import StoreUnavailable


class SharedBudget:
    """``Budget`` in Redis, with this process' own memory where Redis does not answer.

    Args:
        shared: raises ``StoreUnavailable`` where Redis does not answer.
        own: hears everything too, so that it knows what this process was told.
    """

    def __init__(self, shared: Budget, own: Budget) -> None:
        self._shared = shared
        self._own = own

    async def may_send(
        self, call: Call, *, patience: float, waited: Go = BEFORE_ALL
    ) -> Go | Declined:
        """Return when a call may be sent."""
        try:
            return await self._shared.may_send(call, patience=patience, waited=waited)
        except StoreUnavailable:
            return await self._own.may_send(call, patience=patience, waited=waited)

    async def heard(self, call: Call, heard: Heard) -> None:
        """Take in what came of a call that was sent."""
        await self._own.heard(call, heard)
        with suppress(StoreUnavailable):
            await self._shared.heard(call, heard)
