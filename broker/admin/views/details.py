"""What an audit event's detail says, in an operator's words: no value as a program writes it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from broker.admin.views.moments import stamp
from broker.core.community.registry import Guild
from broker.core.errors import GrantedTooLittle
from broker.core.model import AuditEvent, JsonValue
from broker.core.policy.model import Reason
from broker.core.policy.words import guild_name

SHORT: Final = 8  # characters by which an operator knows what has an identifier alone


@dataclass(frozen=True, slots=True)
class Names:
    """What is called by a name in the events of a page.

    Attributes:
        people: account_id → name.
        apps: client_id → name.
        guilds: the registered ones, by their ids.
        provider: returns what people call an upstream.
    """

    people: Mapping[str, str]
    apps: Mapping[str, str]
    guilds: Mapping[str, Guild]
    provider: Callable[[str], str]

    def person(self, account_id: str) -> str:
        """Return what somebody is called; whoever is gone keeps the beginning of theirs."""
        return self.people.get(account_id) or _short(account_id)

    def app(self, client_id: str) -> str:
        """Return what an app is called."""
        return self.apps.get(client_id, client_id)


Teller = Callable[[JsonValue, Names], str]


def told(event: AuditEvent, names: Names) -> tuple[tuple[str, str], ...]:
    """Return what is known beside whom and when, a name and a text each; what is empty is not."""
    return tuple((label, text) for label, text in _each(event.detail, names) if text)


def people(event: AuditEvent) -> Iterator[str]:
    """Yield the accounts that an event's detail names."""
    if isinstance(operator := event.detail.get("operator"), str):
        yield operator


def apps(event: AuditEvent) -> Iterator[str]:
    """Yield what may be apps that an event's detail names."""
    if isinstance(before := event.detail.get("from"), str):
        yield before


def in_words(name: str) -> str:
    """Return a name of a program's as words: ``operator signed in``."""
    return name.replace(".", " ").replace("_", " ").replace("-", " ")


def _each(detail: Mapping[str, JsonValue], names: Names) -> Iterator[tuple[str, str]]:
    for name, value in detail.items():
        label, tell = _KNOWN.get(name, (in_words(name), _plain))
        yield label, tell(value, names)


def _plain(value: JsonValue, names: Names) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(_plain(one, names) for one in value)
        case dict():
            return ", ".join(f"{in_words(n)}: {_plain(one, names)}" for n, one in value.items())
        case _:
            return str(value)


def _short(identifier: str) -> str:
    return identifier if len(identifier) <= SHORT else f"{identifier[:SHORT]}…"


def _shortened(value: JsonValue, _names: Names) -> str:
    return ", ".join(_short(one) for one in _texts(value))


def _in_a_row(value: JsonValue, _names: Names) -> str:
    """Scopes and the like: parted by spaces, or a list."""
    return ", ".join(word for text in _texts(value) for word in text.split())


def _fields(value: JsonValue, _names: Names) -> str:
    return ", ".join(in_words(one) for one in _texts(value))


def _moment(value: JsonValue, names: Names) -> str:
    """A moment: UTC seconds, or as commands have written it (RFC 3339)."""
    try:
        at = datetime.fromisoformat(value).timestamp() if isinstance(value, str) else value
        return stamp(at) if isinstance(at, int | float) else _plain(value, names)
    except (ValueError, OverflowError):
        return _plain(value, names)


def _steps(value: JsonValue, _names: Names) -> str:
    """What upkeep did: ``published 1f0c…``."""
    parted = (one.partition(" ") for one in _texts(value))
    return ", ".join(f"{kind} {_short(kid)}" for kind, _, kid in parted)


def _reasons(value: JsonValue, names: Names) -> str:
    """Why somebody was refused: ``not_member:613425648685547541``."""
    return ", ".join(_reason(one, names) for text in _texts(value) for one in text.split())


def _reason(text: str, names: Names) -> str:
    reason, _, guild_id = text.partition(":")
    words = _REASONS.get(reason)
    if words is None:
        return in_words(text)
    return words % {"guild": guild_name(guild_id, names.guilds) if guild_id else "a guild"}


def _texts(value: JsonValue) -> Iterator[str]:
    yield from map(str, value if isinstance(value, list) else () if value is None else (value,))


_REASONS: Final[Mapping[str, str]] = {
    Reason.DENIED: "on the deny list",
    Reason.NOT_ALLOWED: "not on the allow list",
    Reason.NO_DISCORD: "no Discord account is linked",
    Reason.NOT_MEMBER: "no member of %(guild)s",
    Reason.ANY_ROLE: "none of the roles in %(guild)s",
    Reason.ALL_ROLES: "not all of the roles in %(guild)s",
    Reason.NO_ROLE: "an excluded role in %(guild)s",
    Reason.PENDING: "the rules of %(guild)s are not accepted",
    Reason.TIMED_OUT: "timed out in %(guild)s",
    Reason.TOO_YOUNG: "the Discord account is too young",
    Reason.EMAIL: "no verified e-mail address",
    Reason.UNKNOWN: "it is not known whether a member of %(guild)s",
    GrantedTooLittle.code: "too little was allowed at Discord",
}

# What is something else than a text or a number, and what is better called by another name.
_KNOWN: Final[Mapping[str, tuple[str, Teller]]] = {
    "operator": ("operator", lambda value, names: names.person(str(value))),
    "upstream": ("through", lambda value, names: names.provider(str(value))),
    "from": ("from", lambda value, names: names.app(names.provider(str(value)))),
    "guild": ("guild", lambda value, names: guild_name(str(value), names.guilds)),
    "for": ("for", _in_a_row),
    "scope": ("scopes", _in_a_row),
    "reasons": ("because", _reasons),
    "fields": ("changed", _fields),
    "banned": ("the ban", lambda value, _: "outlives the account" if value else "has ended"),
    "left_out": ("refusals not noted", _plain),
    "swept": ("leftovers removed", lambda value, _: str(value or "")),
    "uses": ("registers", lambda value, _: f"{value} apps" if value else "any number of apps"),
    "at": ("at", _moment),
    "before": ("older than", _moment),
    "expires_at": ("good until", _moment),
    "verifies_until": ("verifies until", _moment),
    "grant": ("grant", _shortened),
    "sid": ("session", _shortened),
    "ticket": ("number", _shortened),
    "kid": ("key", _shortened),
    "signing": ("signs now", _shortened),
    "keys": ("keys", _shortened),
    "deleted": ("deleted", _shortened),
    "erased": ("erased", _shortened),
    "given_up": ("given up", _shortened),
    "steps": ("steps", _steps),
}
