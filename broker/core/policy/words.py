"""Policies and refusals in plain English: for operators, and for the person refused.

Whatever is said stands here, so that it can be said in other languages too. The operator's names
are used where there are any, else operators read the ids: to the person refused they say nothing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from broker.core import durations
from broker.core.community.needs import by_id
from broker.core.community.registry import Guild
from broker.core.policy.model import GuildRule, Missing, Policy, Reason, Verdict
from broker.core.texts import Listed, Moment, Text

DAY: Final = 86400
MAX_LISTED: Final = 5  # people of a list that are named

_OBSTACLES: Final[Mapping[Reason, Text]] = {
    Reason.DENIED: Text("Your Discord account is not let in."),
    Reason.NOT_ALLOWED: Text("Only certain people are let in, and you are not among them."),
    Reason.NO_DISCORD: Text("You need a Discord account that is linked to your account here."),
    Reason.NOT_MEMBER: Text("You need to be a member of %(guild)s."),
    Reason.ANY_ROLE: Text("You need the role %(roles)s in %(guild)s."),
    Reason.NO_ROLE: Text("You must not have the role %(roles)s in %(guild)s."),
    Reason.PENDING: Text("You have yet to accept the rules of %(guild)s; do that in Discord."),
    Reason.TIMED_OUT: Text("You are timed out in %(guild)s until %(when)s."),
    Reason.TOO_YOUNG: Text("Your Discord account is too young; it is old enough from %(when)s."),
    Reason.EMAIL: Text("You need a verified e-mail address in the account that you sign in with."),
    Reason.UNKNOWN: Text("We could not learn from Discord whether you are a member of %(guild)s."),
}
_ALL_ROLES: Final = (
    Text("You need the role %(roles)s in %(guild)s."),
    Text("You need the roles %(roles)s in %(guild)s."),
)
_UNNAMED_ROLES: Final[Mapping[Reason, Text]] = {
    Reason.ANY_ROLE: Text("You need a certain role in %(guild)s: ask the people who run it."),
    Reason.ALL_ROLES: Text("You need a certain role in %(guild)s: ask the people who run it."),
    Reason.NO_ROLE: Text("You have a role in %(guild)s that is not let in."),
}
_UNNAMED: Final = Text("this community's Discord server")
_ANOTHER_ROLE: Final = Text("another role")
_JOINED_BY_OR: Final = frozenset((Reason.ANY_ROLE, Reason.NO_ROLE))
_FINAL: Final = frozenset((Reason.DENIED, Reason.NOT_ALLOWED))


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One thing that stands in a person's way, as it is told.

    Attributes:
        reason: which kind of thing.
        text: a sentence.
        guild: name of the guild to join, or empty.
        invite: https address by which to join it, or None.
    """

    reason: Reason
    text: str
    guild: str = ""
    invite: str | None = None


@dataclass(frozen=True, slots=True)
class Obstacles:
    """All that stands in a person's way.

    Attributes:
        each: what has to be gone in any case.
        choices: of each of these, one way has to be gone; a way is all that it takes.
        mended_at: when time alone will have mended all of it (UTC seconds), or None.
        final: whether there is nothing that the person could do about it.
    """

    each: tuple[Obstacle, ...] = ()
    choices: tuple[tuple[tuple[Obstacle, ...], ...], ...] = ()
    mended_at: float | None = None
    final: bool = False


def obstacles(verdict: Verdict, guilds: Mapping[str, Guild]) -> Obstacles:
    """Return what to tell a person who is refused.

    Args:
        verdict: which refuses.
        guilds: the registered ones, by their ids.
    """
    unnamed = {one.guild_id for one in verdict.all() if one.guild_id} - guilds.keys()
    told = partial(obstacle, guilds=guilds, several=len(unnamed) > 1)
    return Obstacles(
        tuple(told(one) for one in verdict.missing),
        tuple(
            tuple(tuple(told(one) for one in way) for way in choice) for choice in verdict.choices
        ),
        verdict.mended_at,
        final=any(one.reason in _FINAL for one in verdict.missing),
    )


def obstacle(missing: Missing, guilds: Mapping[str, Guild], *, several: bool = False) -> Obstacle:
    """Return what to tell the person of one thing that is missing.

    Args:
        missing: that thing.
        guilds: the registered ones, by their ids.
        several: whether more than one guild that has no name is told of: then each has its id.
    """
    guild = guilds.get(missing.guild_id)
    roles = _roles_told(missing, guild)
    text = _sentence(missing, roles).having(
        guild=_guild_told(missing.guild_id, guild, several=several),
        roles=Listed(roles, "or" if missing.reason in _JOINED_BY_OR else "and"),
        when="" if missing.until is None else Moment(missing.until),
    )
    if missing.reason is not Reason.NOT_MEMBER or guild is None or guild.invite is None:
        return Obstacle(missing.reason, text)
    return Obstacle(missing.reason, text, guild.name, guild.invite)


