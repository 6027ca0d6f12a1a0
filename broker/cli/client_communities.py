"""Guilds, roles and policies among the options of ``broker clients``: names made ids, and back."""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from broker.cli.running import Exit, Failure

if TYPE_CHECKING:
    from broker.app.stores import Stores
    from broker.core.community.registry import Guild
    from broker.core.model import Client

Row = tuple[str, Any]
Guilds = Mapping[str, "Guild"]


async def guilds_of(stores: "Stores") -> Guilds:
    """Return the registered guilds by their ids."""
    return await stores.sql.guilds.registered()


async def resolved(stores: "Stores", given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a command with ids for names, and documents for their files.

    Raises:
        Failure: a name is nobody's or several's, a file holds no document.
    """
    found = dict(given)
    if "guild" in given or "map_role" in given:
        guilds = await guilds_of(stores)
        if "guild" in given:
            found["guild"] = [_guild(one, guilds) for one in _entries(given["guild"])]
        if "map_role" in given:
            found["map_role"] = _mapping(given["map_role"], guilds) or None
    if "policy" in given:
        found["policy"] = policy_document(given["policy"]) if given["policy"] else None
    return found


def policy_document(name: str) -> dict[str, Any]:
    """Return the document in a file, or on standard input where that is called ``-``.

    Raises:
        Failure: it cannot be read, or is no JSON object.
    """
    from broker.app.policies import text_of
    from broker.core.documents import BadDocument, parse

    try:
        return parse(sys.stdin.read() if name == "-" else text_of(Path(name)))
    except BadDocument as error:
        raise Failure(Exit.USAGE, f"--policy: {error}") from None


def _entries(values: Iterable[str]) -> list[str]:
    """Return the guilds that were named: ids may stand together, a name stands alone."""
    found: list[str] = []
    for value in values:
        words = value.split()
        found += words if all(word.isdigit() for word in words) else [value.strip()]
    return found


def _guild(text: str, guilds: Guilds) -> str:
    return _one(text, {one: guild.name for one, guild in guilds.items()}, "--guild", "guilds")


def _mapping(values: Iterable[str], guilds: Guilds) -> dict[str, dict[str, list[str]]]:
    """Return the mapping that GUILD/ROLE=NAME, several times, comes to."""
    found: dict[str, dict[str, list[str]]] = {}
    for value in filter(None, values):
        place, equals, name = value.rpartition("=")
        guild_text, slash, role_text = place.partition("/")
        if not (equals and slash and name.strip() and guild_text.strip() and role_text.strip()):
            reason = "is not of the form GUILD/ROLE=NAME"
            raise Failure(Exit.USAGE, f"--map-role: {value} {reason}")
        guild_id = _guild(guild_text.strip(), guilds)
        names = found.setdefault(guild_id, {}).setdefault(
            _role(role_text.strip(), guilds.get(guild_id)), []
        )
        names += [name.strip()] if name.strip() not in names else []
    return found


def _role(text: str, guild: "Guild | None") -> str:
    from broker.core.community.claims import EVERY_MEMBER

    if text == EVERY_MEMBER:
        return text
    return _one(text, {} if guild is None else guild.roles, "--map-role", "roles of the guild")


def _one(text: str, names: Mapping[str, str], option: str, what: str) -> str:
    """Return the id that a text names; one that looks like an id is one."""
    if text.isdigit():
        return text
    found = [one for one, name in names.items() if name.casefold() == text.casefold()]
    if not found:
        hint = f"{text} is neither an id nor a name of one of the registered {what}"
        raise Failure(Exit.NOT_FOUND, f"{option}: {hint}; see: broker guilds list")
    if len(found) > 1:
        raise Failure(Exit.USAGE, f"{option}: {text} may be {' or '.join(sorted(found))}")
    return found[0]


def rows(client: "Client", guilds: Guilds) -> list[Row]:
    """Return how a client's registration for communities is shown."""
    return [
        ("knows of", [f"{guilds[one].name} ({one})" if one in guilds else one
                      for one in client.guilds]),
        ("its roles", list(_mapped(client, guilds))),
        ("who may use it", _policy(client, guilds)),
        ("people sign in at", " ".join(client.upstreams)),
        ("tokens of Discord", "it may ask for them" if client.upstream_token else None),
    ]  # fmt: skip


def _mapped(client: "Client", guilds: Guilds) -> Iterable[str]:
    from broker.core.community.claims import EVERY_MEMBER
    from broker.core.policy.words import guild_name, role_name

    for guild_id, of_role in (client.role_mapping or {}).items():
        for role_id, names in of_role.items():
            every = role_id == EVERY_MEMBER
            role = "every member" if every else role_name(role_id, guilds.get(guild_id))
            yield f"{', '.join(names)}: {role} of {guild_name(guild_id, guilds)}"


def _policy(client: "Client", guilds: Guilds) -> tuple[str, ...]:
    from broker.core.documents import BadDocument
    from broker.core.policy.reading import read
    from broker.core.policy.words import said

    if client.policy is None:
        return ()
    try:
        return said(read(client.policy), guilds)
    except BadDocument as error:
        return (f"nobody: its policy cannot be read: {error}",)
