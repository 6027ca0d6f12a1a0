"""Guilds: what the Discord servers that apps know of, and their roles, are called."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from broker.admin.fields import Field, Groups
from broker.admin.views.registered import Registered, with_fields
from broker.app.client_rules import Fault
from broker.app.guild_registration import check_guild, named_by
from broker.core.community.registry import Guild
from broker.stores.sql.guilds import SqlGuilds
from broker.stores.sql.records import GuildRecord

_FIELDS: Final = (
    Field("name", "Name", "What people read on our pages and in claims.", optional=False),
    Field("invite", "Invitation", "How people join it, such as https://discord.gg/…; shown to who "
          "is refused for want of membership."),
    Field("roles", "Roles", "What its roles are called, one a line: ID = NAME. Discord tells ids "
          "alone.", "names"),
)  # fmt: skip


class Guilds(Registered):
    """Answers ``/admin/guilds``."""

    menu_label = "Guilds"
    path = "/guilds"
    noun = "guild"
    columns = "guilds.html"
    after = "people read its id from now on; apps that name it go on as before"
    key = Field("guild_id", "Id", "Its id at Discord: with developer mode on, Copy Server ID.")
    options: ClassVar[Mapping[str, str]] = {
        "guild_id": "GUILD_ID",
        "name": "--name",
        "invite": "--invite",
        "roles": "--role",
    }

    @property
    def register(self) -> SqlGuilds:
        """Where they are kept."""
        return self.sql.guilds

    @property
    def groups(self) -> Groups:
        """The fields of one."""
        return {"": _FIELDS}

    def made(self, key: str, new: Mapping[str, Any]) -> Guild:
        """Return one as a form has it."""
        guild: Guild = with_fields(Guild(key, ""), new)
        return guild

    def of(self, record: GuildRecord) -> Guild:
        """Return what a record is of."""
        return record.guild

    async def judge(self, one: Guild, before: Guild) -> list[Fault]:  # noqa: ARG002 - the same for all
        """Return nothing: what is said of a guild is judged by itself."""
        check_guild(one)
        return []

    async def used_by(self, key: str) -> tuple[str, ...]:
        """Return what names it: apps, and the policy for all."""
        return await named_by(key, self.sql, self.parts.settings)
