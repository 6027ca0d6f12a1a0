"""Forms: what a field is, what stands in it, and reading it. What may be is judged elsewhere."""

import json
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from starlette.datastructures import FormData, UploadFile

from broker.app.client_rules import Fault
from broker.app.community_names import Guilds, guild_ids
from broker.core import client_keys, durations
from broker.core.documents import parse

Look = Literal[
    "text",
    "lines",
    "time",
    "flag",
    "choice",
    "several",
    "document",
    "keys",
    "guilds",
    "names",
    "translations",
]
FILE: Final = "-file"  # what ends the name of the file that may be given in place of a text


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a form.

    Attributes:
        name: of the attribute.
        label: what people read.
        help: what it means.
        look: how it is asked for.
        choices: value → words, for choices.
        optional: whether a choice left empty is None, not an empty text.
    """

    name: str
    label: str
    help: str
    look: Look = "text"
    choices: Mapping[str, str] | None = None
    optional: bool = True

    def offered(self, value: Any) -> dict[str, str]:
        """Return what can be chosen: what is on, and what was chosen when it still was."""
        held = value if self.look == "several" else ((value,) if value else ())
        return dict(self.choices or {}) | {
            one: f"{one} (not known here)" for one in held if one not in (self.choices or {})
        }

    def rows(self, value: str) -> int:
        """Return how many lines of a text there is room for."""
        return min(max(3, value.count("\n") + 1), 16)


Groups = Mapping[str, tuple[Field, ...]]
"""Legend → fields."""


def each(groups: Groups) -> Iterable[Field]:
    """Return all fields."""
    return (field for group in groups.values() for field in group)


@dataclass(frozen=True, slots=True)
class Section:
    """A group of a long form, which can be folded.

    Attributes:
        key: names it in the page.
        title: its legend.
        fields: what it asks for.
        unusual: whether anything in it is not as it is for a new record.
        open: whether it is shown unfolded.
    """

    key: str
    title: str
    fields: tuple[Field, ...]
    unusual: bool
    open: bool


def sections(
    groups: Groups,
    values: Mapping[str, Any],
    usual: Mapping[str, Any],
    wrong: Container[str] = (),
    *,
    first: int,
) -> tuple[Section, ...]:
    """Return a form's groups, folded where nobody has to look.

    Args:
        groups: the fields.
        values: what stands in each field.
        usual: what stands there for a new record.
        wrong: fields with something to correct.
        first: so many groups are unfolded in any case.
    """
    found = []
    for number, (title, asked) in enumerate(groups.items()):
        unusual = any(_text(values.get(one.name)) != _text(usual[one.name]) for one in asked)
        is_open = number < first or unusual or any(one.name in wrong for one in asked)
        found.append(Section(f"section-{number + 1}", title, asked, unusual, is_open))
    return tuple(found)


def _text(value: Any) -> Any:
    """Return what stands in a field, whether it was shown or came from a browser."""
    if isinstance(value, str):
        return value.replace("\r\n", "\n").strip()
    return sorted(value) if isinstance(value, list | tuple) else value


def shown(record: Any, groups: Groups) -> dict[str, Any]:
    """Return what stands in each field."""
    return {one.name: _shown(getattr(record, one.name), one) for one in each(groups)}


def _shown(value: Any, field: Field) -> Any:
    match field.look:
        case "lines" | "guilds":
            return "\n".join(value)
        case "names" | "translations":
            return "\n".join(f"{key} = {text}" for key, text in (value or {}).items())
        case "time":
            return "" if value is None else durations.show(value)
        case "document" | "keys":
            return "" if value is None else json.dumps(value, indent=2, ensure_ascii=False)
    return "" if value is None else value


def typed(form: FormData, groups: Groups) -> dict[str, Any]:
    """Return what stands in each field of a form that came, to be shown again."""
    found: dict[str, Any] = {}
    for field in each(groups):
        match field.look:
            case "flag":
                found[field.name] = form.get(field.name) == "yes"
            case "several":
                found[field.name] = [str(one) for one in form.getlist(field.name)]
            case _:
                found[field.name] = str(form.get(field.name) or "")
    return found


async def with_files(form: FormData, groups: Groups) -> FormData:
    """Return the form with the texts of files in the place of what was typed."""
    pairs: list[tuple[str, str | UploadFile]] = [
        (name, value) for name, value in form.multi_items() if isinstance(value, str)
    ]
    for field in each(groups):
        file = form.get(field.name + FILE)
        if field.look == "keys" and isinstance(file, UploadFile) and file.filename:
            text = (await file.read()).decode("utf-8", "replace")
            pairs = [pair for pair in pairs if pair[0] != field.name] + [(field.name, text)]
    return FormData(pairs)


def taken(
    record: Any, form: FormData, groups: Groups, guilds: Guilds
) -> tuple[dict[str, Any], list[Fault]]:
    """Return the attributes as a form has them, and what of it could not even be read.

    Args:
        record: as it was; what it has chosen may stay, though it is offered no more.
        form: as it came.
        groups: its fields.
        guilds: may be named in it.
    """
    faults: list[Fault] = []
    new: dict[str, Any] = {}
    for field in each(groups):
        try:
            new[field.name] = _taken(form, field, getattr(record, field.name), guilds)
        except ValueError as error:
            faults.append(Fault(field.name, str(error)))
    return new, faults


def _taken(form: FormData, field: Field, before: Any, guilds: Guilds) -> Any:
    text = str(form.get(field.name) or "").strip()
    if reader := _READERS.get(field.look):
        return reader(text)
    if field.look == "guilds":
        return tuple(dict.fromkeys(guild_ids(filter(None, text.splitlines()), guilds)))
    if field.look == "several":
        offered = field.offered(before)
        return tuple(one for one in map(str, form.getlist(field.name)) if one in offered)
    if field.look == "choice" and text not in field.offered(before):
        raise ValueError("choose one")
    return text or (None if field.optional else "")


def _names(text: str, form: str = "ID = NAME") -> dict[str, str]:
    """Return what ``ID = NAME`` on each line comes to."""
    found: dict[str, str] = {}
    for line in filter(str.strip, text.splitlines()):
        key, equals, name = line.partition("=")
        if not equals:
            raise ValueError(f"{line.strip()} is not of the form {form}")
        if key.strip() in found:
            raise ValueError(f"{key.strip()} is there twice")
        found[key.strip()] = name.strip()
    return found


def _keys(text: str) -> Any:
    try:
        return client_keys.set_in(text) if text else None
    except ValueError as error:
        raise ValueError(f"is no JWK Set in JSON: {error}") from None


_READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "lines": lambda text: tuple(dict.fromkeys(text.split())),
    "names": _names,
    "translations": lambda text: _names(text, "client_name#ko = TEXT") or None,
    "flag": lambda text: text == "yes",
    "time": lambda text: int(durations.parse(text)) if text else None,
    "document": lambda text: parse(text) if text else None,
    "keys": _keys,
}


def by_field(found: Iterable[Fault]) -> dict[str, list[str]]:
    """Return the reasons at each field."""
    told: dict[str, list[str]] = {}
    for fault in found:
        told.setdefault(fault.field, []).append(fault.reason)
    return told
