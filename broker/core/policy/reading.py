"""A policy out of its document: strict, so that a slip of the pen opens and closes nothing."""

import json
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final

from broker.core import durations
from broker.core.community.snowflakes import is_snowflake
from broker.core.policy.model import GuildRule, Policy

MAX_GUILDS: Final = 5  # Discord lets a person's member record be read so often in five minutes
MAX_ENTRIES: Final = 20  # of "guilds": several may be about one guild
MAX_ROLES: Final = 250  # of a list; a guild has no more
MAX_PEOPLE: Final = 1000  # of a list
LONGEST_AGE: Final = 3660 * 86400  # seconds
MAX_SHOWN: Final = 40  # characters of a wrong value that an error repeats

_GUILD: Final = ("id", "any_role", "all_roles", "no_role", "not_pending", "not_timed_out")
_POLICY: Final = (
    "guilds", "match", "account_age", "email_verified", "allow", "deny", "only_allowed",
)  # fmt: skip


class BadPolicy(ValueError):
    """A document that is no policy.

    Args:
        path: of the member that is wrong; empty for the document itself.
        reason: what is wrong with it.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}" if path else reason)
        self.path = path
        self.reason = reason


def parse(text: str) -> dict[str, Any]:
    """Return the document in a text, not judged but for its being a JSON object.

    Raises:
        BadPolicy: it is not one, or names a member twice.
    """
    try:
        document = json.loads(text, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise BadPolicy("", f"it is no JSON: {error.msg} ({where})") from None
    except BadPolicy:
        raise
    except (ValueError, RecursionError):
        raise BadPolicy("", "it is no JSON: a number too long, or nested too deeply") from None
    return _object(document, "")


def read(document: object) -> Policy:
    """Return the policy that a document says.

    Raises:
        BadPolicy: it says none, or contradicts itself; its text names the place and the reason.
    """
    found = _members(document, _POLICY, "")
    entries = _list(found.get("guilds", []), "guilds", MAX_ENTRIES)
    policy = Policy(
        guilds=tuple(_guild(entry, f"guilds[{n}]") for n, entry in enumerate(entries)),
        any_guild=_match(found),
        account_age=_age(found.get("account_age", 0)),
        email_verified=_flag(found, "email_verified"),
        allow=frozenset(_ids(found, "allow", limit=MAX_PEOPLE)),
        deny=frozenset(_ids(found, "deny", limit=MAX_PEOPLE)),
        only_allowed=_flag(found, "only_allowed"),
    )
    if len({rule.guild_id for rule in policy.guilds}) > MAX_GUILDS:
        raise BadPolicy("guilds", f"more than {MAX_GUILDS}: Discord cannot be asked about so many")
    _agrees(policy)
    return policy


def _guild(entry: object, path: str) -> GuildRule:
    found = _members(entry, _GUILD, path)
    if "id" not in found:
        raise BadPolicy(f"{path}.id", "is missing")
    guild_id = _id(found["id"], f"{path}.id")
    roles = {
        name: _ids(found, name, f"{path}.", limit=MAX_ROLES)
        for name in ("any_role", "all_roles", "no_role")
    }
    for name, ids in roles.items():
        if guild_id in ids:
            place = f"{path}.{name}[{ids.index(guild_id)}]"
            reason = "this is @everyone, which is among nobody's roles; membership is asked anyway"
            raise BadPolicy(place, reason)
    for name in ("any_role", "all_roles"):
        both = [role for role in roles[name] if role in roles["no_role"]]
        if both:
            raise BadPolicy(f"{path}.no_role", f"{both[0]} is in {name} too")
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
        raise BadPolicy("deny", f"{both[0]} is in allow too")
    if policy.any_guild and not policy.guilds:
        raise BadPolicy("match", "there are no guilds to match any of")
    if policy.only_allowed and not policy.allow:
        raise BadPolicy("only_allowed", "nobody is in allow, so nobody could ever pass")
    if policy.only_allowed and asks:
        raise BadPolicy("only_allowed", "nothing else is asked of anybody then: leave the rest out")
    if policy.allow and not asks and not policy.only_allowed:
        reason = "nothing is asked of others, so everybody passes; did you mean only_allowed too?"
        raise BadPolicy("allow", reason)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise BadPolicy(_named(twice), "is there twice in one object")
    return found


def _object(value: object, path: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise BadPolicy(path, f"{_shown(value)} is no JSON object")
    return dict(value)


def _members(value: object, known: Sequence[str], path: str) -> dict[str, Any]:
    """Return an object's members, all of them known."""
    found = _object(value, path)
    for name in found:
        if name not in known:
            near = get_close_matches(str(name), known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
            place = f"{path}." if path else ""
            raise BadPolicy(f"{place}{_named(name)}", f"is not known; {hint}")
    return found


def _list(value: object, path: str, limit: int) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise BadPolicy(path, f"{_shown(value)} is no list")
    if len(value) > limit:
        raise BadPolicy(path, f"more than {limit}")
    return list(value)


def _ids(found: Mapping[str, Any], name: str, place: str = "", *, limit: int) -> tuple[str, ...]:
    path = f"{place}{name}"
    listed = _list(found.get(name, []), path, limit)
    return tuple(dict.fromkeys(_id(one, f"{path}[{n}]") for n, one in enumerate(listed)))


def _id(value: object, path: str) -> str:
    if is_snowflake(value):
        return value
    reason = f"{_shown(value)} is no Discord id"
    if isinstance(value, int) and not isinstance(value, bool):
        reason = f'{_shown(value)} is a number; ids are text: "{_shown(value)}"'
    raise BadPolicy(path, reason)


def _flag(found: Mapping[str, Any], name: str, place: str = "") -> bool:
    value = found.get(name, False)
    if not isinstance(value, bool):
        raise BadPolicy(f"{place}{name}", f"{_shown(value)} is neither true nor false")
    return value


def _match(found: Mapping[str, Any]) -> bool:
    value = found.get("match", "all")
    if value not in ("all", "any"):
        raise BadPolicy("match", f'{_shown(value)} is neither "all" nor "any"')
    return bool(value == "any")


def _age(value: object) -> int:
    try:
        age = durations.parse(value)
    except ValueError as error:
        raise BadPolicy("account_age", f"{_shown(value)}: {error}") from None
    if not isinstance(age, int) or isinstance(age, bool) or age < 0:
        raise BadPolicy("account_age", f'{_shown(value)} is no length of time, such as "30d"')
    if age > LONGEST_AGE:
        raise BadPolicy("account_age", f"longer than {durations.show(LONGEST_AGE)}")
    return age


def _named(name: object) -> str:
    """Return the name of a member, as a path has it."""
    return _shown(str(name))[1:].removesuffix('"')


def _shown(value: object) -> str:
    """Return a wrong value as the document has it, shortened."""
    try:
        text = json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        text = type(value).__name__
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}…"
