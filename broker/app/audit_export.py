"""The audit log to take away: a JSON object a line, or a sheet."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from broker.core.moments import stamp
from broker.stores.sql.records import AuditEntry

COLUMNS: Final = ("number", "at", "kind", "actor", "account_id", "client_id", "detail")
# A spreadsheet takes a cell that begins so for a formula.
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def facts(entry: AuditEntry) -> dict[str, Any]:
    """Return an entry as scripts want it, the names those of ``COLUMNS``."""
    event = entry.event
    return {
        "number": entry.number,
        "at": stamp(event.at),
        "kind": event.kind,
        "actor": event.actor,
        "account_id": event.account_id,
        "client_id": event.client_id,
        "detail": event.detail,
    }


def line(entry: AuditEntry) -> str:
    """Return an entry as a JSON object, the line ended."""
    return json.dumps(facts(entry), ensure_ascii=False) + "\n"


def head() -> str:
    """Return the first row of a sheet: what its columns are."""
    return _row(COLUMNS)


def row(entry: AuditEntry) -> str:
    """Return an entry as a row of a sheet, its detail as JSON; no cell is a formula."""
    found = facts(entry)
    found["detail"] = json.dumps(found["detail"], ensure_ascii=False)
    return _row(_cell(found[name]) for name in COLUMNS)


def lines(entries: Iterable[AuditEntry]) -> Iterator[str]:
    """Yield a JSON object a line."""
    yield from map(line, entries)


def sheet(entries: Iterable[AuditEntry]) -> Iterator[str]:
    """Yield the rows of a sheet, its head first."""
    yield head()
    yield from map(row, entries)


FORMS: Final[dict[str, Callable[[Iterable[AuditEntry]], Iterator[str]]]] = {
    "jsonl": lines,
    "csv": sheet,
}


def _row(cells: Iterable[Any]) -> str:
    written = io.StringIO()
    csv.writer(written).writerow(cells)
    return written.getvalue()


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA) else text
