"""Taking in clients from a file: what each entry says, what it changes, what is wrong with it.

Nothing is changed here: a plan is made, all entries are judged, and only then is it carried out.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from broker.app.problems import Problem, Refused
from broker.app.registration import faults
from broker.app.settings import Settings
from broker.core import registration, translations
from broker.core import vocabulary as v
from broker.core.apis import Api
from broker.core.clients import digest
from broker.core.enrolment import WITH_SECRET
from broker.core.errors import InvalidClientMetadata, ProtocolError
from broker.core.kinds import Document
from broker.core.model import Client, ClientSecret
from broker.core.pkce import encode
from broker.core.ports import Entropy
from broker.core.redirects import web_origins
from broker.stores.sql.records import ClientRecord

MOST: Final = 1000  # entries: what one transaction takes well
HIDDEN: Final = frozenset(("secrets", "registration_digest"))


@dataclass(frozen=True, slots=True)
class Change:
    """What one entry of the file comes to.

    Attributes:
        number: of the entry, from 1.
        client: the registration as it is to be.
        before: as it is, or None for a new one.
        secret: a secret that was made for it, or None.
    """

    number: int
    client: Client
    before: ClientRecord | None = None
    secret: str | None = None

    @property
    def kind(self) -> str:
        """``new``, ``changed`` or ``unchanged``."""
        if self.before is None:
            return "new"
        return "unchanged" if self.before.client == self.client else "changed"

    @property
    def differences(self) -> tuple[tuple[str, Any, Any], ...]:
        """Member, value before and value after, as far as they differ; of digests no value."""
        if self.before is None:
            return ()
        old = registration.document(self.before.client)
        new = registration.document(self.client)
        found = [
            (name, field.name)
            for field in fields(Client)
            if getattr(self.before.client, field.name) != getattr(self.client, field.name)
            for name in self._members(field.name, old, new)
        ]
        return tuple(
            (name, None, None) if field in HIDDEN else (name, old.get(name), new.get(name))
            for name, field in found
        )

    def _members(self, field: str, old: Document, new: Document) -> Iterable[str]:
        if field != registration.TRANSLATIONS.field:
            return (registration.NAMES[field],)
        names = filter(translations.is_one, {**old, **new})
        return (name for name in names if old.get(name) != new.get(name))


@dataclass(frozen=True, slots=True)
class Plan:
    """What a file comes to.

    Attributes:
        changes: one for each entry.
    """

    changes: tuple[Change, ...]

    @property
    def added(self) -> tuple[Client, ...]:
        """The new ones."""
        return tuple(one.client for one in self.changes if one.before is None)

    @property
    def edited(self) -> tuple[tuple[Client, int], ...]:
        """Those that change, with the version each was read at."""
        return tuple(
            (one.client, one.before.version)
            for one in self.changes
            if one.before is not None and one.kind == "changed"
        )

    def named(self, kind: str) -> tuple[str, ...]:
        """Return the client_ids of a kind of change."""
        return tuple(one.client.client_id for one in self.changes if one.kind == kind)


def plan(
    entries: Sequence[Any],
    records: Iterable[ClientRecord],
    settings: Settings,
    *,
    apis: Iterable[Api],
    update: bool,
    now: float,
    entropy: Entropy,
) -> Plan:
    """Return what the entries of a file come to.

    Args:
        entries: of the file.
        records: every client there is, removed ones too.
        settings: what may be registered.
        apis: the registered ones, whose scopes clients may have.
        update: whether clients that exist are changed.
        now: UTC seconds.
        entropy: makes secrets.

    Raises:
        Refused: with every problem of every entry, each named by its number and client_id.
    """
    if len(entries) > MOST:
        raise Refused(Problem("the file", f"at most {MOST} clients at once; part it"))
    scopes = {*v.PERSONAL_SCOPES, *(scope for api in apis for scope in api.scopes)}
    known = {record.client.client_id: record for record in records}
    changes: list[Change] = []
    problems: list[Problem] = []
    seen: dict[str, int] = {}
    for number, entry in enumerate(entries, 1):
        label = _label(number, entry)
        try:
            change = _change(number, entry, known, now, entropy)
        except ProtocolError as error:
            problems.append(Problem(label, error.public))
            continue
        first = seen.setdefault(change.client.client_id, number)
        reasons = [*_against(change, first, settings, update=update), *_slips(change, scopes)]
        problems += [Problem(label, reason) for reason in reasons]
        changes.append(change)
    if problems:
        raise Refused(*problems)
    return Plan(tuple(changes))


def _change(
    number: int, entry: Any, known: Mapping[str, ClientRecord], now: float, entropy: Entropy
) -> Change:
    if not isinstance(entry, dict):
        raise InvalidClientMetadata("is no JSON object")
    if entry.get("client_secret") is not None:
        raise registration.wrong(
            "client_secret",
            "is not taken in, only client_secret_digests; without them a new one is made",
        )
    client = registration.read(entry)
    if client.public and registration.NAMES["origins"] not in entry:
        client = replace(client, origins=web_origins(client))
    before = known.get(client.client_id)
    if before is not None:
        client = _with_digests_of(before.client, client, entry)
    if client.auth_method not in WITH_SECRET or client.secrets:
        return Change(number, client, before)
    secret = encode(entropy.token(32))
    kept = ClientSecret(digest(secret), now)
    return Change(number, replace(client, secrets=(kept,)), before, secret)


def _with_digests_of(old: Client, new: Client, entry: Mapping[str, Any]) -> Client:
    """Return the new registration with the digests that its entry is silent about."""
    if registration.SECRETS.name not in entry and new.auth_method in WITH_SECRET:
        new = replace(new, secrets=old.secrets)
    if registration.ACCESS.name not in entry:
        new = replace(new, registration_digest=old.registration_digest)
    return new


def _against(change: Change, first: int, settings: Settings, *, update: bool) -> Iterable[str]:
    """Yield what speaks against a change."""
    before = change.before
    if first != change.number:
        yield f"client_id: entry {first} has it too"
    if before is not None and before.removed_at is not None:
        yield "client_id: is that of a client that was removed, and is never given again"
    elif change.kind == "changed" and not update:
        yield "exists and differs; --update would change it"
    for fault in faults(change.client, settings):
        yield registration.told(fault.field, fault.reason)


def _slips(change: Change, scopes: Collection[str]) -> Iterable[str]:
    """Yield what is well-formed and yet nothing that is known here."""
    for scope in change.client.scopes if change.kind != "unchanged" else ():
        if scope not in scopes:
            yield f"scope: {scope} is neither one of ours nor of a registered API"


def _label(number: int, entry: Any) -> str:
    client_id = entry.get("client_id") if isinstance(entry, dict) else None
    return f"entry {number}" + (f" ({client_id})" if _is_sayable(client_id) else "")


def _is_sayable(text: Any) -> bool:
    return isinstance(text, str) and text.isprintable()
