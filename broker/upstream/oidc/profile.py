"""What an OpenID provider says of a person (OpenID Connect Core §5.1)."""

from collections.abc import Mapping
from typing import Any

from broker.core.model import Profile
from broker.upstream import fields


def profile_of(
    claims: Mapping[str, Any], *, upstream: str, subject: str, email_read: bool, plain: bool
) -> Profile:
    """Return the profile in claims, each taken as it should be, or not at all.

    Args:
        claims: of the ID token, and of userinfo where that was asked.
        upstream: the upstream's name.
        subject: what the person is known by there.
        email_read: whether the address could be seen at all.
        plain: whether pictures may be plain http: where the upstream is on this machine.
    """
    username = _first(claims, "preferred_username", "nickname", "name") or _called(claims)
    email = fields.email(claims.get("email"))
    locale = claims.get("locale")
    return Profile(
        upstream=upstream,
        subject=subject,
        username=username or "someone",
        display_name=_first(claims, "name") or _called(claims) or username or "Someone",
        email=email,
        # Anything but a plain true is no: a text "true" is not what the specification says.
        email_verified=email is not None and claims.get("email_verified") is True,
        picture=fields.picture(claims.get("picture"), plain=plain),
        # Providers write en_US too (Core §5.1).
        locale=fields.locale(locale.replace("_", "-") if isinstance(locale, str) else None),
        raw={"iss": claims["iss"]},
        email_read=email_read or email is not None,
    )


def lacks_profile(claims: Mapping[str, Any]) -> bool:
    """Whether claims say nothing of how the person is called."""
    return not (_first(claims, "name", "preferred_username", "nickname") or _called(claims))


def _called(claims: Mapping[str, Any]) -> str:
    """Return given and family name, as far as they are told."""
    return " ".join(filter(None, (_first(claims, n) for n in ("given_name", "family_name"))))


def _first(claims: Mapping[str, Any], *names: str) -> str:
    return next((found for name in names if (found := fields.name(claims.get(name)))), "")