def _sentence(missing: Missing, roles: Sequence[str]) -> Text:
    if missing.roles and not roles:
        return _UNNAMED_ROLES[missing.reason]
    if missing.reason is Reason.ALL_ROLES:
        return _ALL_ROLES[len(roles) > 1]
    return _OBSTACLES[missing.reason]


def _roles_told(missing: Missing, guild: Guild | None) -> list[str]:
    """Return the roles that have a name; any of them will do, but where all are needed."""
    names = [guild.roles[role] for role in missing.roles if role in guild.roles] if guild else []
    all_told = len(names) == len(missing.roles) or missing.reason is not Reason.ALL_ROLES
    return names if all_told or not names else [*names, _ANOTHER_ROLE]


def _guild_told(guild_id: str, guild: Guild | None, *, several: bool) -> str:
    if guild is not None:
        return guild.name
    return Text("this community's Discord server (ID %(id)s)", id=guild_id) if several else _UNNAMED


def said(policy: Policy, guilds: Mapping[str, Guild]) -> tuple[str, ...]:
    """Return a policy in words: a sentence a line, a guild a line where there are several.

    Args:
        policy: the policy.
        guilds: the registered ones, by their ids.
    """
    lines: list[str] = []
    account = list(_of_account(policy))
    if policy.only_allowed:
        lines.append(f"Nobody but these Discord accounts: {_people(policy.allow)}.")
    elif len(policy.guilds) > 1:
        lines.append(f"Members of {'at least one' if policy.any_guild else 'all'} of these guilds:")
        lines += [f"- {_in_guild(rule, guilds)}" for rule in policy.guilds]
        lines += [f"Only people {_every(account)}."] if account else []
    else:
        who = f"Members of {_in_guild(policy.guilds[0], guilds)}" if policy.guilds else "Everybody"
        between = ", " if policy.guilds else " "
        lines.append(f"{who}{between if account else ''}{_every(account)}.")
    if policy.allow and not policy.only_allowed:
        lines.append(f"Always, whatever else is said: {_people(policy.allow)}.")
    if policy.deny:
        lines.append(f"Never: {_people(policy.deny)}.")
    return tuple(lines)


def guild_name(guild_id: str, guilds: Mapping[str, Guild]) -> str:
    """Return what operators read of a guild: what people call it, or its id."""
    guild = guilds.get(guild_id)
    return f"the guild {guild_id}" if guild is None else guild.name


def role_name(role_id: str, guild: Guild | None) -> str:
    """Return what people call a role of a guild, or its id."""
    return role_id if guild is None else guild.roles.get(role_id, role_id)


def role_names(roles: Iterable[str], guild: Guild | None) -> list[str]:
    """Return what people call roles of a guild, or their ids."""
    return [role_name(role, guild) for role in roles]


def in_list(names: Sequence[str], last: str) -> str:
    """Return names as one speaks a list, the last two joined by a word."""
    return Listed(names, last)


def moment(at: float) -> str:
    """Return a moment (UTC seconds) to the minute after which it has come."""
    return Moment(at)


def length(seconds: int) -> str:
    """Return a length of time: whole days as such."""
    days, rest = divmod(seconds, DAY)
    if rest:
        return durations.show(seconds)
    return "1 day" if days == 1 else f"{days} days"


def _of_account(policy: Policy) -> Iterator[str]:
    if policy.account_age:
        yield f"whose Discord account is at least {length(policy.account_age)} old"
    if policy.email_verified:
        yield "whose e-mail address is verified"


def _in_guild(rule: GuildRule, guilds: Mapping[str, Guild]) -> str:
    asked = _every(list(_asked(rule, guilds.get(rule.guild_id))))
    return f"{guild_name(rule.guild_id, guilds)}{' who ' if asked else ''}{asked}"


def _asked(rule: GuildRule, guild: Guild | None) -> Iterator[str]:
    """Yield what is asked of a member."""
    if rule.any_role:
        yield f"have the role {_either(role_names(rule.any_role, guild))}"
    if rule.all_roles:
        plural = "" if len(rule.all_roles) == 1 else "s"
        yield f"have the role{plural} {_every(role_names(rule.all_roles, guild))}"
    if rule.no_role:
        yield f"do not have the role {_either(role_names(rule.no_role, guild))}"
    if rule.not_pending:
        yield "have accepted its rules"
    if rule.not_timed_out:
        yield "are not timed out"


def _people(ids: Iterable[str]) -> str:
    known = sorted(ids, key=by_id)
    left = len(known) - MAX_LISTED
    return _every([*known[:MAX_LISTED], f"{left} more"] if left > 0 else known)


def _either(names: Sequence[str]) -> str:
    return in_list(names, "or")


def _every(names: Sequence[str]) -> str:
    return in_list(names, "and")
