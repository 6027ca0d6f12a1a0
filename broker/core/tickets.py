"""Initial access tokens (RFC 7591 §3): an operator's leave to register clients.

Sealed handles: nothing is kept of them but, in Redis, how often one was used or that it was
revoked, until it expires.
"""

from dataclasses import dataclass
from typing import Final

from broker.core.handles import NOBODY, Handle, Handles, Kind

MOST_USES: Final = 2**23 - 1
_MOMENT_BITS: Final = 40
_WAIVER_BIT: Final = 63


@dataclass(frozen=True, slots=True)
class Ticket:
    """What an initial access token says.

    Attributes:
        ticket_id: 32 hexadecimal digits.
        expires_at: UTC seconds.
        uses: how many clients may be registered with it; 0 for any number.
        pkce: whether confidential clients registered with it must use PKCE; public ones always.
    """

    ticket_id: str
    expires_at: int
    uses: int = 0
    pkce: bool = True


def make(handles: Handles, ticket: Ticket) -> str:
    """Return the token's text.

    Raises:
        ValueError: it is to be used more often than 8,388,607 times.
    """
    if not 0 <= ticket.uses <= MOST_USES:
        raise ValueError(f"uses: at most {MOST_USES}")
    said = (not ticket.pkce) << _WAIVER_BIT | ticket.uses << _MOMENT_BITS | ticket.expires_at
    return handles.make(Kind.REGISTRATION, Handle(NOBODY, ticket.ticket_id, said))


def read(handles: Handles, text: str) -> Ticket | None:
    """Return what a token says, expired or not; None for anything that we did not make as one."""
    handle = handles.open(Kind.REGISTRATION, text)
    if handle is None:
        return None
    waived, said = divmod(handle.generation, 2**_WAIVER_BIT)
    uses, expires_at = divmod(said, 2**_MOMENT_BITS)
    return Ticket(handle.item_id, expires_at, uses, pkce=not waived)
