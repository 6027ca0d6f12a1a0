"""How much one address, one client, one account may ask for in a while.

Who behaves pays nothing for it: a request is judged by what its process knows, and processes tell
one another through Redis beside the requests (``broker.stores.redis.limits``).
"""

from enum import StrEnum
from typing import Protocol


class Kind(StrEnum):
    """Who is counted."""

    ADDRESS = "address"  # whose request it is: an IPv4 address, or a network of 2⁶⁴ of IPv6
    CLIENT = "client"  # a client that has proven who it is, or named itself where it cannot
    ACCOUNT = "account"  # whose tokens are asked for
    REFUSED = "refused"  # an account at the console's door: how often the audit log tells of it


class Limits(Protocol):
    """Counts requests."""

    def take(self, kind: Kind, who: str) -> None:
        """Count a request; no store is asked.

        Raises:
            TooManyRequests: it is one too many; with the seconds to wait.
        """
        ...


class Unlimited:
    """Counts nothing."""

    def take(self, kind: Kind, who: str) -> None:
        """Let everything pass."""
