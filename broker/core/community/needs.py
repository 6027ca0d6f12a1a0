"""What has to be known of a person for one client, and nothing more."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from broker.core import vocabulary as v
from broker.core.client import Client
from broker.core.policy.model import Policy

MAX_STANDINGS: Final = 5
"""Discord lets one person's member record be read about so often in five minutes."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a client's claims and the policies that hold for it ask to be known.

    Attributes:
        standings: ids of guilds in which the person's own member record is needed.
        listing: whether the person's list of guilds is needed.
        email: whether the e-mail address is.
    """

    standings: tuple[str, ...] = ()
    listing: bool = False
    email: bool = False

    @property
    def membership(self) -> bool:
        """Whether anything is needed that grows old: it is read again before a refresh."""
        return bool(self.standings) or self.listing


def needs_of(client: Client, policies: Iterable[Policy]) -> Needs:
    """Return what has to be known of a person for a client.

    Member records are needed of the guilds that a policy or its mapping of roles names; of all
    others that it may tell of too, as long as Discord can be asked about so many. Otherwise the
    person's list of guilds says who is a member of those.

    Args:
        client: by what it may ask for.
        policies: those that hold for it, the deployment's among them.
    """
    held = tuple(policies)
    named = {rule.guild_id for policy in held for rule in policy.guilds}
    if {v.SCOPE_ROLES, v.SCOPE_GROUPS}.intersection(client.scopes):
        named.update(client.role_mapping or ())
    shown = set(client.guilds) if v.SCOPE_GUILDS in client.scopes else set()
    every = named | shown
    few = len(every) <= MAX_STANDINGS
    return Needs(
        standings=tuple(sorted(every if few else named, key=by_id)),
        listing=bool(shown - named) and not few,
        email=v.SCOPE_EMAIL in client.scopes or any(one.email_verified for one in held),
    )


def by_id(snowflake: str) -> tuple[int, str]:
    """Return what sorts identifiers as numbers, so that the order never changes."""
    return len(snowflake), snowflake
