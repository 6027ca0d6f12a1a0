"""Audit events as pages list them: people and apps by their names, moments as moments."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from broker.admin.views.moments import stamp
from broker.core.model import AuditEvent, JsonValue
from broker.stores.sql.facade import SqlStores
from broker.stores.sql.records import AuditEntry

# Parts of an event's detail that are something else than a text.
_ACCOUNT: Final = "operator"
_MOMENT: Final = "at"
_KEYS: Final = ("kid", "signing")
_SHORT: Final = 8  # characters by which an operator knows a key


@dataclass(frozen=True, slots=True)
class EventLine:
    """An event, as pages list it.

    Attributes:
        at: when, UTC seconds.
        kind: its dotted name, by which the log is filtered.
        what: the same in words.
        actor: who did it: ``person``, ``operator``, ``client``, ``system``.
        account_id, account: whom it concerns, and what they are called; empty for nobody.
        client_id, client: which app, and its name; empty for none.
        more: what else is known: a name and a text.
    """

    at: float
    kind: str
    what: str
    actor: str
    account_id: str
    account: str
    client_id: str
    client: str
    more: tuple[tuple[str, str], ...]


async def lines(entries: Iterable[AuditEntry], sql: SqlStores) -> tuple[EventLine, ...]:
    """Return events as pages list them; two reads of SQL, however many they are.

    Args:
        entries: the events.
        sql: where names are looked up; whoever is gone keeps the beginning of their identifier.

    Raises:
        StoreUnavailable: SQL does not answer.
    """
    events = [entry.event for entry in entries]
    people = await sql.accounts.names({name for one in events for name in _people(one)})
    apps = await sql.clients.names({one.client_id for one in events if one.client_id})
    return tuple(_line(one, people, apps) for one in events)


def in_words(kind: str) -> str:
    """Return an event's dotted name as words: ``operator signed in``."""
    return kind.replace(".", " ").replace("_", " ").replace("-", " ")


def _people(event: AuditEvent) -> Iterator[str]:
    if event.account_id:
        yield event.account_id
    if isinstance(operator := event.detail.get(_ACCOUNT), str):
        yield operator


def _line(event: AuditEvent, people: Mapping[str, str], apps: Mapping[str, str]) -> EventLine:
    account_id, client_id = event.account_id or "", event.client_id or ""
    return EventLine(
        event.at,
        event.kind,
        in_words(event.kind),
        event.actor,
        account_id,
        _called(account_id, people),
        client_id,
        apps.get(client_id, client_id),
        tuple((in_words(name), _told(name, value, people)) for name, value in event.detail.items()),
    )


def _called(account_id: str, people: Mapping[str, str]) -> str:
    if not account_id:
        return ""
    return people.get(account_id) or f"{account_id[:_SHORT]}…"


def _told(name: str, value: JsonValue, people: Mapping[str, str]) -> str:
    if name == _ACCOUNT and isinstance(value, str):
        return _called(value, people)
    if name == _MOMENT and isinstance(value, int | float):
        return stamp(value)
    if name in _KEYS and isinstance(value, str):
        return value[:_SHORT]
    return str(value)
