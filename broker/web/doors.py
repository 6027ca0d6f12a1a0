"""Where people sign in, as pages show it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from broker.core.account.outcomes import AccountPage, Notice
from broker.core.texts import Text
from broker.web.edge_config import Provider

NOTICES: Final[dict[Notice, str]] = {
    Notice.LINKED: Text("Linked: from now on you can sign in through it too."),
    Notice.UNLINKED: Text("Unlinked: it does not lead to this account any more."),
    Notice.SIGNED_IN: Text(
        "You have signed in anew. For the next minutes you can do what needs that."
    ),
    Notice.SIGNED_OUT: Text("Signed out there."),
    Notice.WITHDRAWN: Text("Withdrawn: the app has no access any more."),
}


@dataclass(frozen=True, slots=True)
class SignInWay:
    """How a person signs in, as the account's page lists it.

    Attributes:
        provider: where.
        username: as whom.
        leads: whether the account's profile comes from there.
        removable: whether it may be unlinked.
    """

    provider: Provider
    username: str
    leads: bool
    removable: bool


class Doors:
    """The providers of one installation.

    Args:
        providers: in the order in which pages name them.
    """

    def __init__(self, providers: Sequence[Provider]) -> None:
        self._by_name = {one.name: one for one in providers}

    def of(self, name: str) -> Provider:
        """Return an upstream as pages show it; one that is not set up any more by its name."""
        return self._by_name.get(name) or Provider(name, name.capitalize())

    def ways(self, page: AccountPage) -> list[SignInWay]:
        """Return how a person signs in; the one that the profile comes from is the first."""
        return [
            SignInWay(
                self.of(one.upstream), one.username, one.leads, one.upstream in page.removable
            )
            for one in page.identities
        ]
