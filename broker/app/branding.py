"""The look of pages, from the settings: which colours they may have, and what they announce."""

from collections.abc import Iterator
from math import floor
from typing import Final

from broker.app.settings import Settings
from broker.web import languages
from broker.web.branding import ENOUGH, Logo, Look, is_colour, least, on_light, readable

LARGEST_LOGO: Final = 65536  # bytes
LONGEST_NOTICE: Final = 300  # characters, in each language
_PNG: Final = b"\x89PNG\r\n\x1a\n"


def look(settings: Settings) -> Look:
    """Return how pages look.

    Raises:
        OSError: the logo cannot be read; ``look_faults`` says so before.
    """
    logo = None
    if settings.brand_logo is not None:
        body = settings.brand_logo.read_bytes()
        logo = Logo("logo.png" if body.startswith(_PNG) else "logo.svg", body)
    return Look(
        logo,
        settings.brand_accent.lower(),
        settings.brand_support,
        settings.brand_privacy,
        settings.brand_terms,
        tuple(notices(settings.notice).items()),
    )


def notices(text: str) -> dict[str, str]:
    """Return what the notice says, by the tag of the language; what has none is under no tag.

    Args:
        text: as set: a line that begins with ``#ko`` begins what it says in that language.
    """
    found: dict[str, str] = {}
    tag = ""
    for line in text.split("\n"):
        words = line.strip()
        if words.startswith("#"):
            tag, _, words = words[1:].partition(" ")
        found[tag] = f"{found.get(tag, '')} {words.strip()}".strip()
    return {tag: said for tag, said in found.items() if tag or said}


def look_faults(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield the fields that pages cannot be made with, each with the reason."""
    if settings.brand_accent and (reason := accent_fault(settings.brand_accent)):
        yield "brand_accent", reason
    yield from (("notice", reason) for reason in _notice_faults(settings.notice))
    if settings.brand_logo is None:
        return
    try:
        body = settings.brand_logo.read_bytes()
    except (OSError, ValueError) as error:  # the second: no path at all
        yield "brand_logo", f"cannot be read: {getattr(error, 'strerror', error)}"
        return
    if len(body) > LARGEST_LOGO:
        yield "brand_logo", f"is larger than {LARGEST_LOGO // 1024} kB"
    elif not body.startswith(_PNG) and b"<svg" not in body:
        yield "brand_logo", "is neither SVG nor PNG"


def _notice_faults(text: str) -> Iterator[str]:
    """Yield what keeps a notice from being shown."""
    found, spoken = notices(text), languages.tags()
    if found and "" not in found:
        yield "begins with what is said in every language; lines that begin with #ko come after it"
    for tag, said in found.items():
        if tag and tag not in spoken:
            yield f"#{tag}: pages speak {', '.join(spoken)}"
        if not said or len(said) > LONGEST_NOTICE or not said.isprintable():
            where = f"#{tag}: " if tag else ""
            yield f"{where}1 to {LONGEST_NOTICE} printable characters"


def accent_fault(accent: str) -> str | None:
    """Return why pages cannot have an accent, or None.

    Text in it has to be readable on light pages; what it is on dark ones is computed so.
    """
    if not is_colour(accent):
        return "must be a colour such as #4752c4: # and six hexadecimal digits"
    if readable(accent):
        return None
    found = floor(least(accent) * 10) / 10
    reason = f"its contrast on light pages is {found} to 1, and text needs {ENOUGH} (WCAG 2.2 AA)"
    return f"{reason}: take a darker one, such as {on_light(accent)}"
