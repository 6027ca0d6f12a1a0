"""Identities of an account: how somebody may sign in to it, and how that changes.

An identity is (upstream, subject) and belongs to one account. Only its person's own sign-in links
it, never an e-mail address; nothing is ever merged. An account shows itself as the oldest of its
identities tells, the one that it was made with, for as long as that is linked.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from broker.core.model import Facts, Profile


@dataclass(frozen=True, slots=True)
class Identity:
    """How an upstream knows an account.

    Attributes:
        upstream: its name.
        subject: its identifier of the person.
        username: the login name it gave last.
        linked_at, seen_at: when it was linked, and last signed in; UTC seconds.
        leads: whether the account's profile is the one it tells.
    """

    upstream: str
    subject: str
    username: str
    linked_at: float
    seen_at: float
    leads: bool


@dataclass(frozen=True, slots=True)
class Linked:
    """An identity belongs to the account now, or did before: then it is not ``new``."""

    facts: Facts
    new: bool


class NotLinked(StrEnum):
    """Why nothing was linked."""

    TAKEN = "taken"  # it belongs to another account
    OCCUPIED = "occupied"  # the account has another identity at that upstream
    BANNED = "banned"  # it was an account's that was deleted while it was switched off


class NotUnlinked(StrEnum):
    """Why nothing was unlinked."""

    UNKNOWN = "unknown"  # the account has no identity there (any more)
    LAST = "last"  # nobody could sign in to the account after that


class Identities(Protocol):
    """Identities (SQL); each change is one transaction, with its audit event and its outbox row."""

    async def of(self, account_id: str) -> tuple[Identity, ...]:
        """Return the account's identities, the oldest first."""
        ...

    async def link(self, account_id: str, profile: Profile, *, now: float) -> Linked | NotLinked:
        """Link the identity of a profile that has just signed in upstream."""
        ...

    async def unlink(
        self, account_id: str, upstream: str, *, usable: Collection[str], now: float
    ) -> Facts | NotUnlinked:
        """Unlink the identity at an upstream, and forget what is kept of it.

        ``usable`` are the upstreams through which somebody can sign in at all.
        """
        ...
