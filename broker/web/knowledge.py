"""What an app would learn, in plain words: the heart of the consent page."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from broker.core import vocabulary as v
from broker.core.client import Client
from broker.core.community.registry import UNNAMED
from broker.core.texts import Listed, Text
from broker.web.tongues import Tongue


@dataclass(frozen=True, slots=True)
class Learned:
    """One thing an app would learn or get.

    Attributes:
        icon: which of the page's icons stands beside it.
        label: what it is.
        value: the actual value, or empty.
        note: a word more, or empty.
    """

    icon: str
    label: str
    value: str = ""
    note: str = ""


def learned(scope: Sequence[str], claims: Mapping[str, Any]) -> list[Learned]:
    """Return what the scope releases of these claims, in the order a person cares about it."""
    found: list[Learned] = []
    for name, tell in _TELLERS.items():
        if name in scope:
            found += tell(claims)
    found += [
        Learned("more", Text("Permission"), name) for name in scope if name not in v.PERSONAL_SCOPES
    ]
    return found


def permitted(client: Client) -> list[Learned]:
    """Return what an app gets besides, by its registration and whatever it asks for."""
    if not client.upstream_token:
        return []
    note = Text("It can do there what you allow this service to do")
    return [Learned("more", Text("Your access to Discord"), note=note)]


_NONE: Final = Text("You have none at the moment")

# Claim → what a person calls it; the values of those that have one to show stand below.
_PROFILE: Final = {
    "name": Text("name"),
    "preferred_username": Text("username"),
    "picture": Text("picture"),
    "locale": Text("language"),
}


def _profile(claims: Mapping[str, Any]) -> list[Learned]:
    there = {claim: word for claim, word in _PROFILE.items() if claims.get(claim)}
    if not there:
        return [Learned("person", Text("Your profile"), note=Text("Name, username and picture"))]
    label = Text("Your %(things)s", things=Listed(list(there.values()), "and"))
    return [Learned("person", label, _beside(claims, [c for c in there if c != "picture"]))]


def _beside(claims: Mapping[str, Any], names: Sequence[str]) -> str:
    """Return claims side by side; a language by its name, which is said in that of the page."""
    parts = {name: str(claims[name]) for name in names}
    if "locale" in parts:
        parts["locale"] = Tongue(parts["locale"])
    return _in_a_row(list(parts.values()))


def _in_a_row(values: Sequence[str]) -> str:
    """Return values side by side; those that are texts are said in the page's language."""
    parts = {f"part{number}": value for number, value in enumerate(values)}
    message = " · ".join(f"%({name})s" for name in parts)
    return Text(message, **parts)


def _email(claims: Mapping[str, Any]) -> list[Learned]:
    address, label = claims.get("email"), Text("Your e-mail address")
    if not address:
        return [Learned("mail", label, note=_NONE)]
    note = "" if claims.get("email_verified") else Text("Not verified")
    return [Learned("mail", label, str(address), note)]


def _openid(_claims: Mapping[str, Any]) -> list[Learned]:
    note = Text("To recognise you when you come back")
    return [Learned("key", Text("An account number"), note=note)]


def _offline(_claims: Mapping[str, Any]) -> list[Learned]:
    note = Text("It keeps this access after you sign out here")
    return [Learned("clock", Text("Access while you are away"), note=note)]


def _guilds(claims: Mapping[str, Any]) -> list[Learned]:
    """The app is told of those of its own servers alone that the person is in."""
    there = claims.get(v.SCOPE_GUILDS)
    note = Text("Your nickname and roles there, and when you joined")
    if there == []:
        note = Text("You are in none of its servers at the moment")
    names = dict.fromkeys(guild.get("name") or UNNAMED for guild in there or ())
    label = Text("Which of its Discord servers you are in")
    return [Learned("people", label, _in_a_row(list(names)), note)]


def _roles(claims: Mapping[str, Any]) -> list[Learned]:
    return _of_app(Text("Your roles in this app"), claims.get(v.SCOPE_ROLES))


def _groups(claims: Mapping[str, Any]) -> list[Learned]:
    return _of_app(Text("Your groups in this app"), claims.get(v.SCOPE_GROUPS))


def _of_app(label: str, names: Sequence[str] | None) -> list[Learned]:
    note = _NONE if names == [] else Text("They follow your roles on Discord")
    return [Learned("people", label, " · ".join(names or ()), note)]


_TELLERS: Final[dict[str, Callable[[Mapping[str, Any]], list[Learned]]]] = {
    v.SCOPE_PROFILE: _profile,
    v.SCOPE_EMAIL: _email,
    v.SCOPE_GUILDS: _guilds,
    v.SCOPE_ROLES: _roles,
    v.SCOPE_GROUPS: _groups,
    v.SCOPE_OPENID: _openid,
    v.SCOPE_OFFLINE: _offline,
}
