"""Browsers by their User-Agent, as people call them: ``Firefox on Windows``.

Browsers have frozen that header, and pretend to be one another in it: what is left to tell is the
family and the system, so a table of a few words says all that a large library could. Nothing of it
is proven, and nothing goes by it.
"""

from dataclasses import dataclass
from typing import Final

# The first that is found counts: those that pretend to be another stand before it.
_BROWSERS: Final = (
    ("Discord", "Discord"),
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("YaBrowser", "Yandex"),
    ("Whale/", "Whale"),
    ("Vivaldi", "Vivaldi"),
    ("FxiOS", "Firefox"),
    ("Firefox", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome", "Chrome"),
    ("Chromium", "Chromium"),
    ("Safari", "Safari"),
)
_SYSTEMS: Final = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Macintosh", "Mac"),
    ("Linux", "Linux"),
)
_LONGEST: Final = 60  # characters of what is no browser


@dataclass(frozen=True, slots=True)
class Device:
    """What a session is held by; what is not known is empty.

    Attributes:
        browser: ``Firefox``, or what a program calls itself.
        system: ``Windows``.
    """

    browser: str
    system: str = ""

    @property
    def mobile(self) -> bool:
        """Whether it is a telephone or tablet."""
        return self.system in {"iPhone", "iPad", "Android"}


def device(agent: str) -> Device:
    """Return what a User-Agent tells."""
    if not agent.startswith("Mozilla/"):
        return Device(agent[:_LONGEST])
    return Device(_first(_BROWSERS, agent), _first(_SYSTEMS, agent))


def _first(words: tuple[tuple[str, str], ...], agent: str) -> str:
    return next((name for word, name in words if word in agent), "")
