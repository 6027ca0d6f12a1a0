"""A client's mapping of guild roles to roles of its own, out of its document.

It looks like this; ``"*"`` in place of a role is every member::

    {"613425648685547541": {"613425648685547542": ["admin", "staff"], "*": ["member"]}}
"""

from collections.abc import Collection
from typing import Final

from broker.core.community.claims import EVERY_MEMBER
from broker.core.community.needs import MAX_STANDINGS
from broker.core.documents import BadDocument, listed, member, members, shown, snowflake

MAX_ROLES: Final = 250  # of a guild; it has no more
MAX_NAMES: Final = 50  # for one role
LONGEST_NAME: Final = 100  # characters

Mapping = dict[str, dict[str, tuple[str, ...]]]
"""guild_id → role_id → names of the app's own roles."""


def read(document: object, guilds: Collection[str]) -> Mapping:
    """Return the mapping that a document says.

    Args:
        document: the document.
        guilds: ids of those that the client is registered for; it maps roles of no others.

    Raises:
        BadDocument: it says none; its text names the place and the reason.
    """
    found = members(document, "")
    if len(found) > MAX_STANDINGS:
        reason = f"more than {MAX_STANDINGS} guilds: Discord cannot be asked about so many"
        raise BadDocument("", reason)
    return {
        snowflake(guild_id, member("", guild_id)): _guild(guild_id, of, guilds)
        for guild_id, of in found.items()
    }


def _guild(guild_id: str, value: object, guilds: Collection[str]) -> dict[str, tuple[str, ...]]:
    path = member("", guild_id)
    if guild_id not in guilds:
        raise BadDocument(path, "the app is not registered for this guild")
    found = members(value, path)
    if len(found) > MAX_ROLES + 1:
        raise BadDocument(path, f"more than {MAX_ROLES} roles")
    return {role: _names(role, names, path) for role, names in found.items()}


def _names(role: str, value: object, path: str) -> tuple[str, ...]:
    place = member(path, role)
    if role != EVERY_MEMBER:
        snowflake(role, place)
    if role == path:
        raise BadDocument(place, f'this is @everyone: write "{EVERY_MEMBER}" for every member')
    names = listed(value, place, MAX_NAMES)
    if not names:
        raise BadDocument(place, "names no role of the app")
    for n, name in enumerate(names):
        if not _is_name(name):
            reason = f"{shown(name)} is no name of 1 to {LONGEST_NAME} printable characters"
            raise BadDocument(f"{place}[{n}]", reason)
    return tuple(dict.fromkeys(names))


def _is_name(value: object) -> bool:
    return (
        isinstance(value, str)
        and 0 < len(value) <= LONGEST_NAME
        and value == value.strip()
        and value.isprintable()
    )
