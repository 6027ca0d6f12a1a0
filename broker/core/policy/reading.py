"""A policy out of its document: strict, so that a slip of the pen opens and closes nothing."""

from collections.abc import Mapping
from typing import Any, Final

from broker.core import durations
from broker.core.community.needs import MAX_STANDINGS
from broker.core.documents import BadDocument, listed, members, shown, snowflake, snowflakes
from broker.core.policy.model import GuildRule, Policy

MAX_ENTRIES: Final = 20  # of "guilds": several may be about one guild
MAX_ROLES: Final = 250  # of a list; a guild has no more
MAX_PEOPLE: Final = 1000  # of a list
LONGEST_AGE: Final = 3660 * 86400  # seconds

_GUILD: Final = ("id", "any_role", "all_roles", "no_role", "not_pending", "not_timed_out")
_POLICY: Final = (
    "guilds", "match", "account_age", "email_verified", "allow", "deny", "only_allowed",
)  # fmt: skip


def read(document: object) -> Policy:
    """Return the policy that a document says.

    Raises:
        BadDocument: it says none, or contradicts itself; its text names the place and the reason.
    """
    found = members(document, "", _POLICY)
    entries = listed(found.get("guilds", []), "guilds", MAX_ENTRIES)
    policy = Policy(
        guilds=tuple(_guild(entry, f"guilds[{n}]") for n, entry in enumerate(entries)),
        any_guild=_match(found),
        account_age=_age(found.get("account_age", 0)),
        email_verified=_flag(found, "email_verified"),
        allow=frozenset(snowflakes(found.get("allow", []), "allow", MAX_PEOPLE)),
        deny=frozenset(snowflakes(found.get("deny", []), "deny", MAX_PEOPLE)),
        only_allowed=_flag(found, "only_allowed"),
    )
    if len({rule.guild_id for rule in policy.guilds}) > MAX_STANDINGS:
        reason = f"more than {MAX_STANDINGS}: Discord cannot be asked about so many"
        raise BadDocument("guilds", reason)
    _agrees(policy)
    return policy


def _guild(entry: object, path: str) -> GuildRule:
    found = members(entry, path, _GUILD)
    if "id" not in found:
        raise BadDocument(f"{path}.id", "is missing")
    guild_id = snowflake(found["id"], f"{path}.id")
    roles = {
        name: snowflakes(found.get(name, []), f"{path}.{name}", MAX_ROLES)
        for name in ("any_role", "all_roles", "no_role")
    }
    for name, ids in roles.items():
        if guild_id in ids:
            place = f"{path}.{name}[{ids.index(guild_id)}]"
            reason = "this is @everyone, which is among nobody's roles; membership is asked anyway"
            raise BadDocument(place, reason)
    for name in ("any_role", "all_roles"):
        both = [role for role in roles[name] if role in roles["no_role"]]
        if both:
            raise BadDocument(f"{path}.no_role", f"{both[0]} is in {name} too")
    return GuildRule(
        guild_id,
        **roles,
        not_pending=_flag(found, "not_pending", f"{path}."),
        not_timed_out=_flag(found, "not_timed_out", f"{path}."),
    )


def _agrees(policy: Policy) -> None:
    """Refuse what contradicts itself, or would let in more people than it seems to."""
    both = sorted(policy.allow & policy.deny, key=int)
    asks = bool(policy.guilds or policy.account_age or policy.email_verified)
    if both:
        raise BadDocument("deny", f"{both[0]} is in allow too")
    if policy.any_guild and not policy.guilds:
        raise BadDocument("match", "there are no guilds to match any of")
    if policy.only_allowed and not policy.allow:
        raise BadDocument("only_allowed", "nobody is in allow, so nobody could ever pass")
    if policy.only_allowed and asks:
        reason = "nothing else is asked of anybody then: leave the rest out"
        raise BadDocument("only_allowed", reason)
    if policy.allow and not asks and not policy.only_allowed:
        reason = "nothing is asked of others, so everybody passes; did you mean only_allowed too?"
        raise BadDocument("allow", reason)


def _flag(found: Mapping[str, Any], name: str, place: str = "") -> bool:
    value = found.get(name, False)
    if not isinstance(value, bool):
        raise BadDocument(f"{place}{name}", f"{shown(value)} is neither true nor false")
    return value


def _match(found: Mapping[str, Any]) -> bool:
    value = found.get("match", "all")
    if value not in ("all", "any"):
        raise BadDocument("match", f'{shown(value)} is neither "all" nor "any"')
    return bool(value == "any")


def _age(value: object) -> int:
    try:
        age = durations.parse(value)
    except ValueError as error:
        raise BadDocument("account_age", f"{shown(value)}: {error}") from None
    if not isinstance(age, int) or isinstance(age, bool) or age < 0:
        raise BadDocument("account_age", f'{shown(value)} is no length of time, such as "30d"')
    if age > LONGEST_AGE:
        raise BadDocument("account_age", f"longer than {durations.show(LONGEST_AGE)}")
    return age
