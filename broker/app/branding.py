"""The look of pages, from the settings."""

from collections.abc import Iterator
from typing import Final

from broker.app.settings import Settings
from broker.web.branding import ENOUGH, Logo, Look, least

LARGEST_LOGO: Final = 65536  # bytes
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
    )


def look_faults(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield the fields that pages cannot be made with, each with the reason."""
    if settings.brand_accent:
        found = least(settings.brand_accent)
        if found < ENOUGH:
            reason = f"its contrast on light pages is {found:.1f} to 1, and text needs {ENOUGH}"
            yield "brand_accent", f"{reason} (WCAG 2.2 AA): take a darker one"
    if settings.brand_logo is None:
        return
    try:
        body = settings.brand_logo.read_bytes()
    except OSError as error:
        yield "brand_logo", f"cannot be read: {error.strerror}"
        return
    if len(body) > LARGEST_LOGO:
        yield "brand_logo", f"is larger than {LARGEST_LOGO // 1024} kB"
    elif not body.startswith(_PNG) and b"<svg" not in body:
        yield "brand_logo", "is neither SVG nor PNG"
