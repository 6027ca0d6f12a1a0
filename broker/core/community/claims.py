"""What a client is told of a person's communities: the claims of our own scopes; pure."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from broker.core import vocabulary as v
from broker.core.client import Client
from broker.core.community.model import Community, Standing
from broker.core.community.needs import Needs, by_id
from broker.core.community.registry import Guild

EVERY_MEMBER: Final = "*"
"""In place of a role id in a mapping of roles."""


def community_claims(
    scope: Collection[str],
    client: Client,
    needs: Needs,
    community: Community,
    guilds: Mapping[str, Guild],
) -> dict[str, Any]:
    """Return the claims ``guilds``, ``roles`` and ``groups`` as far as the scope releases them.

    Nothing is said of a guild that the client is not registered for, nor of one of which nothing
    was read. A claim of which nothing at all is known is absent; an empty one says that there is
    nothing to tell.

    Args:
        scope: as granted.
        client: who asks; what was taken from its registration since is left out.
        needs: the client's: what is known for others only is not told, as nobody keeps it fresh.
        community: what is known of the person.
        guilds: the operator's names, by guild.
    """
    asked = {word for word in scope if word in client.scopes}
    found: dict[str, Any] = {}
    listed = needs.listing and community.listed is not None
    if v.SCOPE_GUILDS in asked and (listed or _known(client.guilds, needs, community)):
        found[v.SCOPE_GUILDS] = list(_guilds(client, needs, community, guilds))
    mapped = {v.SCOPE_ROLES, v.SCOPE_GROUPS} & asked
    if mapped:
        mapping = {
            one: of for one, of in (client.role_mapping or {}).items() if one in client.guilds
        }
        if _known(mapping, needs, community):
            names = sorted(set(_names(mapping, needs, community)))
            found |= {word: list(names) for word in sorted(mapped)}
    return found


def _known(guilds: Collection[str], needs: Needs, community: Community) -> bool:
    """Whether a member record was read in any of these guilds, or there are none."""
    return not guilds or any(_standing(one, needs, community) for one in guilds)


def _standing(guild_id: str, needs: Needs, community: Community) -> Standing | None:
    return community.standings.get(guild_id) if guild_id in needs.standings else None


def _guilds(
    client: Client, needs: Needs, community: Community, guilds: Mapping[str, Guild]
) -> Iterator[dict[str, Any]]:
    listed = community.listed if needs.listing else None
    names = {} if listed is None else {one.guild_id: one.name for one in listed.guilds}
    for guild_id in sorted(set(client.guilds), key=by_id):
        registered = guilds.get(guild_id)
        named = {"name": registered.name if registered else names.get(guild_id)}
        standing = _standing(guild_id, needs, community)
        if standing is not None:
            if standing.member:
                yield _told({"id": guild_id} | named | _member(standing, registered))
        elif guild_id in names:
            yield _told({"id": guild_id} | named)


def _member(standing: Standing, registered: Guild | None) -> dict[str, Any]:
    names = {} if registered is None else registered.roles
    return {
        "nick": standing.nick,
        "roles": [
            _told({"id": role, "name": names.get(role)})
            for role in sorted(standing.roles, key=by_id)
        ],
        "joined_at": _second(standing.joined_at),
        "pending": standing.pending,
        "timed_out_until": _second(standing.timed_out_until),
    }


def _names(
    mapping: Mapping[str, Mapping[str, Collection[str]]], needs: Needs, community: Community
) -> Iterator[str]:
    """Yield the app's own roles that the mapping gives for the person's."""
    for guild_id, of_role in mapping.items():
        standing = _standing(guild_id, needs, community)
        if standing is None or not standing.member:
            continue
        for role in (EVERY_MEMBER, *standing.roles):
            yield from of_role.get(role, ())


def _told(members: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is not known."""
    return {name: value for name, value in members.items() if value is not None}


def _second(moment: float | None) -> int | None:
    return None if moment is None else int(moment)
