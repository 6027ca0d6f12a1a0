"""Atomic steps as records: what each checks, and what it answers.

A store's step happens whole or not at all. Times are UTC seconds since the epoch (float), lifetimes
are seconds.
"""

from dataclasses import dataclass
from enum import StrEnum

from broker.core.model import AuthorizationRequest, Facts, Grant, Session


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

    The facts that a step answers with hold the account's identities where one of these is given,
    even one that names no guild and no list; where none is given, they hold neither.

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
        community: which community facts are wanted; here of any age, absent ones too
            (``read_after`` is not looked at). None for none.
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
    resource → age of the community facts → generation.

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
        offline: whether a grant of its client may outlive its session; else even an offline one
            goes with it.
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
    offline: bool = True


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
