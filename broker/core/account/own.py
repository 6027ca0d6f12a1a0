"""What a person may do about their own account, and operators for them: the contract with SQL."""

from dataclasses import dataclass
from typing import Protocol

from broker.core.model import Facts, JsonValue


@dataclass(frozen=True, slots=True)
class Agreement:
    """What a person has agreed to for an app.

    Attributes:
        client_id: the app.
        scope: what it may know and do.
        since: when the person agreed first, UTC seconds.
        changed_at: when more was last agreed to.
    """

    client_id: str
    scope: tuple[str, ...]
    since: float
    changed_at: float


@dataclass(frozen=True, slots=True)
class Leaving:
    """An account that is to be deleted, or was.

    Attributes:
        at: when, UTC seconds.
        facts: its newer facts; None where it is gone.
    """

    at: float
    facts: Facts | None


class OwnAccounts(Protocol):
    """Accounts, as their own people look at them and part with them (SQL)."""

    async def agreements(self, account_id: str) -> tuple[Agreement, ...]:
        """Return what the person has agreed to."""
        ...

    async def everything(self, account_id: str) -> dict[str, JsonValue]:
        """Return all that is kept of the person, without secrets; times in ISO 8601, UTC."""
        ...

    async def leave(
        self, account_id: str, *, now: float, grace: int, actor: str, by: str | None = None
    ) -> Leaving:
        """Switch the account off, to be deleted after so many seconds; at once after none.

        One transaction with the audit event and the outbox row. An account that leaves already
        goes when it was to go, or sooner. ``by`` is the operator's account, where one is known.
        """
        ...

    async def keep(
        self, account_id: str, *, now: float, actor: str, by: str | None = None
    ) -> Facts | None:
        """Let an account stay after all; None where it is too late, or was not leaving."""
        ...

    async def due(self, now: float) -> tuple[str, ...]:
        """Return accounts whose time has come, a batch at the most."""
        ...

    async def erase(self, account_id: str, *, now: float) -> bool:
        """Delete an account whose time has come; False where it is gone, or stays after all."""
        ...
