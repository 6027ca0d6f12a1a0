"""What stays (SQL): clients, accounts and their identities, the audit log."""

from collections.abc import Sequence
from typing import Protocol

from broker.core.community.model import Community
from broker.core.model import (
    AuditEvent,
    Client,
    Facts,
    Profile,
)


class Clients(Protocol):
    """Registered clients, followed from SQL."""

    async def find(self, client_id: str) -> Client | None:
        """Return the client, disabled or not, or None; no SQL when it was used lately."""
        ...


class Accounts(Protocol):
    """Accounts and identities (SQL)."""

    async def sign_in(
        self, profile: Profile, *, now: float, community: Community | None = None
    ) -> tuple[str, Facts]:
        """Find or make the account of an identity and update its profile, in one transaction.

        What was read of communities at this sign-in is kept with the identity, each part unless
        one that was read as late is there.

        Returns the account_id and its facts; the caller looks at ``disabled``.

        Raises:
            SignInRefused: nobody has the identity, for its account was deleted while it was off.
        """
        ...

    async def keep_community(self, account_id: str, upstream: str, community: Community) -> None:
        """Keep what was read of the account's identity at the upstream, merged as by ``sign_in``.

        Nothing is written where it says what is kept already, unless that was read more than an
        hour before. Nothing happens where the account has no identity there (any more).
        """
        ...

    async def deauthorized(
        self, upstream: str, subject: str, *, at: float, now: float
    ) -> tuple[str, Facts] | None:
        """Kill what was begun up to the moment at which an authorization was withdrawn upstream.

        Returns the account_id and its newer facts, or None where there is nothing to end. Somebody
        carries it to ``AccountStates.end_all`` in any case.
        """
        ...

    async def facts(self, account_id: str) -> Facts | None:
        """Return the facts as SQL has them, or None when there is no such account."""
        ...

    async def consent(
        self, account_id: str, client_id: str, scope: Sequence[str], *, now: float
    ) -> Facts:
        """Record the person's consent, added to an earlier one, and return the newer facts."""
        ...

    async def withdraw_consent(
        self, account_id: str, client_id: str, *, now: float, actor: str, by: str | None = None
    ) -> tuple[Facts, bool]:
        """Forget a consent; somebody carries the end to ``AccountStates.end_access`` in any case.

        ``by`` is the operator's account, where one is known.

        Returns the newer facts, and whether there was a consent.
        """
        ...

    async def sign_out(
        self, account_id: str, now: float, *, by: str | None = None, actor: str = "operator"
    ) -> Facts:
        """Kill everything begun before now; somebody carries it to ``AccountStates.end_all``."""
        ...


class Audit(Protocol):
    """The audit log (SQL)."""

    async def record(self, *events: AuditEvent) -> None:
        """Keep the events."""
        ...
