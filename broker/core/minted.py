"""What tokens of ours say when they come back: records, and how their claims are read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from broker.core.errors import InvalidToken


@dataclass(frozen=True, slots=True)
class AccessToken:
    """An access token of ours, verified.

    Attributes:
        account_id, grant_id: out of its ``jti``; the account is ``handles.NOBODY`` where a client
            acts for itself, and the grant then only names the token.
        client_id, scope: as its claims say.
        audience: its ``aud``, always a tuple here.
        unique: what tells it from the other tokens of its grant.
        claims: all of it.
    """

    account_id: str
    grant_id: str
    client_id: str
    scope: tuple[str, ...]
    audience: tuple[str, ...]
    unique: int = 0
    claims: Mapping[str, Any] = field(default_factory=dict)

    @property
    def jkt(self) -> str | None:
        """Thumbprint of the DPoP key it is bound to, or None (RFC 9449 §6.1)."""
        found = self.claims.get("cnf")
        return found.get("jkt") if isinstance(found, dict) else None


@dataclass(frozen=True, slots=True)
class Hint:
    """An ID token of ours given back as a hint; perhaps expired."""

    sub: str
    client_id: str
    sid: str | None


def text(claims: Mapping[str, Any], name: str) -> str:
    """Return a claim that has to be text.

    Raises:
        InvalidToken: it is missing or something else.
    """
    value = claims.get(name)
    if not isinstance(value, str):
        raise InvalidToken(private=f"{name} is missing or not text")
    return value


def named_audience(value: object) -> tuple[str, ...]:
    """Return ``aud`` as a tuple (RFC 7519 §4.1.3).

    Raises:
        InvalidToken: it is missing or not text.
    """
    names = value if isinstance(value, list) else [value]
    if not names or not all(isinstance(name, str) for name in names):
        raise InvalidToken(private="aud is missing or not text")
    return tuple(names)


def seconds(value: object) -> float:
    """Return a claim that has to be a time, in UTC seconds.

    Raises:
        InvalidToken: it is missing or no number.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise InvalidToken(private="a time is missing or not a number")
    return value
