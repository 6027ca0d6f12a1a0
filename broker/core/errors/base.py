"""The root of the hierarchy, and the ways on from a page."""

from collections.abc import Mapping
from typing import ClassVar, Final, NamedTuple


class Way(NamedTuple):
    """A way on from a page, to an address that was validated before.

    Attributes:
        label: what it says.
        address: where it leads.
        fields: what is posted there; None for a plain link.
    """

    label: str
    address: str
    fields: Mapping[str, str] | None = None


Link = tuple[str, str] | Way

UPSTREAM: Final = "The sign-in service"
"""What stands for an upstream where it is not known which; its own name goes in its place."""


class BrokerError(Exception):
    """The root.

    Args:
        public: what anyone may read; no secret, no input echoed.
        private: what only the log may hold.
    """

    code: ClassVar[str] = "server_error"
    title: ClassVar[str] = "Something went wrong"

    def __init__(self, public: str = "", private: str = "") -> None:
        super().__init__(public or self.title)
        self.public = public or self.title
        self.private = private
