"""What registering clients needs from outside, as narrow contracts."""

from dataclasses import dataclass
from typing import Protocol

from broker.core.client import Client
from broker.core.tickets import Ticket


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A registered client.

    Attributes:
        client: the record.
        version: grows with each change.
        created_at: when it was registered, UTC seconds.
    """

    client: Client
    version: int
    created_at: float


class Records(Protocol):
    """Registered clients, to be changed (SQL); a change counts at once in this process.

    ``StoreUnavailable`` from every method when SQL does not answer.
    """

    async def add(self, client: Client) -> Enrolled:
        """Register a client under an identifier that nobody has had."""
        ...

    async def get(self, client_id: str) -> Enrolled | None:
        """Return the client as SQL has it, or None."""
        ...

    async def edit(self, client: Client, version: int) -> Enrolled | None:
        """Replace a registration; None where it was changed or removed since."""
        ...

    async def remove(self, client_id: str) -> bool:
        """Remove a client for good; False where it was removed before."""
        ...


class Admissions(Protocol):
    """Who registers how often (Redis)."""

    async def attempt(self, address: str) -> int:
        """Count a registration from an address; 0 where it may be, else the seconds to wait."""
        ...

    async def spend(self, ticket: Ticket, *, now: float) -> bool:
        """Use a ticket once; False where it is used up or revoked."""
        ...


@dataclass(frozen=True, slots=True)
class Admission:
    """Proof that somebody may register a client; only ``Enrolment.admit`` makes one."""

    ticket: Ticket | None
