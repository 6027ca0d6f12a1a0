"""Read the HTML forms of a page and fill them in, as a browser without scripts would."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin

_TYPED_BY_PEOPLE = frozenset({"submit", "button", "image", "reset", "file"})


@dataclass(slots=True)
class Form:
    """One form: where it goes, what it sends by itself, and its buttons as (name, value)."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)

    def offers(self, name: str, value: str) -> bool:
        """Say whether there is such a button."""
        return (name, value) in self.buttons

    def pressed(self, name: str, value: str) -> dict[str, str]:
        """Return what is sent when that button is pressed.

        Raises:
            ValueError: the form has no such button.
        """
        if not self.offers(name, value):
            raise ValueError(f"the form has no button {name}={value}, only {self.buttons}")
        return self.fields | {name: value}


class _Reader(HTMLParser):
    def __init__(self, url: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._url = url
        self._open = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a form, or a field of the form that is open."""
        has = {name: value or "" for name, value in attrs}
        if tag == "form":
            action = urljoin(self._url, has.get("action", "")) or self._url
            self.forms.append(Form(action, has.get("method", "get").lower()))
            self._open = True
        elif self._open and tag in {"input", "button"} and "disabled" not in has:
            self._field(tag, has)

    def handle_endtag(self, tag: str) -> None:
        """Close the form."""
        if tag == "form":
            self._open = False

    def _field(self, tag: str, has: dict[str, str]) -> None:
        name, value = has.get("name", ""), has.get("value", "")
        kind = has.get("type", "submit" if tag == "button" else "text").lower()
        if kind == "submit":
            self.forms[-1].buttons.append((name, value))
        elif kind in _TYPED_BY_PEOPLE or not name:
            return
        elif kind not in {"checkbox", "radio"} or "checked" in has:
            self.forms[-1].fields[name] = has.get("value", "on") if kind == "checkbox" else value


def read_forms(html: str, url: str) -> list[Form]:
    """Return the forms of a page in order; `url` is the page's, for relative actions."""
    reader = _Reader(url)
    reader.feed(html)
    reader.close()
    return reader.forms
