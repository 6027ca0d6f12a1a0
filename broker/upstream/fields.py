"""What upstreams say of people, field by field: each is taken as it should be, or not at all."""

import re
from typing import Any, Final
from urllib.parse import urlsplit

LOCALE: Final = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}", re.ASCII)
EMAIL: Final = re.compile(r"{0}{{1,64}}@{0}{{1,253}}".format(r"[^@\s\x00-\x1f\x7f\ud800-\udfff]"))
ADDRESS: Final = re.compile(r"https?://[\x21-\x7e]{1,2000}", re.ASCII)
TOKEN: Final = re.compile(r"[\x20-\x7e]{1,16384}", re.ASCII)  # RFC 6749 §A.12
MAX_NAME: Final = 100


def name(value: Any) -> str:
    """Return a name without control characters and of bounded length; empty when it is none."""
    if not isinstance(value, str):
        return ""
    kept = "".join(c for c in value if c >= " " and not "\x7f" <= c <= "\x9f")
    return kept.encode("utf-8", "ignore").decode().strip()[:MAX_NAME]


def email(value: Any) -> str | None:
    """Return an e-mail address, or None for what cannot be one."""
    return matching(EMAIL, value)


def locale(value: Any) -> str | None:
    """Return a language tag (BCP 47), or None for what cannot be one."""
    return matching(LOCALE, value)


def picture(value: Any, *, plain: bool = False) -> str | None:
    """Return the address of a picture, or None for what cannot be one.

    Args:
        value: as it was told.
        plain: whether it may be plain http: where the upstream is on this machine.
    """
    address = matching(ADDRESS, value)
    if address is None:
        return None
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    sound = bool(parts.hostname) and "@" not in parts.netloc
    return address if sound and (plain or parts.scheme == "https") else None


def word(value: Any, longest: int = 200) -> str:
    """Return what stands where a word should, for the log; what is no text is only named."""
    sound = isinstance(value, str) and value.isprintable()
    return value[:longest] if sound else f"({type(value).__name__})"


def matching(pattern: re.Pattern[str], value: Any) -> str | None:
    """Return the value if it is text of this form, else None."""
    return value if isinstance(value, str) and pattern.fullmatch(value) else None
