"""What an operator may say of a guild: its name, its invitation, the names of its roles."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from broker.app.client_rules import malformed
from broker.app.policies import deployment_policy
from broker.app.problems import Problem, Refused
from broker.app.settings import Settings
from broker.app.sources import variable
from broker.core.community.registry import Guild
from broker.core.community.snowflakes import is_snowflake
from broker.core.documents import shown
from broker.core.policy.rules import guilds_named_by

if TYPE_CHECKING:  # it loads SQL, which judging needs not
    from broker.stores.sql.facade import SqlStores

LONGEST: Final = 100  # characters of a name, as at Discord
MOST_ROLES: Final = 250  # a guild has no more


def check_guild(guild: Guild) -> None:
    """Check what is said of a guild as it is to be.

    Raises:
        Refused: with every problem; each names the option to change.
    """
    problems = [*_guild(guild), *_roles(guild)]
    if problems:
        raise Refused(*problems)


async def named_by(guild_id: str, sql: "SqlStores", settings: Settings) -> tuple[str, ...]:
    """Return what names a guild: clients by their registration or policy, the policy for all."""
    clients = [record.client for record in await sql.clients.list()]
    found = tuple(one.client_id for one in clients if guild_id in guilds_named_by(one))
    policy = deployment_policy(settings)
    everybodys = policy and any(rule.guild_id == guild_id for rule in policy.guilds)
    return (*found, variable("policy")) if everybodys else found


def _guild(guild: Guild) -> Iterator[Problem]:
    if not is_snowflake(guild.guild_id):
        yield Problem("GUILD_ID", f"{shown(guild.guild_id)} is no Discord id")
    if not _is_name(guild.name):
        yield Problem("--name", f"1 to {LONGEST} printable characters")
    if guild.invite is not None:
        reason = malformed(guild.invite)
        if reason is None and not guild.invite.startswith("https://"):
            reason = "must be an https address, such as https://discord.gg/…"
        if reason:
            yield Problem("--invite", f"{guild.invite}: {reason}")


def _roles(guild: Guild) -> Iterator[Problem]:
    if len(guild.roles) > MOST_ROLES:
        yield Problem("--role", f"more than {MOST_ROLES}")
    for role_id, name in guild.roles.items():
        if not is_snowflake(role_id):
            yield Problem("--role", f"{shown(role_id)} is no Discord id")
        elif role_id == guild.guild_id:
            yield Problem("--role", f"{role_id} is @everyone, which is among nobody's roles")
        if not _is_name(name):
            yield Problem("--role", f"{role_id}: a name of 1 to {LONGEST} printable characters")


def _is_name(text: str) -> bool:
    return 0 < len(text) <= LONGEST and text == text.strip() and text.isprintable()
