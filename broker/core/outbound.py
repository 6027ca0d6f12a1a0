"""Calls to addresses that a client named."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol


class Fetched(NamedTuple):
    """JSON from an address that a client named.

    Attributes:
        value: the JSON; of what shape is for the caller to judge.
        max_age: seconds it stays fresh (RFC 9111 §4.2); 0 for what is not to be kept, None where
            the answer does not say.
    """

    value: object
    max_age: int | None


class Outbound(Protocol):
    """Calls to addresses that a client named (``jwks_uri`` and the like), and only to public ones.

    Both calls end within seconds; redirects are not followed.
    """

    def check(self, url: str) -> None:
        """Refuse an address that would never be called, as far as its text shows it.

        Raises:
            broker.core.errors.OutboundRefused: malformed, not https, or private by its form.
        """
        ...

    async def get_json(self, url: str, *, limit: int) -> Fetched:
        """Return the JSON behind an address; ``limit`` is the most bytes of it.

        Raises:
            broker.core.errors.OutboundRefused: it may not be called; nothing was sent.
            broker.core.errors.OutboundFailed: no usable answer in time.
        """
        ...

    async def post_form(self, url: str, fields: Mapping[str, str]) -> int:
        """Send a form and return the HTTP status of the answer.

        Raises:
            broker.core.errors.OutboundRefused: it may not be called; nothing was sent.
            broker.core.errors.OutboundFailed: no answer in time; it may have arrived.
        """
        ...
