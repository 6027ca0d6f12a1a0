"""What the core needs from outside, as narrow contracts.

A store's step is atomic: it happens whole or not at all, and it answers with a record or with a
``Refusal``; it never raises for a refusal. It raises ``StoreUnavailable`` where it cannot know.

What ends by itself is in ``passing``, what stays in ``lasting``.
"""

from typing import Protocol

from broker.core.outbound import Fetched, Outbound
from broker.core.ports.lasting import Accounts, Audit, Clients
from broker.core.ports.passing import AccountStates, Grants, Once, PendingRequests, Sessions
from broker.core.steps import (
    CodeIssued,
    CodeRedemption,
    CodeRefused,
    CodeRequest,
    CommunityWanted,
    Ended,
    GrantAlive,
    GrantRefused,
    Proof,
    RefreshRequest,
    Refusal,
    Rotation,
)

__all__ = [
    "AccountStates",
    "Accounts",
    "Audit",
    "Clients",
    "Clock",
    "CodeIssued",
    "CodeRedemption",
    "CodeRefused",
    "CodeRequest",
    "CommunityWanted",
    "Ended",
    "Entropy",
    "Fetched",
    "GrantAlive",
    "GrantRefused",
    "Grants",
    "Once",
    "Outbound",
    "PendingRequests",
    "Proof",
    "RefreshRequest",
    "Refusal",
    "Rotation",
    "Sessions",
]


class Clock(Protocol):
    """Time, handed in."""

    def now(self) -> float:
        """Return UTC seconds since the epoch."""
        ...


class Entropy(Protocol):
    """Randomness, handed in."""

    def token(self, size: int) -> bytes:
        """Return ``size`` unpredictable bytes."""
        ...
