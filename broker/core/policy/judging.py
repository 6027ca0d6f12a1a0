"""Whether the policies that hold for a client let a person in; pure.

In this order: whoever any policy denies is refused; then each policy by itself: its allow list
passes, and all the rest must hold.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from broker.core.community.model import Standing
from broker.core.community.snowflakes import is_snowflake, made_at
from broker.core.model import Facts
from broker.core.policy.model import Choice, GuildRule, Missing, Policy, Reason, Verdict

DISCORD: Final = "discord"
"""The upstream whose guilds and accounts policies speak of."""


def judge(policies: Iterable[Policy], facts: Facts, now: float) -> Verdict:
    """Return whether a person may use a client, and all that stands in the way.

    Args:
        policies: those that hold for the client; all must pass.
        facts: what is known of the person, how old it may ever be.
        now: UTC seconds; account ages and time-outs are judged by it.
    """
    held, person = tuple(policies), discord_id(facts)
    if any(person in policy.deny for policy in held):
        return Verdict((Missing(Reason.DENIED),))
    missing: list[Missing] = []
    choices: list[Choice] = []
    for policy in held:
        if person in policy.allow:
            continue
        missing += _for_itself(policy, facts, person, now)
        ways = _of_guilds(policy, facts, person, now)
        if policy.any_guild and len(ways) > 1:
            choices += [ways] if all(ways) else []
        else:
            missing += [one for way in ways for one in way]
    return Verdict(tuple(dict.fromkeys(missing)), tuple(dict.fromkeys(choices)))


def discord_id(facts: Facts) -> str:
    """Return a person's snowflake, or an empty text, which is on nobody's list."""
    subject = facts.identities.get(DISCORD)
    return subject if is_snowflake(subject) else ""


def _for_itself(policy: Policy, facts: Facts, person: str, now: float) -> Iterator[Missing]:
    """Yield what a policy misses that has nothing to do with guilds."""
    if policy.only_allowed:
        yield Missing(Reason.NOT_ALLOWED)
    if (policy.guilds or policy.account_age) and not person:
        yield Missing(Reason.NO_DISCORD)
    elif policy.account_age:
        old_enough = made_at(person) + policy.account_age
        if old_enough > now:
            yield Missing(Reason.TOO_YOUNG, until=old_enough)
    # An address that is gone may leave its mark behind: only one that is there is verified.
    claims = facts.claims
    if policy.email_verified and not (claims.get("email") and claims.get("email_verified") is True):
        yield Missing(Reason.EMAIL)


def _of_guilds(policy: Policy, facts: Facts, person: str, now: float) -> Choice:
    """Return for each entry of the policy what is missing there; nothing can be without Discord."""
    if not person:
        return ()
    standings = facts.community.standings
    ways = (tuple(in_guild(rule, standings.get(rule.guild_id), now)) for rule in policy.guilds)
    return tuple(dict.fromkeys(ways))


def in_guild(rule: GuildRule, standing: Standing | None, now: float) -> Iterator[Missing]:
    """Yield what is missing in one guild.

    Args:
        rule: what is asked there.
        standing: what was read of the person there, or None where nothing ever was.
        now: UTC seconds.
    """
    if standing is None:
        yield Missing(Reason.UNKNOWN, rule.guild_id)
        return
    if not standing.member:
        yield Missing(Reason.NOT_MEMBER, rule.guild_id)
        return
    held = frozenset(standing.roles)
    if rule.any_role and held.isdisjoint(rule.any_role):
        yield Missing(Reason.ANY_ROLE, rule.guild_id, rule.any_role)
    absent = tuple(role for role in rule.all_roles if role not in held)
    if absent:
        yield Missing(Reason.ALL_ROLES, rule.guild_id, absent)
    excluded = tuple(role for role in rule.no_role if role in held)
    if excluded:
        yield Missing(Reason.NO_ROLE, rule.guild_id, excluded)
    if rule.not_pending and standing.pending:
        yield Missing(Reason.PENDING, rule.guild_id)
    until = standing.timed_out_until
    if rule.not_timed_out and until is not None and until > now:
        yield Missing(Reason.TIMED_OUT, rule.guild_id, until=until)
