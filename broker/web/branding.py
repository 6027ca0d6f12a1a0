"""How one installation looks: its logo, its accent colour, and where it leads people.

An app may have an accent of its own on the pages that speak of it.

An accent is one colour, as it stands on light pages. What stands on it, what it becomes under the
pointer and on dark pages is computed, so that text always has the contrast that WCAG 2.2 §1.4.3
demands (AA: 4.5 to 1).
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from colorsys import hls_to_rgb, rgb_to_hls
from dataclasses import dataclass
from typing import Final, NamedTuple

ENOUGH: Final = 4.5
# What links and icons in the accent colour stand on: ``--card``, ``--page``, ``--tint``.
LIGHT: Final = ("#ffffff", "#f1f4f0", "#f3f7f4")
DARK: Final = ("#171f1c", "#0e1412", "#1d2723")
_WHITE: Final = "#ffffff"
_INK: Final = "#0e1412"
_STEPS: Final = 50  # from a colour to white, or to black
_COLOUR: Final = re.compile(r"#[0-9A-Fa-f]{6}", re.ASCII)


class Logo(NamedTuple):
    """A picture that is served from here.

    Attributes:
        name: what it is called in the package of static files, with its suffix.
        body: the file.
    """

    name: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Look:
    """How pages look.

    Attributes:
        logo: stands in place of our mark, or None.
        accent: a colour, ``#14604f``; empty for ours.
        support, privacy, terms: addresses to lead to; empty for none.
        notice: what stands at the top of every page: the tag of a language, and the text; an empty
            tag is that of all languages that have none.
    """

    logo: Logo | None = None
    accent: str = ""
    support: str = ""
    privacy: str = ""
    terms: str = ""
    notice: tuple[tuple[str, str], ...] = ()

    @property
    def stylesheet(self) -> bytes:
        """What the stylesheet ends with."""
        if not self.accent:
            return b""
        return accented(self.accent)


def accented(accent: str) -> bytes:
    """Return the rules that put an accent in the place of whatever a stylesheet had before."""
    light = _rule(accent, mixed(accent, _INK, 0.2), mixed(LIGHT[1], accent, 0.12))
    lighter = on_dark(accent)
    dark = _rule(lighter, mixed(lighter, _WHITE, 0.3), mixed(DARK[1], lighter, 0.15))
    return f"{light}@media (prefers-color-scheme: dark) {{ {dark}}}\n".encode()


def is_colour(text: str) -> bool:
    """Whether a text is a colour as accents are written, ``#14604f``, and nothing else."""
    return _COLOUR.fullmatch(text) is not None


def readable(accent: str) -> bool:
    """Whether a text is an accent with which everything on light and dark pages can be read."""
    return is_colour(accent) and least(accent) >= ENOUGH and least(on_dark(accent), DARK) >= ENOUGH


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours (WCAG 2.2, contrast ratio): 1 to 21."""
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def least(colour: str, grounds: tuple[str, ...] = LIGHT) -> float:
    """Return the contrast of a colour with the ground that it stands out from least."""
    return min(contrast(colour, ground) for ground in grounds)


def on_dark(colour: str) -> str:
    """Return the colour as it is on dark pages: as much lighter as it has to be."""
    return _towards(1.0, colour, DARK)


def on_light(colour: str) -> str:
    """Return the colour as it could be on light pages: as much darker as it has to be."""
    return _towards(0.0, colour, LIGHT)


def mixed(colour: str, other: str, share: float) -> str:
    """Return a colour with that share of another in it."""
    pairs = zip(_channels(colour), _channels(other), strict=True)
    return _written((a + (b - a) * share) / 255 for a, b in pairs)


def _rule(accent: str, deep: str, glow: str) -> str:
    written = max((_WHITE, _INK), key=lambda one: min(contrast(one, accent), contrast(one, deep)))
    named = {"accent": accent, "accent-deep": deep, "on-accent": written, "glow": glow}
    return f":root {{ {' '.join(f'--{name}: {value};' for name, value in named.items())} }}\n"


def _towards(end: float, colour: str, grounds: tuple[str, ...]) -> str:
    """Return the nearest of the same hue and strength that can be read on the grounds."""
    hue, lightness, strength = rgb_to_hls(*(one / 255 for one in _channels(colour)))

    def after(step: int) -> str:
        there = lightness + (end - lightness) * step / _STEPS
        return _written(hls_to_rgb(hue, there, strength))

    enough = bisect_left(range(_STEPS + 1), ENOUGH, key=lambda step: least(after(step), grounds))
    return after(enough)


def _written(channels: Iterable[float]) -> str:
    return "#" + "".join(f"{round(one * 255):02x}" for one in channels)


def _channels(colour: str) -> Iterator[int]:
    return (int(colour[at : at + 2], 16) for at in (1, 3, 5))


def _luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    linear = [
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in (channel / 255 for channel in _channels(colour))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
