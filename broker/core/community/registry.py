"""What the operator says of a guild: Discord tells role ids alone, and no invitation."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from broker.core.texts import Text

UNNAMED: Final = Text("A server that this service has no name for")
"""What a person reads in place of a guild's id, where neither operator nor Discord named it."""


@dataclass(frozen=True, slots=True)
class Guild:
    """A guild that the operator has registered.

    Attributes:
        guild_id: its snowflake.
        name: what people read on our pages and in claims.
        invite: https address by which people join it, or None.
        roles: role id (snowflake) → name.
    """

    guild_id: str
    name: str
    invite: str | None = None
    roles: Mapping[str, str] = field(default_factory=dict)


class Guilds(Protocol):
    """Registered guilds, followed from SQL."""

    async def registered(self) -> Mapping[str, Guild]:
        """Return every registered guild by its id; no SQL when they were read lately.

        Raises:
            StoreUnavailable: they were never read, or too long ago, and SQL does not answer.
        """
        ...
