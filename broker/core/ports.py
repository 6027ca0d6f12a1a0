"""What the core needs from outside, as narrow contracts.

A store's step is atomic: it happens whole or not at all, and it answers with a record or with a
``Refusal``; it never raises for a refusal. It raises ``StoreUnavailable`` where it cannot know.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

from broker.core.model import (
    AuditEvent,
    AuthorizationRequest,
    Client,
    Facts,
    Grant,
    PendingRequest,
    Profile,
    Session,
)


class Clock(Protocol):
    """Time, handed in."""

    def now(self) -> float:
        """Return UTC seconds since the epoch."""
        ...


class Entropy(Protocol):
    """Randomness, handed in."""

    def token(self, size: int) -> bytes:
        """Return ``size`` unpredictable bytes."""
        ...


class Refusal(StrEnum):
    """Why an atomic step changed nothing (or, for the two marked, ended a grant)."""

    UNKNOWN = "unknown"  # no such session, code, grant or request
    EXPIRED = "expired"
    FOREIGN = "foreign"  # belongs to another client
    MISMATCH = "mismatch"  # redirect URI or code verifier differ
    REPLAYED = "replayed"  # a code presented twice by its client: its grant was ended
    REUSED = "reused"  # a spent refresh token outside the grace time: its grant was ended
    SCOPE = "scope"  # wider than granted
    RESOURCE = "resource"  # wider than granted
    KEY = "key"  # bound to a DPoP key that the request did not prove
    PROOF = "proof"  # this DPoP proof was used before
    NO_SESSION = "no_session"  # the session is over
    STALE_LOGIN = "stale_login"  # auth_time is older than the request allows
    NO_CONSENT = "no_consent"  # the person has not agreed to this scope for this client
    OTHER_SUBJECT = "other_subject"  # the session is not the one the id_token_hint names
    DISABLED = "disabled"  # the account is switched off
    REVOKED = "revoked"  # this access token was ended by itself
    STALE_FACTS = (
        "stale_facts"  # community facts are missing or older than asked: nothing was spent
    )
    NO_FACTS = "no_facts"  # facts are missing: read them from SQL, put them, try again


@dataclass(frozen=True, slots=True)
class CodeIssued:
    """A code was written."""

    session: Session
    facts: Facts


@dataclass(frozen=True, slots=True)
class CodeRefused:
    """No code was written; ``session`` and ``facts`` are there as far as they are alive."""

    reason: Refusal
    session: Session | None = None
    facts: Facts | None = None


@dataclass(frozen=True, slots=True)
class CodeRequest:
    """What the step that writes a code checks, all in one.

    Attributes:
        account_id, sid, generation: of the session cookie.
        code_id: identifier for the new code.
        request: the validated request; its client, redirect URI, scope, nonce, challenge and
            resources go into the code.
        now: UTC seconds.
        code_lifetime: seconds.
        session_idle: seconds by which using the session prolongs it.
        min_auth_time: the session's auth_time must be at least this (max_age); 0 for any.
        required_consent: the consent that must be on record, or None when none is needed.
        facts: newer facts to put first (after a consent was written to SQL), or None.
    """

    account_id: str
    sid: str
    generation: int
    code_id: str
    request: AuthorizationRequest
    now: float
    code_lifetime: int
    session_idle: int
    min_auth_time: float = 0.0
    required_consent: tuple[str, ...] | None = None
    facts: Facts | None = None


@dataclass(frozen=True, slots=True)
class CommunityWanted:
    """Which community facts a step is to answer with, and how old they may be.

    Attributes:
        standings: ids of guilds.
        listing: whether the list of guilds is wanted too.
        read_after: the step is refused as STALE_FACTS, and changes nothing, where one of them was
            read before this moment (UTC seconds), or never; None for any age, absent ones too.
    """

    standings: tuple[str, ...] = ()
    listing: bool = False
    read_after: float | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """A DPoP proof that was judged (RFC 9449); only ``broker.core.dpop`` makes one.

    Attributes:
        jkt: thumbprint of its key (RFC 7638).
        digest: stands for this very proof.
        ttl: seconds for which it has to be remembered.
    """

    jkt: str
    digest: str
    ttl: int


@dataclass(frozen=True, slots=True)
class CodeRedemption:
    """What the step that spends a code checks, in this order.

    known → client → redirect URI and challenge → DPoP key → proof unused → unspent → unexpired →
    session → account → resources.

    Attributes:
        account_id, code_id: out of the code's handle.
        client_id: the authenticated client.
        redirect_uri: as the token request names it.
        code_challenge: S256 of the verifier presented; None when none was.
        resources: the resources asked for; the code's own may not be exceeded (empty: all of them).
        grant_id: identifier for the new grant.
        now: UTC seconds.
        grant_lifetime, grant_idle: seconds.
        proof: the request's DPoP proof, or None; it is used up where the code is.
        bind: whether the grant's refresh tokens are bound to its key (RFC 9449 §5).
        community: which community facts are wanted, whatever their age; None for none.
    """

    account_id: str
    code_id: str
    client_id: str
    redirect_uri: str | None
    code_challenge: str | None
    grant_id: str
    now: float
    grant_lifetime: int
    grant_idle: int
    resources: tuple[str, ...] = ()
    proof: Proof | None = None
    bind: bool = False
    community: CommunityWanted | None = None


@dataclass(frozen=True, slots=True)
class RefreshRequest:
    """What the refresh step checks, in this order.

    known → client → DPoP key → proof unused → unexpired → session or offline → account → scope →
    resource → generation.

    Attributes:
        account_id, grant_id, generation: out of the refresh token.
        client_id: the authenticated client.
        scope: the narrower scope asked for, or None for all.
        resources: the narrower resources asked for, or empty for all.
        now: UTC seconds.
        grace: seconds in which a spent token still answers with the current one.
        grant_idle: seconds by which a refresh prolongs the grant.
        rotate: whether the current token is spent; else it stays as it is.
        public: whether its client can keep no secret: then it is spent all the same, unless the
            grant is bound to a key (RFC 9700 §2.2.2).
        proof: the request's DPoP proof, or None; a refused step does not use it up.
        community: which community facts are wanted, judged before the generation; None for none.
    """

    account_id: str
    grant_id: str
    generation: int
    client_id: str
    scope: tuple[str, ...] | None
    resources: tuple[str, ...]
    now: float
    grace: int
    grant_idle: int
    rotate: bool = True
    public: bool = False
    proof: Proof | None = None
    community: CommunityWanted | None = None


class Rotation(StrEnum):
    """How a refresh came about."""

    ROTATED = "rotated"  # the current token was spent; the next one is live
    REPEATED = "repeated"  # spent within the grace time; the current one is named again
    ADOPTED = "adopted"  # a generation above the stored one: Redis had lost writes
    KEPT = "kept"  # this client's refresh tokens are not spent


@dataclass(frozen=True, slots=True)
class GrantAlive:
    """A living grant and what its tokens need."""

    grant: Grant
    facts: Facts
    rotation: Rotation | None = None


@dataclass(frozen=True, slots=True)
class GrantRefused:
    """The step was refused; for REPLAYED and REUSED the grant ``ended`` is gone."""

    reason: Refusal
    ended: str | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """What an ending took with it: (grant_id, client_id) pairs."""

    grants: tuple[tuple[str, str], ...] = ()


class PendingRequests(Protocol):
    """Authorization requests that wait for a person (Redis)."""

    async def put(self, pending: PendingRequest, *, kept_after: int = 3600) -> None:
        """Write or replace the record.

        It is kept so many seconds beyond its expiry, to explain itself.
        """
        ...

    async def get(self, request_id: str) -> PendingRequest | None:
        """Return the record, expired or not, or None."""
        ...

    async def spend_attempt(self, request_id: str, attempt: str) -> PendingRequest | None:
        """Close the open trip upstream if it is this one; return the record as it was, or None."""
        ...

    async def finish(self, request_id: str) -> PendingRequest | None:
        """Remove the record; return it to the one caller that removed it."""
        ...


class Sessions(Protocol):
    """Sessions and what is made from them (Redis, one slot an account)."""

    async def open(self, session: Session, facts: Facts, *, now: float, idle: int) -> bool:
        """Put the facts, then write the session, replacing an older generation of the same sid.

        Returns False, and writes no session, when the facts say disabled or not_before >= now.
        """
        ...

    async def look(
        self, account_id: str, sid: str, generation: int, *, now: float
    ) -> tuple[Session, Facts] | None:
        """Return the living session and its account's facts, else None."""
        ...

    async def issue_code(self, wanted: CodeRequest) -> CodeIssued | CodeRefused:
        """Check and write a code, in one step."""
        ...

    async def end(self, account_id: str, sid: str, *, now: float) -> Ended:
        """End a session, its unspent codes and its grants that are not offline; idempotent."""
        ...


