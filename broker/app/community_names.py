"""Guilds and roles as operators write and read them: names made ids, and back."""

from collections.abc import Iterable, Mapping

from broker.core.community.claims import EVERY_MEMBER
from broker.core.community.registry import Guild
from broker.core.model import Client
from broker.core.policy.words import guild_name, role_name

Guilds = Mapping[str, Guild]
"""The registered guilds by their ids."""


class Unnamed(ValueError):
    """A text is neither an id nor the name of anything registered."""


class Ambiguous(ValueError):
    """A text is the name of several."""


def guild_ids(values: Iterable[str], guilds: Guilds) -> list[str]:
    """Return the ids of the guilds that were named: ids may stand together, a name stands alone.

    Raises:
        Unnamed: a name is no guild's.
        Ambiguous: it is several guilds'.
    """
    found: list[str] = []
    for value in values:
        words = value.split()
        found += words if all(word.isdigit() for word in words) else [value.strip()]
    return [guild_id(one, guilds) for one in found]


def guild_id(text: str, guilds: Guilds) -> str:
    """Return the id of the guild that a text names; raises as ``guild_ids``."""
    return _one(text, {one: guild.name for one, guild in guilds.items()}, "guilds")


def role_id(text: str, guild: Guild | None) -> str:
    """Return the id of the role that a text names, ``*`` for every member; raises likewise."""
    if text == EVERY_MEMBER:
        return text
    return _one(text, {} if guild is None else guild.roles, "roles of the guild")


def mapping_said(client: Client, guilds: Guilds) -> tuple[str, ...]:
    """Return a client's mapping of roles in words: ``admin: Keeper of The Lighthouse``."""
    return tuple(
        f"{', '.join(names)}: {_role(one, guild, guilds)} of {guild_name(guild, guilds)}"
        for guild, of_role in (client.role_mapping or {}).items()
        for one, names in of_role.items()
    )


def _role(one: str, guild: str, guilds: Guilds) -> str:
    return "every member" if one == EVERY_MEMBER else role_name(one, guilds.get(guild))


def _one(text: str, names: Mapping[str, str], what: str) -> str:
    """Return the id that a text names; one that looks like an id is one."""
    if text.isdigit():
        return text
    found = [one for one, name in names.items() if name.casefold() == text.casefold()]
    if not found:
        raise Unnamed(f"{text} is neither an id nor a name of one of the registered {what}")
    if len(found) > 1:
        raise Ambiguous(f"{text} may be {' or '.join(sorted(found))}")
    return found[0]
