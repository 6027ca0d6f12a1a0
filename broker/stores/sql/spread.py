"""Frozen records spread over columns: the fields without a column of their own are in ``more``.

What a newer version has put there is passed by in reading, and kept in editing: an edit by an older
one, while both run, must not take away a restriction that it does not know.
"""

from dataclasses import asdict, fields
from typing import Any

from sqlmodel import SQLModel


class Spread:
    """Says which field of a record is where in its row.

    Args:
        kind: a frozen dataclass.
        table: its table, with a JSON column ``more``.
    """

    def __init__(self, kind: type[Any], table: type[SQLModel]) -> None:
        columns = set(table.model_fields)
        found = fields(kind)
        self._own = tuple(field.name for field in found if field.name in columns)
        self._more = {field.name: field.default for field in found if field.name not in columns}
        self._lists = frozenset(field.name for field in found if "tuple" in str(field.type))

    def columns(self, record: Any, former: Any = None) -> dict[str, Any]:
        """Return the row's columns; defaults are left out of ``more``.

        Args:
            record: what is to be written.
            former: the row that it replaces, or None.
        """
        values = asdict(record)
        more = self._unknown(former) | {
            name: list(values[name]) if name in self._lists else values[name]
            for name, default in self._more.items()
            if values[name] != default
        }
        own = {n: list(values[n]) if n in self._lists else values[n] for n in self._own}
        return own | {"more": more}

    def values(self, row: SQLModel) -> dict[str, Any]:
        """Return the record's fields; what a newer version has put into ``more`` is passed by."""
        more: dict[str, Any] = row.more or {}  # type: ignore[attr-defined]
        values = {name: getattr(row, name) for name in self._own}
        values |= {name: more.get(name, default) for name, default in self._more.items()}
        return values | {name: tuple(values[name]) for name in self._lists}

    def _unknown(self, row: Any) -> dict[str, Any]:
        more: dict[str, Any] = (row and row.more) or {}
        return {name: value for name, value in more.items() if name not in self._more}

    def changed(self, row: SQLModel, columns: dict[str, Any]) -> list[str]:
        """Return the names of the fields in which the row differs from these columns."""
        known: dict[str, Any] = row.more or {}  # type: ignore[attr-defined]
        wanted = columns["more"]
        own = [name for name in self._own if getattr(row, name) != columns[name]]
        return own + [name for name in self._more if known.get(name) != wanted.get(name)]
