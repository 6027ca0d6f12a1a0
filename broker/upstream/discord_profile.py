"""What ``/users/@me`` says of a person, judged field by field.

Source: Discord's API v10, "User Object".
"""

import re
from collections.abc import Collection, Mapping
from typing import Any, Final

from broker.core.errors import UpstreamRejected
from broker.core.model import Profile
from broker.upstream import fields
from broker.upstream.fields import matching

SNOWFLAKE: Final = re.compile(r"[1-9][0-9]{0,19}", re.ASCII)
AVATAR: Final = re.compile(r"(a_)?[0-9a-zA-Z]{1,64}", re.ASCII)
KEPT: Final = ("discriminator", "avatar", "mfa_enabled")


def profile_of(
    user: Mapping[str, Any], cdn_url: str, scope: Collection[str] = frozenset()
) -> Profile:
    """Return the profile in a user object.

    Args:
        user: the JSON of ``/users/@me``.
        cdn_url: base of avatar addresses, without a trailing slash.
        scope: what was granted, as far as that is known here.

    Raises:
        UpstreamRejected: it names no person: a bot, a system account, no identifier or no name.
    """
    if user.get("bot") or user.get("system"):
        raise UpstreamRejected(
            "This Discord account belongs to a program, not to a person",
            private="discord: a bot or system account",
        )
    subject = snowflake(user.get("id"))
    username = fields.name(user.get("username"))
    if not username:
        raise UpstreamRejected(private="discord: users/@me without a username")
    email = fields.email(user.get("email"))
    return Profile(
        upstream="discord",
        subject=subject,
        username=username,
        display_name=fields.name(user.get("global_name")) or username,
        email=email,
        # Discord's field speaks of the e-mail; anything but a plain true is no.
        email_verified=email is not None and user.get("verified") is True,
        picture=avatar_url(user, subject, cdn_url),
        locale=fields.locale(user.get("locale")),
        raw={name: user[name] for name in KEPT if _is_plain(user.get(name))},
        # Without the scope Discord leaves the field out; with it and without an address it is null.
        email_read="email" in user or "email" in scope,
    )


def _is_plain(value: Any) -> bool:
    return isinstance(value, bool) or (isinstance(value, str) and value.isprintable())


def snowflake(value: Any) -> str:
    """Return the identifier of a person: a 64-bit integer, written as a decimal string.

    Raises:
        UpstreamRejected: it is not one.
    """
    text = matching(SNOWFLAKE, value)
    if text is None or int(text) >= 2**64:
        raise UpstreamRejected(private="discord: users/@me without a sound id")
    return text


def avatar_url(user: Mapping[str, Any], subject: str, cdn_url: str) -> str:
    """Return the address of the person's avatar, or of the one that Discord shows in its place.

    Source: Discord's API v10, "Image Formatting": animated ones begin with ``a_``; the default is
    chosen by the snowflake, for names of the old kind by the discriminator.
    """
    avatar = matching(AVATAR, user.get("avatar"))
    if avatar is not None:
        ending = "gif" if avatar.startswith("a_") else "png"
        return f"{cdn_url}/avatars/{subject}/{avatar}.{ending}"
    old = matching(re.compile(r"[0-9]{4}", re.ASCII), user.get("discriminator"))
    number = int(old) % 5 if old and old != "0000" else (int(subject) >> 22) % 6
    return f"{cdn_url}/embed/avatars/{number}.png"
