"""The guilds' repository: what operators say of the guilds that matter to their clients."""

from typing import Final

from broker.core.community.registry import Guild
from broker.stores.sql.records import GuildRecord
from broker.stores.sql.register import Kind, SqlRegister
from broker.stores.sql.tables import GuildRow
from broker.stores.sql.unit import Units

_KIND: Final = Kind("guild", "guild", "guild_id", Guild, GuildRow, GuildRecord)


class SqlGuilds(SqlRegister[Guild, GuildRecord]):
    """Registered guilds in SQL, by their snowflakes.

    Args:
        units: where transactions run.
    """

    def __init__(self, units: Units) -> None:
        super().__init__(units, _KIND)
