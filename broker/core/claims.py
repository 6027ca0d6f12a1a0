"""Which claims are released: by scope (Core §5.4), and by the claims parameter (Core §5.5)."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from broker.core import vocabulary as v
from broker.core.client import Client
from broker.core.errors import InvalidRequest, UnmetAuthenticationRequirements
from broker.core.vocabulary import CLAIMS_OF_SCOPE

ID_TOKEN: Final = "id_token"
USERINFO: Final = "userinfo"
ACR: Final = "acr"
AUTH_TIME: Final = "auth_time"
# Where nobody knows when somebody authenticated: before everything but "never", which 0 stands for.
UNKNOWN: Final = 1.0

LONGEST_USERNAME: Final = 32  # characters

_MAX_SUBJECT: Final = 255  # characters, Core §2
_AUTHORIZING: Final = (v.SCOPE_ROLES, v.SCOPE_GROUPS)
_SCOPE_OF: Final = {name: scope for scope, names in CLAIMS_OF_SCOPE.items() for name in names}


@dataclass(frozen=True, slots=True)
class ClaimsRequest:
    """A claims request, reduced to what we know.

    Attributes:
        kept: ``id_token`` and ``userinfo``, each a list of names, and ``acr`` where it is wanted;
            None where nothing is left.
        sub: the subject that has to be signed in, or None.
    """

    kept: Mapping[str, Any] | None = None
    sub: str | None = None


def released(claims: Mapping[str, Any], scope: Iterable[str]) -> dict[str, Any]:
    """Return those of the account's claims that the scope releases; absent ones stay absent."""
    return _told(claims, (name for word in scope for name in CLAIMS_OF_SCOPE.get(word, ())))


def authorizing(claims: Mapping[str, Any], scope: Iterable[str]) -> dict[str, Any]:
    """Return those that an access token carries, so that services can go by them (RFC 9068 §2.2.3).

    ``roles`` and ``groups`` (§2.2.3.1), with the time as of which they hold.
    """
    return _told(claims, (word for word in _AUTHORIZING if word in scope))


def of_id_token(claims: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return those of the account's claims that may stand in an ID token.

    A ``preferred_username`` that is not 1 to 32 characters long is left to ``/userinfo``: so
    Discord demands it of whoever is its OpenID provider (External Auth of its Social SDK). It is
    left out rather than cut, so that nobody goes by another's name.
    """
    name = claims.get("preferred_username")
    if name is None or 1 <= len(str(name)) <= LONGEST_USERNAME:
        return claims
    return {claim: value for claim, value in claims.items() if claim != "preferred_username"}


def named(
    claims: Mapping[str, Any], asked: Mapping[str, Any], place: str, client: Client
) -> dict[str, Any]:
    """Return those of the account's claims that a claims request names for a place.

    Args:
        claims: the account's.
        asked: ``ClaimsRequest.kept``.
        place: ``id_token`` or ``userinfo``.
        client: who asks; what was taken from its registration since is left out.
    """
    names = (name for name in asked.get(place, ()) if _SCOPE_OF.get(name) in client.scopes)
    return _told(claims, names)


def _told(claims: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return those that there are; beside any that grows old stands how old it is."""
    found = {name: claims[name] for name in names if claims.get(name) is not None}
    if v.CLAIM_AS_OF in claims and not found.keys().isdisjoint(v.COMMUNITY_SCOPES):
        found[v.CLAIM_AS_OF] = claims[v.CLAIM_AS_OF]
    return found


def authenticated(auth_time: float) -> dict[str, int]:
    """Return when the person was seen to authenticate (Core §2); nothing where nobody knows."""
    return {AUTH_TIME: int(auth_time)} if auth_time > UNKNOWN else {}


def agreed_scope(scope: tuple[str, ...], asked: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Return what a person has to agree to: the scope, and those that the named claims belong to.

    Args:
        scope: as asked for.
        asked: ``ClaimsRequest.kept``, or None.
    """
    if not asked:
        return scope
    more = (_SCOPE_OF[name] for place in (ID_TOKEN, USERINFO) for name in asked.get(place, ()))
    return tuple(dict.fromkeys((*scope, *more)))


def read(text: str | None, acr_values: str | None, client: Client) -> ClaimsRequest:
    """Return a claims request (Core §5.5), ``acr_values`` (§3.1.2.1) among it.

    Unknown members and claims are ignored, and so are claims of scopes that the client is not
    registered for.

    Args:
        text: the ``claims`` parameter.
        acr_values: that parameter; it is voluntary, so any value will do.
        client: who asks.

    Raises:
        InvalidRequest: it is no JSON object of the form that §5.5 describes.
        UnmetAuthenticationRequirements: an ``acr`` is essential that we do not have.
    """
    kept: dict[str, Any] = {ACR: True} if acr_values else {}
    if text is None:
        return ClaimsRequest(kept or None)
    places = {place: _place(text, place) for place in (ID_TOKEN, USERINFO)}
    for place, asked in places.items():
        names = [name for name in asked if _SCOPE_OF.get(name) in client.scopes]
        if names:
            kept[place] = names
    if ACR in places[ID_TOKEN]:
        _must_be_met(places[ID_TOKEN][ACR])
        kept[ACR] = True
    if places[ID_TOKEN].get(AUTH_TIME, {}).get("essential"):
        kept[AUTH_TIME] = True
    return ClaimsRequest(kept or None, _subject(places))


def _place(text: str, place: str) -> dict[str, dict[str, Any]]:
    """Return the claims asked for in a place: name → what is asked of it."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidRequest("claims is not JSON") from None
    asked = document.get(place) if isinstance(document, dict) else text
    if asked is None:
        return {}
    if not isinstance(asked, dict):
        raise InvalidRequest("claims must be a JSON object of JSON objects")
    return {name: _one(wish) for name, wish in asked.items()}


def _one(wish: object) -> dict[str, Any]:
    """Core §5.5.1: null, or an object with ``essential``, ``value``, ``values``."""
    if wish is None:
        return {}
    good = (
        isinstance(wish, dict)
        and isinstance(wish.get("essential", False), bool)
        and isinstance(wish.get("values", []), list)
    )
    if not good or not isinstance(wish, dict):
        raise InvalidRequest("claims holds a claim that is neither null nor a fitting object")
    return wish


def _must_be_met(wish: Mapping[str, Any]) -> None:
    """Refuse an essential ``acr`` of other values (Unmet Authentication Requirements 1.0)."""
    values = wish.get("values", [wish["value"]] if "value" in wish else [v.ACR])
    if wish.get("essential") and v.ACR not in values:
        raise UnmetAuthenticationRequirements


def _subject(places: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str | None:
    """Core §5.5.1: a ``sub`` with a value names who has to be signed in."""
    values = {
        wish["sub"]["value"]
        for wish in places.values()
        if isinstance(wish.get("sub", {}).get("value"), str)
    }
    if len(values) > 1:
        raise InvalidRequest("claims names two subjects")
    if any(len(value) > _MAX_SUBJECT or not value.isprintable() for value in values):
        raise InvalidRequest("claims names a subject that cannot be one")
    return next(iter(values), None)
