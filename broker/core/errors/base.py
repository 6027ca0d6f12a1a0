"""The root of the hierarchy, and the ways on from a page."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple

from broker.core.texts import Text

if TYPE_CHECKING:
    from broker.core.client import Client


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

UPSTREAM: Final = Text("The sign-in service")
"""What stands for an upstream where it is not known which; its own name goes in its place."""


class BrokerError(Exception):
    """The root.

    Args:
        public: what anyone may read; no secret, no input echoed.
        private: what only the log may hold.

    Attributes:
        ui_locales: languages in which a person is to be told, as the app asked for; or None.
        client: the app on whose behalf a page says it, where that is known; or None.
        links: ways on for a person, to addresses that were validated before.
    """

    code: ClassVar[str] = "server_error"
    title: ClassVar[str] = Text("Something went wrong")

    def __init__(self, public: str = "", private: str = "") -> None:
        super().__init__(public or self.title)
        self.public = public or self.title
        self.private = private
        self.ui_locales: str | None = None
        self.client: Client | None = None
        self.links: tuple[Link, ...] = ()
