"""What operators see of accounts, clients and the audit log, apart from the tables."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from broker.core.apis import Api
from broker.core.community.registry import Guild
from broker.core.model import AuditEvent, Client, JsonValue

# What the outbox carries. Handlers read the account's facts anew: the payload is a pointer.
ACCOUNT_ENDED: Final = "account.ended"  # put the facts, end every session, code and grant
ACCOUNT_CHANGED: Final = "account.changed"  # put the facts
# Put the facts, end what the payload's client may do for the account and began up to that moment.
CONSENT_WITHDRAWN: Final = "consent.withdrawn"
ACCOUNT_ERASED: Final = "account.erased"  # end and forget everything: there are no facts any more
# Put the facts, end the sessions that the payload's upstream vouched for up to that moment.
IDENTITY_UNLINKED: Final = "identity.unlinked"


@dataclass(frozen=True, slots=True)
class IdentityRecord:
    """How an upstream knows an account.

    Attributes:
        upstream: its name, ``discord``.
        subject: its identifier of the person (Discord: the snowflake).
        username: the login name it gave last.
        created_at: when we first saw it.
        last_seen_at: when it last signed in.
    """

    upstream: str
    subject: str
    username: str
    created_at: float
    last_seen_at: float


@dataclass(frozen=True, slots=True)
class AccountRecord:
    """An account as operators see it; times in UTC seconds.

    Attributes:
        account_id: the identifier inside the broker.
        sub: the subject identifier that clients see.
        version: grows with each change of its facts.
        created_at, updated_at, last_sign_in_at: its history.
        disabled_at: since when it is switched off, or None.
        disabled_reason: what the operator wrote, or None.
        not_before: sessions and grants begun before this are dead.
        name, username, picture, email, email_verified, locale: the profile.
        delete_at: when it will be deleted, or None.
        delete_by: who wants that: ``person`` or ``operator``; None where that is not known.
        identities: who may sign in to it.
        consents: client_id → scope.
    """

    account_id: str
    sub: str
    version: int
    created_at: float
    updated_at: float
    last_sign_in_at: float
    disabled_at: float | None
    disabled_reason: str | None
    not_before: float
    name: str
    username: str
    picture: str | None
    email: str | None
    email_verified: bool
    locale: str | None
    delete_at: float | None = None
    delete_by: str | None = None
    identities: tuple[IdentityRecord, ...] = ()
    consents: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BanRecord:
    """What is left of an account that was switched off, and deleted since; times in UTC seconds.

    Attributes:
        account_id: the identifier that it had.
        since: when it was switched off.
        reason: what the operator wrote, or None.
        kept_at: when it was deleted.
        identities: who may not sign in: upstream and its identifier of the person.
    """

    account_id: str
    since: float
    reason: str | None
    kept_at: float
    identities: tuple[tuple[str, str], ...]

    @property
    def name(self) -> str:
        """What there is to call the person by."""
        return ", ".join(f"{upstream} {subject}" for upstream, subject in self.identities)


@dataclass(frozen=True, slots=True)
class ClientRecord:
    """A client and the history of its row.

    Attributes:
        client: what the core works with.
        version: grows with each edit; an edit names the version it was made from.
        created_at, updated_at: UTC seconds.
        removed_at: when it was removed, or None.
    """

    client: Client
    version: int
    created_at: float
    updated_at: float
    removed_at: float | None = None


@dataclass(frozen=True, slots=True)
class ApiRecord:
    """An API and the history of its row.

    Attributes:
        api: what the core works with.
        version: grows with each edit; an edit names the version it was made from.
        created_at, updated_at: UTC seconds.
    """

    api: Api
    version: int
    created_at: float
    updated_at: float


@dataclass(frozen=True, slots=True)
class GuildRecord:
    """A guild and the history of its row.

    Attributes:
        guild: what the core works with.
        version: grows with each edit; an edit names the version it was made from.
        created_at, updated_at: UTC seconds.
    """

    guild: Guild
    version: int
    created_at: float
    updated_at: float


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """A kept event and its number in the log, which grows."""

    number: int
    event: AuditEvent


@dataclass(frozen=True, slots=True)
class OutboxItem:
    """A change that must still be carried to Redis.

    Attributes:
        number: its place in the outbox; it grows.
        kind: ``account.ended``, ``account.changed``, ``account.erased``, ``consent.withdrawn``,
            ``identity.unlinked``.
        payload: ``account_id`` and ``version``, with ``not_before``, or ``client_id``, ``at`` and
            ``consented``, or ``upstream`` and ``at``; and ``since_stays`` where it tells of a past
            moment, and what was begun since goes on.
        created_at: when the change was committed, UTC seconds.
        attempts: how often it was taken, this time included.
    """

    number: int
    kind: str
    payload: Mapping[str, JsonValue]
    created_at: float
    attempts: int
