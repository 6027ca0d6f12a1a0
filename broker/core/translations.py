"""What people read of a client, in several languages (RFC 7591 §2.2, OIDC Registration §2.1).

A translation is named as in the metadata, ``client_name#ko``: a member, and the tag of a language
(BCP 47). What has none is said as the member without a tag.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from broker.core.client import Client

FIELDS: Final = {
    "client_name": "name",
    "client_uri": "client_uri",
    "logo_uri": "logo_uri",
    "policy_uri": "policy_uri",
    "tos_uri": "tos_uri",
    "support_uri": "support_uri",
}
"""Member → field of ``Client``: of these there may be translations."""

MOST: Final = 50  # languages of one member
LONGEST_TAG: Final = 35  # characters (RFC 5646 §4.4.1)

# RFC 5646 §2.1, without what was registered before it and what is for private use alone.
_TAG: Final = re.compile(
    r"(?:[a-z]{2,3}(?:-[a-z]{3}){0,3}|[a-z]{4,8})"  # language
    r"(?:-[a-z]{4})?"  # script
    r"(?:-(?:[a-z]{2}|[0-9]{3}))?"  # region
    r"(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*"  # variants
    r"(?:-[0-9a-wy-z](?:-[a-z0-9]{2,8})+)*"  # extensions
    r"(?:-x(?:-[a-z0-9]{1,8})+)?",  # of private use
    re.ASCII | re.IGNORECASE,
)


def is_one(name: str) -> bool:
    """Whether a member of the metadata is, or means to be, a translation."""
    member, mark, _ = name.partition("#")
    return bool(mark) and member in FIELDS


def parts(name: str) -> tuple[str, str]:
    """Return the field of ``Client`` and the tag of a translation; a field of nobody's is empty."""
    member, _, tag = name.partition("#")
    return FIELDS.get(member, ""), tag


def faults(found: Mapping[str, str]) -> Iterator[str]:
    """Yield what is wrong with the names of translations."""
    seen: dict[str, set[str]] = {}
    for name in found:
        field, tag = parts(name)
        if not field:
            yield f"of {', '.join(FIELDS)} there may be translations, such as client_name#ko"
            continue
        member, tags = name.partition("#")[0], seen.setdefault(field, set())
        if len(tag) > LONGEST_TAG or not _TAG.fullmatch(tag):
            yield f"{member}#: what follows # must be the tag of a language (BCP 47), such as ko"
        elif tag.lower() in tags:
            yield f"{name}: is there twice (case does not count)"
        elif len(tags) == MOST:
            yield f"{member}#: at most {MOST} languages"
        tags.add(tag.lower())


def spoken(client: Client, field: str, language: str) -> str | None:
    """Return what a client says in a language, else what it says without naming one.

    What is there for the language counts, or for it and less of it (``ko-KR``: ``ko``; RFC 4647
    §3.4), else what is more of it (``ko``: ``ko-KR``; §3.3.1).

    Args:
        client: who says it.
        field: of ``Client``, one of ``FIELDS``.
        language: the tag of the language that a page speaks.
    """
    untagged: str | None = getattr(client, field)
    if not client.translations:
        return untagged
    named = ((*parts(name), text) for name, text in client.translations.items())
    by_tag = {tag.lower(): text for found, tag, text in named if found == field}
    wanted = language.lower()
    more = (tag for tag in by_tag if tag.startswith(f"{wanted}-"))
    for tag in (*_shortened(wanted), *more):
        if tag in by_tag:
            return by_tag[tag]
    return untagged


def _shortened(tag: str) -> Iterator[str]:
    while tag:
        yield tag
        tag = tag.rpartition("-")[0]
