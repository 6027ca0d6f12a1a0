"""The languages that pages speak: catalogues, and which of them a person gets.

English stands in the code and the templates. Each file in ``locales/`` says the same in another
language; its name is the language's tag (BCP 47), and adding one is all that a new language takes.
"""

import io
from collections.abc import Iterator, Sequence
from datetime import UTC, timedelta
from gettext import GNUTranslations, NullTranslations
from importlib.resources import files
from typing import Any, Final, Literal

from babel import Locale
from babel.dates import format_date, format_time, format_timedelta
from babel.lists import format_list
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.units import format_unit

from broker.core.texts import Ago, Counted, Day, Listed, Moment, Text, Wait
from broker.web.tongues import Tongue, named

ENGLISH: Final = "en"
_SAID: Final = (Text, Listed, Moment, Wait, Day, Ago, Tongue)
_LONGEST: Final = 400  # characters of a wish that are read


class Speech:
    """Says texts in one language.

    Args:
        tag: the language (BCP 47).
        catalogue: its messages; None for English, which needs none.
    """

    def __init__(self, tag: str, catalogue: GNUTranslations | None = None) -> None:
        self.tag = tag
        self.messages: NullTranslations = catalogue or NullTranslations()
        self._locale = Locale.parse(tag, sep="-")
        self._english = catalogue is None

    def said(self, text: Any) -> Any:
        """Return a text in this language; whatever is no text of ours, a name, as it is."""
        if self._english or not isinstance(text, _SAID):
            return text
        return self._text(text) if isinstance(text, Text) else self._formatted(text)

    def knows(self, text: str) -> bool:
        """Whether it can be said in this language: what is meant for programs cannot."""
        return self._english or isinstance(text, Text)

    def _text(self, text: Text) -> str:
        if isinstance(text, Counted):
            said = self.messages.ngettext(text.message, text.many, text.number)
        else:
            said = self.messages.gettext(text.message)
        return said % self._parts(text) if text.parts else said

    def _formatted(self, text: Listed | Moment | Wait | Day | Ago | Tongue) -> str:
        match text:
            case Tongue():
                return named(text.tag, self._locale)
            case Listed():
                style: Literal["or", "standard"] = "or" if text.last == "or" else "standard"
                names = [self.said(name) for name in text.names]
                return format_list(names, style=style, locale=self._locale)
            case Moment():
                day = format_date(text.then, "long", locale=self._locale)
                time = format_time(text.then, "short", tzinfo=UTC, locale=self._locale)
                return f"{day} {time} UTC"
            case Day():
                return format_date(text.then, "long", locale=self._locale)
            case Ago():
                past = -timedelta(**{f"{text.unit}s": text.number})
                return format_timedelta(
                    past,
                    granularity=text.unit,
                    threshold=1e9,  # no larger unit than that one
                    add_direction=True,
                    locale=self._locale,
                )
            case Wait():
                unit = f"duration-{text.unit}"
                return format_unit(text.number, unit, "long", locale=self._locale)

    def _parts(self, text: Text) -> dict[str, Any]:
        return {name: self.said(part) for name, part in text.parts.items()}


def speeches() -> dict[str, Speech]:
    """Return every language there is a catalogue of, by its tag; English is the first."""
    found = {ENGLISH: Speech(ENGLISH)}
    folder = files("broker.web").joinpath("locales")
    for item in sorted(folder.iterdir(), key=lambda one: one.name):
        tag, dot, suffix = item.name.rpartition(".")
        if dot + suffix == ".po":
            found[tag] = Speech(tag, _compiled(item.read_bytes()))
    return found


def tags() -> tuple[str, ...]:
    """Return the tags of all languages (``ui_locales_supported``), English first."""
    names = (item.name for item in files("broker.web").joinpath("locales").iterdir())
    return ENGLISH, *sorted(name[:-3] for name in names if name.endswith(".po"))


def chosen(known: Sequence[str], ui_locales: str | None, accepted: str | None) -> str:
    """Return the language a person gets, one of those that are known; English failing all else.

    Args:
        known: tags of the languages there are.
        ui_locales: what the app asked for (OpenID Connect Core §3.1.2.1), or None.
        accepted: what the browser did, the Accept-Language header (RFC 9110 §12.5.4), or None.
    """
    by_lower = {tag.lower(): tag for tag in known}
    for wish in (*(ui_locales or "")[:_LONGEST].split(), *_ranked((accepted or "")[:_LONGEST])):
        for shorter in _shortened(wish.lower()):
            if shorter in by_lower:
                return by_lower[shorter]
    return ENGLISH


def _shortened(tag: str) -> Iterator[str]:
    """Yield a tag, then less and less of it (RFC 4647 §3.4)."""
    while tag:
        yield tag
        tag = tag.rpartition("-")[0]


def _ranked(header: str) -> list[str]:
    """Return the languages of an Accept-Language header, the best liked first."""
    found: list[tuple[float, str]] = []
    for item in header.split(","):
        tag, _, weight = item.partition(";")
        try:
            liked = float(weight.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
        if 0 < liked <= 1:
            found.append((-liked, tag.strip()))
    return [tag for _, tag in sorted(found, key=lambda one: one[0])]


def _compiled(catalogue: bytes) -> GNUTranslations:
    """Return a catalogue as gettext reads it; fuzzy messages are left out."""
    compiled = io.BytesIO()
    write_mo(compiled, read_po(io.BytesIO(catalogue)))
    compiled.seek(0)
    return GNUTranslations(compiled)
