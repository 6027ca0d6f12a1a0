"""The APIs that access tokens are for: what resource indicators and audiences point to.

An access token for registered APIs carries what means something to them: their own scopes, and
those of OpenID Connect and of ours, which mean the same everywhere. For an audience that is not
registered nothing is known, so the scope stays as it was granted. Where nothing is left the token
is issued with an empty scope: it says who comes, and permits nothing; so nothing is ever refused
after a code or a refresh token was spent.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from broker.core import vocabulary as v
from broker.core.client import Client
from keys.model import RS256


@dataclass(frozen=True, slots=True)
class Api:
    """A registered resource server (RFC 8707 §2, RFC 9068 §3).

    Attributes:
        identifier: its resource indicator; access tokens for it say so in ``aud``.
        name: what operators call it.
        access_token_signed_response_alg: the JWS algorithm of access tokens for it.
        scopes: the scopes that mean something to it.
        access_token_lifetime: seconds that access tokens for it live, or None for the client's.
        introspected_by: client_ids that may introspect access tokens for it (RFC 7662 §2.1).
    """

    identifier: str
    name: str
    access_token_signed_response_alg: str = RS256
    scopes: tuple[str, ...] = ()
    access_token_lifetime: int | None = None
    introspected_by: tuple[str, ...] = ()


class Apis(Protocol):
    """Registered APIs, followed from SQL."""

    async def registered(self) -> Mapping[str, Api]:
        """Return every registered API by its identifier; no SQL when they were read lately.

        Raises:
            StoreUnavailable: they were never read, or too long ago, and SQL does not answer.
        """
        ...


def known_scopes(apis: Mapping[str, Api], client: Client) -> frozenset[str]:
    """Return the words that a client may mean by ``scope``: others are unknown here.

    Those of OpenID Connect, those of the registered APIs that it may get tokens for, and our own
    where it is registered for them: other servers have a scope ``groups`` too, and an app that asks
    all of them for it is not refused here.
    """
    found = {*v.SCOPES, *(word for word in v.COMMUNITY_SCOPES if word in client.scopes)}
    for identifier in client.targets:
        api = apis.get(identifier)
        if api is not None:
            found.update(api.scopes)
    return frozenset(found)


def understood(apis: Mapping[str, Api], audiences: tuple[str, ...]) -> frozenset[str] | None:
    """Return the scopes that mean something to the audiences of an access token; None for all."""
    found = set(v.PERSONAL_SCOPES)
    for audience in audiences:
        api = apis.get(audience)
        if api is None:
            return None
        found.update(api.scopes)
    return frozenset(found)


def lifetime(
    apis: Mapping[str, Api], audiences: tuple[str, ...], own: int | None, default: int
) -> int:
    """Return the seconds that an access token lives: the shortest that anybody set.

    Args:
        apis: the registered ones.
        audiences: whom the token is for.
        own: the client's own setting, or None.
        default: for where neither the client nor an API has one.
    """
    of_apis = (apis[one].access_token_lifetime for one in audiences if one in apis)
    return min((set_to for set_to in (own, *of_apis) if set_to), default=default)


def served_by(apis: Mapping[str, Api], audiences: Iterable[str], client: Client) -> bool:
    """Whether a token with these audiences is meant for a client: it is one, or serves an API.

    A client's default audience does not count: it names who takes the tokens of that client, and
    several clients may have the same one.
    """
    return any(
        audience == client.client_id
        or (audience in apis and client.client_id in apis[audience].introspected_by)
        for audience in audiences
    )
