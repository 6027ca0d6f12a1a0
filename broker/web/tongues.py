"""Languages of people, by their names."""

from typing import Final, Self

from babel import Locale

ENGLISH: Final = Locale("en")


class Tongue(str):
    """A language by its name: ``Swedish`` for ``sv-SE``; a tag that nobody knows stays as it is.

    Args:
        tag: the language (BCP 47).
    """

    __slots__ = ("tag",)

    tag: str

    def __new__(cls, tag: str) -> Self:
        """Make it."""
        made = super().__new__(cls, named(tag, ENGLISH))
        made.tag = tag
        return made


def named(tag: str, locale: Locale) -> str:
    """Return what a language is called in another."""
    for known in (tag.replace("-", "_"), tag.partition("-")[0].lower()):
        if name := locale.languages.get(known):
            return str(name)
    return tag
