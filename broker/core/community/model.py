"""What was last read of a person in the guilds that matter here.

Times are UTC seconds since the epoch (float).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Standing:
    """What was last read of one person in one guild (Discord: Guild Member Object).

    Attributes:
        guild_id: the guild's snowflake.
        read_at: when this was read; what was read later replaces it.
        member: whether the person was in the guild; all below is empty where not.
        nick: nickname there, or None.
        roles: role ids (snowflakes), in the order of the answer.
        joined_at: when the person joined, or None where it was not said.
        pending: whether the person has yet to pass the guild's membership screening.
        timed_out_until: until when the person may not speak there, or None.
    """

    guild_id: str
    read_at: float
    member: bool
    nick: str | None = None
    roles: tuple[str, ...] = ()
    joined_at: float | None = None
    pending: bool = False
    timed_out_until: float | None = None


@dataclass(frozen=True, slots=True)
class ListedGuild:
    """One line of a person's own list of guilds: that they are in it, and no more."""

    guild_id: str
    name: str
    owner: bool = False


@dataclass(frozen=True, slots=True)
class GuildList:
    """The guilds a person is in, of those that any client is registered for.

    Attributes:
        read_at: when it was read.
        guilds: by rising id.
    """

    read_at: float
    guilds: tuple[ListedGuild, ...] = ()


@dataclass(frozen=True, slots=True)
class Community:
    """All that is known of a person's communities, each part with the time it was read.

    Attributes:
        standings: guild_id → what was last read there.
        listed: the person's list of guilds, or None where it was never read.
    """

    standings: Mapping[str, Standing] = field(default_factory=dict)
    listed: GuildList | None = None

    def since(self, moment: float) -> "Community":
        """Return the parts that were read after a moment."""
        standings = {key: one for key, one in self.standings.items() if one.read_at > moment}
        listed = self.listed
        return Community(standings, listed if listed and listed.read_at > moment else None)

    def listing(self, guilds: Collection[str]) -> "Community":
        """Return it with no guild in its list but these: of others nothing is to be kept."""
        if self.listed is None:
            return self
        kept = tuple(one for one in self.listed.guilds if one.guild_id in guilds)
        return replace(self, listed=replace(self.listed, guilds=kept))

    def merged(self, other: "Community") -> "Community":
        """Return what is known with another reading: of each part the one that was read last."""
        standings = dict(self.standings)
        for guild_id, standing in other.standings.items():
            known = standings.get(guild_id)
            if known is None or known.read_at < standing.read_at:
                standings[guild_id] = standing
        listed = self.listed
        if other.listed and (listed is None or listed.read_at < other.listed.read_at):
            listed = other.listed
        return Community(standings, listed)
