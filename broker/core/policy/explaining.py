"""A decision rule by rule, for operators: what is asked, whether it holds, what is known.

What a rule comes to is what ``judging`` says of it alone, so that no two can disagree.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from broker.core.community.model import Standing
from broker.core.community.registry import Guild
from broker.core.community.snowflakes import made_at
from broker.core.model import Facts
from broker.core.policy.judging import discord_id, in_guild, judge
from broker.core.policy.model import GuildRule, Policy
from broker.core.policy.words import guild_name, in_list, length, moment, role_names


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule of a policy comes to.

    Attributes:
        rule: in words.
        holds: whether it does; None where what it takes was never read.
        known: what is known of the person, in words.
        read_at: when that was read (UTC seconds); None for what does not grow old.
        way: number of the entry it belongs to, where one of several guilds is enough; else 0.
    """

    rule: str
    holds: bool | None
    known: str = ""
    read_at: float | None = None
    way: int = 0


def explain(
    policy: Policy, facts: Facts, guilds: Mapping[str, Guild], now: float
) -> tuple[Finding, ...]:
    """Return what each rule of a policy comes to; none after one that decides by itself.

    Args:
        policy: the policy.
        facts: what is known of the person.
        guilds: the registered ones, by their ids.
        now: UTC seconds.
    """
    return tuple(_findings(policy, facts, guilds, now))


def _findings(
    policy: Policy, facts: Facts, guilds: Mapping[str, Guild], now: float
) -> Iterator[Finding]:
    person = discord_id(facts)
    called = f"Discord account {person}" if person else "no Discord account"
    if policy.deny:
        denied = person in policy.deny
        yield Finding("is not on the deny list", not denied, called)
        if denied:
            return
    if person in policy.allow:
        yield Finding("is on the allow list, so nothing else counts", holds=True, known=called)
        return
    if policy.only_allowed:
        yield Finding("is on the allow list", holds=False, known=called)
        return
    yield from _of_account(policy, facts, person, now)
    for number, rule in enumerate(policy.guilds, 1):
        way = number if policy.any_guild and len(policy.guilds) > 1 else 0
        found = _of_guild(rule, facts, guilds, now) if person else _nobody(rule, guilds)
        yield from (replace(one, way=way) for one in found)


def _of_account(policy: Policy, facts: Facts, person: str, now: float) -> Iterator[Finding]:
    if policy.account_age:
        alone = Policy(account_age=policy.account_age)
        made = f"made {moment(made_at(person))}" if person else "no Discord account"
        rule = f"has a Discord account at least {length(policy.account_age)} old"
        yield Finding(rule, judge([alone], facts, now).allowed, made)
    if policy.email_verified:
        alone = Policy(email_verified=True)
        holds = judge([alone], facts, now).allowed
        address = facts.claims.get("email")
        known = "verified" if holds else "not verified" if address else "no address is known"
        yield Finding("has a verified e-mail address", holds, known)


def _of_guild(
    rule: GuildRule, facts: Facts, guilds: Mapping[str, Guild], now: float
) -> Iterator[Finding]:
    """Yield what each thing asked in a guild comes to; membership first, and alone where none."""
    guild = guilds.get(rule.guild_id)
    standing = facts.community.standings.get(rule.guild_id)
    member = f"is a member of {guild_name(rule.guild_id, guilds)}"
    if standing is None:
        yield Finding(member, None, "never read")
        return
    found = ("is" if standing.member else "is not") + _since(standing)
    yield Finding(member, standing.member, found, standing.read_at)
    if not standing.member:
        return
    for asked, alone, known in _asked(rule, standing, guild):
        holds = not any(in_guild(alone, standing, now))
        yield Finding(asked, holds, known, standing.read_at)


def _since(standing: Standing) -> str:
    return "" if standing.joined_at is None else f", since {moment(standing.joined_at)}"


def _asked(
    rule: GuildRule, standing: Standing, guild: Guild | None
) -> Iterator[tuple[str, GuildRule, str]]:
    """Yield each thing asked of a member: in words, as a rule of its own, and what is known."""
    blank = GuildRule(rule.guild_id)
    held = role_names(standing.roles, guild)
    roles = f"has {in_list(held, 'and')}" if held else "has no role"
    if rule.any_role:
        names = in_list(role_names(rule.any_role, guild), "or")
        yield f"has the role {names}", replace(blank, any_role=rule.any_role), roles
    if rule.all_roles:
        names = in_list(role_names(rule.all_roles, guild), "and")
        yield f"has every role of {names}", replace(blank, all_roles=rule.all_roles), roles
    if rule.no_role:
        names = in_list(role_names(rule.no_role, guild), "or")
        yield f"does not have the role {names}", replace(blank, no_role=rule.no_role), roles
    if rule.not_pending:
        known = "has yet to" if standing.pending else "has"
        yield "has accepted its rules", replace(blank, not_pending=True), known
    if rule.not_timed_out:
        until = standing.timed_out_until
        known = "is not" if until is None else f"until {moment(until)}"
        yield "is not timed out", replace(blank, not_timed_out=True), known


def _nobody(rule: GuildRule, guilds: Mapping[str, Guild]) -> Iterator[Finding]:
    member = f"is a member of {guild_name(rule.guild_id, guilds)}"
    yield Finding(member, holds=False, known="no Discord account")
