"""Guilds, roles and policies among the options of ``broker clients``: names made ids, and back."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
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
    from broker.app.community_names import guild_ids

    found = dict(given)
    if "guild" in given or "map_role" in given:
        guilds = await guilds_of(stores)
        if "guild" in given:
            with _named("--guild"):
                found["guild"] = guild_ids(given["guild"], guilds)
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


@contextmanager
def _named(option: str) -> Iterator[None]:
    """Say by which option a name came that is nobody's, or several's."""
    from broker.app.community_names import Ambiguous, Unnamed

    try:
        yield
    except Unnamed as error:
        raise Failure(Exit.NOT_FOUND, f"{option}: {error}; see: broker guilds list") from None
    except Ambiguous as error:
        raise Failure(Exit.USAGE, f"{option}: {error}") from None


def _mapping(values: Iterable[str], guilds: Guilds) -> dict[str, dict[str, list[str]]]:
    """Return the mapping that GUILD/ROLE=NAME, several times, comes to."""
    from broker.app.community_names import guild_id, role_id

    found: dict[str, dict[str, list[str]]] = {}
    for value in filter(None, values):
        place, equals, name = value.rpartition("=")
        guild_text, slash, role_text = place.partition("/")
        if not (equals and slash and name.strip() and guild_text.strip() and role_text.strip()):
            reason = "is not of the form GUILD/ROLE=NAME"
            raise Failure(Exit.USAGE, f"--map-role: {value} {reason}")
        with _named("--map-role"):
            guild = guild_id(guild_text.strip(), guilds)
            role = role_id(role_text.strip(), guilds.get(guild))
        names = found.setdefault(guild, {}).setdefault(role, [])
        names += [name.strip()] if name.strip() not in names else []
    return found


def rows(client: "Client", guilds: Guilds) -> list[Row]:
    """Return how a client's registration for communities is shown."""
    from broker.app.community_names import mapping_said

    return [
        ("knows of", [f"{guilds[one].name} ({one})" if one in guilds else one
                      for one in client.guilds]),
        ("its roles", list(mapping_said(client, guilds))),
        ("who may use it", _policy(client, guilds)),
        ("people sign in at", " ".join(client.upstreams)),
        ("tokens of Discord", "it may ask for them" if client.upstream_token else None),
    ]  # fmt: skip


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