class Grants(Protocol):
    """Codes and grants (Redis, one slot an account)."""

    async def redeem(self, wanted: CodeRedemption) -> GrantAlive | GrantRefused:
        """Spend a code and make its grant, in one step (RFC 6749 §4.1.3)."""
        ...

    async def refresh(self, wanted: RefreshRequest) -> GrantAlive | GrantRefused:
        """Spend a generation and name the next, in one step (RFC 9700 §4.14)."""
        ...

    async def look(
        self,
        account_id: str,
        grant_id: str,
        *,
        now: float,
        unique: int | None = None,
        proof: Proof | None = None,
    ) -> GrantAlive | GrantRefused:
        """Return the living grant and its account's facts; a DPoP proof is used up by it.

        With ``unique`` it is for one access token, which may have been ended by itself.
        """
        ...

    async def end_token(
        self, account_id: str, grant_id: str, unique: int, *, seconds: float
    ) -> None:
        """End one access token that would live so many seconds more (RFC 7009)."""
        ...

    async def tokens_live(self, item_id: str, *uniques: int) -> bool:
        """Return whether none of these tokens without an account was ended."""
        ...

    async def end(self, account_id: str, grant_id: str, client_id: str) -> bool:
        """End a grant of this client (RFC 7009); False when it is another client's."""
        ...


