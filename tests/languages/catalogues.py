"""The catalogues of the pages: what is to be said, and how each language says it.

``python -m tests.languages.catalogues`` writes what is to be said into the template, and what is
new of it into every catalogue, untranslated.
"""

from importlib.metadata import entry_points
from io import BytesIO
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po

ROOT: Final = Path(__file__).parent.parent.parent
FOLDER: Final = ROOT / "broker" / "web" / "locales"
TEMPLATE: Final = FOLDER / "messages.pot"
PAGES: Final = ROOT / "broker" / "web" / "pages"
_CALLS: Final = {"Text": None, "Counted": (1, 2), "gettext": None, "_": None, "ngettext": (1, 2)}
# The door of the operator console is in English.
ENGLISH: Final = frozenset(("door.html",))


def found() -> Catalog:
    """Return all that is to be said, from the pages and the code."""
    catalogue = Catalog(project="Token Broker", charset="utf-8", fuzzy=False)
    catalogue.header_comment = "# What the pages say, in English: copy it to TAG.po and translate."
    for path in sorted(PAGES.glob("*.html")):
        if path.name not in ENGLISH:
            _add(catalogue, path, "jinja2")
    for layer in ("core", "web"):
        for path in sorted((ROOT / "broker" / layer).rglob("*.py")):
            _add(catalogue, path, "python")
    return catalogue


def read(path: Path) -> Catalog:
    """Return a catalogue or the template."""
    return read_po(BytesIO(path.read_bytes()), locale=None if path == TEMPLATE else path.stem)


def written(catalogue: Catalog) -> bytes:
    """Return a catalogue as its file holds it: no line numbers and dates, which always change."""
    out = BytesIO()
    write_po(out, catalogue, width=100, no_location=True, omit_header=False, sort_output=False)
    text = out.getvalue().decode()
    kept = [line for line in text.splitlines() if not line.startswith(_CHANGING)]
    return ("\n".join(kept).rstrip("\n") + "\n").encode()


def translated() -> list[Path]:
    """Return the files of the languages."""
    return sorted(FOLDER.glob("*.po"))


def update() -> None:
    """Bring the template and all catalogues up to date."""
    template = found()
    TEMPLATE.write_bytes(written(template))
    for path in translated():
        catalogue = read(path)
        catalogue.update(template, no_fuzzy_matching=True)
        catalogue.obsolete.clear()
        path.write_bytes(written(catalogue))


_CHANGING: Final = tuple(
    f'"{name}:'
    for name in (
        "POT-Creation-Date",
        "PO-Revision-Date",
        "Last-Translator",
        "Language-Team",
        "Report-Msgid-Bugs-To",
        "Generated-By",
        "Project-Id-Version",
    )
)


def _add(catalogue: Catalog, path: Path, kind: str) -> None:
    method = "python"
    if kind == "jinja2":
        (method,) = (e.load() for e in entry_points(group="babel.extractors") if e.name == kind)
    options = {"newstyle_gettext": "true"}
    with path.open("rb") as file:
        for line, message, comments, context in extract(method, file, _CALLS, options=options):
            if message:
                place = [(str(path.relative_to(ROOT)), line)]
                catalogue.add(message, None, place, auto_comments=comments, context=context)


if __name__ == "__main__":
    update()
