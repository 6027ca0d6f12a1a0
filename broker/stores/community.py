"""Community facts as JSON, in Redis and in SQL.

What is not said is the default; what a newer version says beside it is passed by.
"""

from collections.abc import Mapping
from typing import Any, Final

from broker.core.community.model import Community, GuildList, ListedGuild, Standing
from broker.stores.cleaning import clean, clean_or_none

READ_AT: Final = "read_at"
STANDINGS: Final = "standings"
LISTED: Final = "listed"


def standing_document(standing: Standing) -> dict[str, Any]:
    """Return what is known of a standing, but for its guild and its time."""
    told = {
        "member": standing.member,
        "nick": clean_or_none(standing.nick),
        "roles": [clean(role) for role in standing.roles],
        "joined_at": standing.joined_at,
        "pending": standing.pending,
        "timed_out_until": standing.timed_out_until,
    }
    return {name: value for name, value in told.items() if value not in (None, False, [])}


def standing(guild_id: str, read_at: float, document: Mapping[str, Any]) -> Standing:
    """Return the standing out of its document."""
    return Standing(
        guild_id,
        read_at,
        bool(document.get("member")),
        document.get("nick"),
        tuple(document.get("roles", ())),
        document.get("joined_at"),
        bool(document.get("pending")),
        document.get("timed_out_until"),
    )


def list_document(listed: GuildList) -> dict[str, Any]:
    """Return a list of guilds, but for its time."""
    lines: list[dict[str, Any]] = []
    for one in listed.guilds:
        line = {"id": clean(one.guild_id), "name": clean(one.name)}
        lines.append(line | {"owner": True} if one.owner else line)
    return {"guilds": lines}


def guild_list(read_at: float, document: Mapping[str, Any]) -> GuildList:
    """Return the list of guilds out of its document."""
    lines = document.get("guilds", ())
    guilds = (ListedGuild(one["id"], one["name"], bool(one.get("owner"))) for one in lines)
    return GuildList(read_at, tuple(guilds))


def document(community: Community) -> dict[str, Any]:
    """Return everything in one document; each part names the time it was read."""
    told: dict[str, Any] = {}
    if community.standings:
        told[STANDINGS] = {
            clean(guild_id): {READ_AT: one.read_at, **standing_document(one)}
            for guild_id, one in sorted(community.standings.items())
        }
    if community.listed is not None:
        told[LISTED] = {READ_AT: community.listed.read_at, **list_document(community.listed)}
    return told


def content(community: Community) -> dict[str, Any]:
    """Return what is known without the times it was read."""
    told: dict[str, Any] = {
        guild_id: standing_document(one) for guild_id, one in community.standings.items()
    }
    return told | ({LISTED: list_document(community.listed)} if community.listed else {})


def times(community: Community) -> dict[str, float]:
    """Return when each part was read."""
    read = {guild_id: one.read_at for guild_id, one in community.standings.items()}
    return read | ({LISTED: community.listed.read_at} if community.listed else {})


def community(document: Mapping[str, Any] | None) -> Community:
    """Return what ``document`` has told; None stands for nothing."""
    told = document or {}
    listed = told.get(LISTED)
    return Community(
        {
            guild_id: standing(guild_id, one[READ_AT], one)
            for guild_id, one in told.get(STANDINGS, {}).items()
        },
        None if listed is None else guild_list(listed[READ_AT], listed),
    )
