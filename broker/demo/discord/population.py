"""Who lives in a simulated Discord, and what happens to them in its guilds."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from broker.demo.discord.people import DISCORD_EPOCH_MS, Guild, Membership, Person


class Population:
    """People, guilds, and who is a member of what.

    A guild or role that does not exist is a `LookupError`: a test must not pass because of a
    typing error. A person is named by snowflake or username, and is a `Person` in the answers.
    """

    def __init__(
        self,
        people: Iterable[Person],
        guilds: Iterable[Guild],
        now: Callable[[], float] = time.time,
    ) -> None:
        self.now = now
        self.people = {person.id: person for person in people}
        self.guilds = {guild.id: guild for guild in guilds}
        self._snowflakes = 0

    def snowflake(self) -> str:
        """Return a new id: milliseconds since 2015, then 22 bits that differ."""
        self._snowflakes += 1
        since = int(self.now() * 1000) - DISCORD_EPOCH_MS
        return str((since << 22) | (self._snowflakes & 0x3FFFFF))

    # --- people ----------------------------------------------------------------------------

    def add_person(self, username: str, **fields: Any) -> Person:
        """Make a person; `fields` are those of `Person`, a new snowflake unless `id` is given."""
        person = Person(fields.pop("id", None) or self.snowflake(), username, **fields)
        self.people[person.id] = person
        return person

    def change_person(self, person_id: str, **changes: Any) -> Person:
        """Change fields of a person, who keeps the id; returns the person as changed."""
        person = self.person(person_id)
        self.people[person.id] = replace(person, **changes)
        return self.people[person.id]

    def find_person(self, name: str) -> Person | None:
        """Return the person of a snowflake or username."""
        return self.people.get(name) or next(
            (p for p in self.people.values() if p.username == name), None
        )

    def person(self, name: str) -> Person:
        """Return the person of a snowflake or username.

        Raises:
            LookupError: there is nobody of that name.
        """
        found = self.find_person(name)
        if found is None:
            raise LookupError(f"nobody is called {name!r}")
        return found

    # --- guilds ----------------------------------------------------------------------------

    def add_guild(
        self, name: str, *, roles: Mapping[str, str] | None = None, **fields: Any
    ) -> Guild:
        """Make a guild; `fields` are those of `Guild`, a new snowflake unless `id` is given.

        Args:
            name: what it is called.
            roles: role id (snowflake) → name.
            fields: of `Guild`.
        """
        guild = Guild(fields.pop("id", None) or self.snowflake(), name, roles=roles or {}, **fields)
        self.guilds[guild.id] = guild
        return guild

    def add_guilds(self, person_id: str, count: int) -> list[Guild]:
        """Make so many guilds that a person is in; returns them."""
        guilds = [self.add_guild(f"Guild {number + 1}") for number in range(count)]
        for guild in guilds:
            self.join(person_id, guild.id)
        return guilds

    def delete_guild(self, guild_id: str) -> None:
        """Delete a guild, members and all: to everybody it is unknown from now on."""
        del self.guilds[self.guild(guild_id).id]
        for person in list(self.people.values()):
            if person.membership(guild_id) is not None:
                self._leave(person, guild_id)

    def guild(self, guild_id: str) -> Guild:
        """Return a guild.

        Raises:
            LookupError: there is no such guild.
        """
        if guild_id not in self.guilds:
            raise LookupError(f"there is no guild {guild_id!r}")
        return self.guilds[guild_id]

    def members(self, guild_id: str) -> list[tuple[Person, Membership]]:
        """Return who is in a guild, with their records there, in the order people were made."""
        found = ((person, person.membership(guild_id)) for person in self.people.values())
        return [(person, membership) for person, membership in found if membership is not None]

    # --- memberships -----------------------------------------------------------------------

    def join(self, person_id: str, guild_id: str, **fields: Any) -> Person:
        """Put a person into a guild, now unless `joined_at` says when; `fields` as `Membership`.

        Somebody who is in it already leaves first: what was there of them is gone.
        """
        person = self.person(person_id)
        joined = {"joined_at": iso(self.now())} | fields
        return self._put(person, Membership(self.guild(guild_id).id, **joined))

    def kick(self, person_id: str, guild_id: str) -> Person:
        """Take a person out of a guild; a person who is not in it stays as they are."""
        return self._leave(self.person(person_id), self.guild(guild_id).id)

    def set_member(self, person_id: str, guild_id: str, **changes: Any) -> Person:
        """Change fields of a person's record in a guild (those of `Membership`).

        Raises:
            LookupError: the person is not in the guild.
        """
        person = self.person(person_id)
        membership = person.membership(self.guild(guild_id).id)
        if membership is None:
            raise LookupError(f"{person.username} is not in {guild_id!r}")
        return self._put(person, replace(membership, **changes))

    def give_role(self, person_id: str, guild_id: str, role_id: str) -> Person:
        """Give a person a role in a guild; once is enough.

        Raises:
            LookupError: the person is not in the guild, or it has no such role.
        """
        kept = self._roles(person_id, guild_id, role_id)
        return self.set_member(person_id, guild_id, roles=(*kept, role_id))

    def take_role(self, person_id: str, guild_id: str, role_id: str) -> Person:
        """Take a role of a guild away from a person.

        Raises:
            LookupError: the person is not in the guild, or it has no such role.
        """
        kept = self._roles(person_id, guild_id, role_id)
        return self.set_member(person_id, guild_id, roles=kept)

    def time_out(self, person_id: str, guild_id: str, seconds: float | None) -> Person:
        """Forbid a person to speak in a guild for so many seconds from now; None ends it."""
        until = None if seconds is None else iso(self.now() + seconds)
        return self.set_member(person_id, guild_id, communication_disabled_until=until)

    def _roles(self, person_id: str, guild_id: str, role_id: str) -> tuple[str, ...]:
        """Return a person's roles in a guild but one, which the guild must have."""
        if role_id not in self.guild(guild_id).roles:
            raise LookupError(f"the guild {guild_id!r} has no role {role_id!r}")
        membership = self.person(person_id).membership(guild_id)
        return tuple(role for role in membership.roles if role != role_id) if membership else ()

    def _put(self, person: Person, membership: Membership) -> Person:
        others = _others(person, membership.guild_id)
        return self.change_person(person.id, memberships=(*others, membership))

    def _leave(self, person: Person, guild_id: str) -> Person:
        return self.change_person(person.id, memberships=_others(person, guild_id))


def _others(person: Person, guild_id: str) -> tuple[Membership, ...]:
    return tuple(m for m in person.memberships if m.guild_id != guild_id)


def from_iso(text: str) -> float:
    """Return the epoch seconds of a time as Discord writes it."""
    return datetime.fromisoformat(text).timestamp()


def iso(seconds: float) -> str:
    """Return epoch seconds as Discord writes times: ISO 8601 with microseconds and an offset."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")
