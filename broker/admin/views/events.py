"""Audit events as pages list them: people and apps by their names, moments as moments."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from broker.admin.views import details
from broker.admin.views.details import Names
from broker.core.model import AuditEvent
from broker.stores.sql.facade import SqlStores
from broker.stores.sql.records import AuditEntry


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


async def lines(
    entries: Iterable[AuditEntry], sql: SqlStores, provider: Callable[[str], str]
) -> tuple[EventLine, ...]:
    """Return events as pages list them; three reads of SQL, however many they are.

    Args:
        entries: the events.
        sql: where names are looked up; whoever is gone keeps the beginning of their identifier.
        provider: returns what people call an upstream.

    Raises:
        StoreUnavailable: SQL does not answer.
    """
    events = [entry.event for entry in entries]
    people = {name for one in events for name in (one.account_id, *details.people(one)) if name}
    apps = {name for one in events for name in (one.client_id, *details.apps(one)) if name}
    names = Names(
        await sql.accounts.names(people),
        await sql.clients.names(apps),
        await sql.guilds.registered(),
        provider,
    )
    return tuple(_line(one, names) for one in events)


def _line(event: AuditEvent, names: Names) -> EventLine:
    account_id, client_id = event.account_id or "", event.client_id or ""
    return EventLine(
        event.at,
        event.kind,
        details.in_words(event.kind),
        event.actor,
        account_id,
        names.person(account_id) if account_id else "",
        client_id,
        names.app(client_id),
        details.told(event, names),
    )
