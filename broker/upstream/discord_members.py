"""What Discord says of a person in guilds, judged field by field.

Sources: Discord's API v10, "Guild Member Object" and "Get Current User Guilds". Whatever decides
over access (roles, a time-out, which guilds) is sound, or the whole answer is none.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from broker.core.community.model import ListedGuild, Standing
from broker.core.community.snowflakes import is_snowflake
from broker.core.errors import UpstreamUnavailable
from broker.upstream import fields

MAX_ROLES: Final = 1000  # of one member; Discord has at most 250 in a guild


def standing_of(member: Mapping[str, Any], guild_id: str, read_at: float) -> Standing:
    """Return a person's standing from the member object.

    Args:
        member: the JSON of ``/users/@me/guilds/{id}/member``.
        guild_id: of which guild.
        read_at: UTC seconds.

    Raises:
        UpstreamUnavailable: roles or time-out make no sense.
    """
    roles, muted = member.get("roles"), member.get("communication_disabled_until")
    pending = member.get("pending")
    sound = isinstance(roles, list) and len(roles) <= MAX_ROLES and all(map(is_snowflake, roles))
    until = moment(muted)
    if not sound or (muted is not None and until is None):
        raise UpstreamUnavailable(private="discord: a member record that makes no sense")
    return Standing(
        guild_id,
        read_at,
        member=True,
        nick=fields.name(member.get("nick")) or None,
        roles=tuple(dict.fromkeys(roles or ())),
        joined_at=moment(member.get("joined_at")),
        # It may be missing; whatever else is there than a plain no is not yet a member.
        pending=pending is not None and pending is not False,
        timed_out_until=until,
    )


def guilds_of(page: Any) -> tuple[ListedGuild, ...]:
    """Return the guilds of one page of ``/users/@me/guilds``.

    Raises:
        UpstreamUnavailable: it is no list of guilds.
    """
    if not isinstance(page, list):
        raise UpstreamUnavailable(private="discord: users/@me/guilds is no list")
    return tuple(_listed(each) for each in page)


def _listed(guild: Any) -> ListedGuild:
    guild_id = guild.get("id") if isinstance(guild, dict) else None
    if not is_snowflake(guild_id):
        raise UpstreamUnavailable(private="discord: users/@me/guilds with a guild without an id")
    name = fields.name(guild.get("name")) or guild_id
    return ListedGuild(guild_id, name, owner=guild.get("owner") is True)


def moment(value: Any) -> float | None:
    """Return the UTC seconds of an ISO 8601 date and time, or None for anything else."""
    if not isinstance(value, str) or len(value) > 64:
        return None
    try:
        read = datetime.fromisoformat(value)
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
