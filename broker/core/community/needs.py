"""What has to be known of a person for one client, and nothing more."""

from dataclasses import dataclass


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
