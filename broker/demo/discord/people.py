"""Who lives in the simulated Discord: people, guilds, and who is a member of what.

`more` of each record is JSON that goes over the wire beside, or in place of, what is documented:
fields nobody knows yet, nulls where none were expected.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

DISCORD_EPOCH_MS = 1_420_070_400_000  # the first millisecond of 2015, where snowflakes start


@dataclass(frozen=True, slots=True)
class Guild:
    """A Discord server. `roles` maps role ids to names; the API shows members the ids alone."""

    id: str
    name: str
    icon: str | None = None
    roles: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Membership:
    """One person's record in one guild. Times are ISO 8601 strings, as on the wire."""

    guild_id: str
    roles: tuple[str, ...] = ()
    nick: str | None = None
    joined_at: str = "2024-03-01T12:00:00.000000+00:00"
    pending: bool = False
    communication_disabled_until: str | None = None
    owner: bool = False
    avatar: str | None = None
    banner: str | None = None
    flags: int = 0
    premium_since: str | None = None
    mute: bool = False
    deaf: bool = False
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Person:
    """A Discord account. `id` is a snowflake and the only field that never changes."""

    id: str
    username: str
    global_name: str | None = None
    avatar: str | None = None
    email: str | None = None
    verified: bool = True
    locale: str = "en-US"
    mfa_enabled: bool = False
    bot: bool = False
    system: bool = False
    discriminator: str = "0"
    accent_color: int | None = None
    banner: str | None = None
    public_flags: int = 0
    memberships: tuple[Membership, ...] = ()
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def display_name(self) -> str:
        """The name people see: the display name, else the username."""
        return self.global_name or self.username

    def membership(self, guild_id: str) -> Membership | None:
        """Return the person's record in a guild, or None for a guild they are not in."""
        return next((m for m in self.memberships if m.guild_id == guild_id), None)


def public_user(person: Person) -> dict[str, Any]:
    """Return the user object others see (`UserResponse` of Discord's API description)."""
    user: dict[str, Any] = {
        "id": person.id,
        "username": person.username,
        "avatar": person.avatar,
        "discriminator": person.discriminator,
        "public_flags": person.public_flags,
        "flags": person.public_flags,
        "banner": person.banner,
        "accent_color": person.accent_color,
        "global_name": person.global_name,
        "avatar_decoration_data": None,
        "collectibles": None,
        "primary_guild": None,
    }
    # Discord sends these two only where they are true.
    user |= {name: True for name in ("bot", "system") if getattr(person, name)}
    return user | dict(person.more)


def own_user(person: Person, *, with_email: bool) -> dict[str, Any]:
    """Return the user object a person's own token sees (`UserPIIResponse`)."""
    user = public_user(person) | {
        "mfa_enabled": person.mfa_enabled,
        "locale": person.locale,
        "premium_type": 0,
    }
    if with_email:
        user |= {"email": person.email, "verified": person.verified}
    return user | dict(person.more)


def member_of(person: Person, membership: Membership) -> dict[str, Any]:
    """Return the member object of one guild (`PrivateGuildMemberResponse`)."""
    return {
        "avatar": membership.avatar,
        "avatar_decoration_data": None,
        "banner": membership.banner,
        "communication_disabled_until": membership.communication_disabled_until,
        "flags": membership.flags,
        "joined_at": membership.joined_at,
        "nick": membership.nick,
        "pending": membership.pending,
        "premium_since": membership.premium_since,
        "roles": list(membership.roles),
        "collectibles": None,
        "user": public_user(person),
        "mute": membership.mute,
        "deaf": membership.deaf,
    } | dict(membership.more)


def guild_of(guild: Guild, membership: Membership, *, with_counts: bool) -> dict[str, Any]:
    """Return the partial guild object of a person's guild list (`MyGuildResponse`)."""
    shown: dict[str, Any] = {
        "id": guild.id,
        "name": guild.name,
        "icon": guild.icon,
        "banner": None,
        "owner": membership.owner,
        "permissions": "2147483647" if membership.owner else "104324673",
        "features": ["COMMUNITY"],
    }
    if with_counts:
        shown |= {"approximate_member_count": 42, "approximate_presence_count": 7}
    return shown | dict(guild.more)