class Once(Protocol):
    """What may be used once (Redis): the ``jti`` of an assertion, of a proof."""

    async def spend_once(self, digest: str, ttl: int) -> bool:
        """Remember a digest for ``ttl`` seconds; False where it is remembered already."""
        ...


class AccountStates(Protocol):
    """Facts of accounts beside their grants, and ends of whole accounts (Redis)."""

    async def put_facts(self, account_id: str, facts: Facts) -> None:
        """Put facts unless newer ones are there."""
        ...

    async def end_all(self, account_id: str, facts: Facts) -> Ended:
        """Put the facts (they carry disabled or not_before), end all sessions, codes and grants."""
        ...


class Clients(Protocol):
    """Registered clients, followed from SQL."""

    async def find(self, client_id: str) -> Client | None:
        """Return the client, disabled or not, or None; no SQL when it was used lately."""
        ...


class Accounts(Protocol):
    """Accounts and identities (SQL)."""

    async def sign_in(self, profile: Profile, *, now: float) -> tuple[str, Facts]:
        """Find or make the account of an identity and update its profile, in one transaction.

        Returns the account_id and its facts; the caller looks at ``disabled``.
        """
        ...

    async def facts(self, account_id: str) -> Facts | None:
        """Return the facts as SQL has them, or None when there is no such account."""
        ...

    async def consent(
        self, account_id: str, client_id: str, scope: Sequence[str], *, now: float
    ) -> Facts:
        """Record the person's consent, added to an earlier one, and return the newer facts."""
        ...


class Audit(Protocol):
    """The audit log (SQL)."""

    async def record(self, event: AuditEvent) -> None:
        """Keep the event."""
        ...


class Fetched(NamedTuple):
    """JSON from an address that a client named.

    Attributes:
        value: the JSON; of what shape is for the caller to judge.
        max_age: seconds it stays fresh (RFC 9111 §4.2); 0 for what is not to be kept, None where
            the answer does not say.
    """

    value: object
    max_age: int | None


class Outbound(Protocol):
    """Calls to addresses that a client named (``jwks_uri`` and the like), and only to public ones.

    Both calls end within seconds; redirects are not followed.
    """

    def check(self, url: str) -> None:
        """Refuse an address that would never be called, as far as its text shows it.

        Raises:
            broker.core.errors.OutboundRefused: malformed, not https, or private by its form.
        """
        ...

    async def get_json(self, url: str, *, limit: int) -> Fetched:
        """Return the JSON behind an address; ``limit`` is the most bytes of it.

        Raises:
            broker.core.errors.OutboundRefused: it may not be called; nothing was sent.
            broker.core.errors.OutboundFailed: no usable answer in time.
        """
        ...

    async def post_form(self, url: str, fields: Mapping[str, str]) -> int:
        """Send a form and return the HTTP status of the answer.

        Raises:
            broker.core.errors.OutboundRefused: it may not be called; nothing was sent.
            broker.core.errors.OutboundFailed: no answer in time; it may have arrived.
        """
        ...
