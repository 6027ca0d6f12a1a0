"""Frozen records: what the rules speak of.

Times are UTC seconds since the epoch (float), lifetimes are seconds. Identifiers of accounts,
sessions, grants, codes and requests are 16 random bytes, written as 32 hexadecimal digits.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from broker.core.client import Client, ClientSecret, JsonValue
from broker.core.community.model import Community
from broker.core.request import AuthorizationRequest, PendingRequest

__all__ = [
    "AuditEvent",
    "AuthorizationRequest",
    "Client",
    "ClientSecret",
    "Code",
    "Facts",
    "Grant",
    "JsonValue",
    "Lifetimes",
    "PendingRequest",
    "Profile",
    "Session",
]


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long things live, in seconds; the defaults are those of the design."""

    request: int = 600
    pushed: int = 60
    code: int = 60
    access_token: int = 300
    id_token: int = 300
    device: int = 600
    longest_token: int = 3600
    session_idle: int = 7 * 86400
    session: int = 30 * 86400
    grant_idle: int = 30 * 86400
    grant: int = 90 * 86400
    refresh_grace: int = 10
    membership_fresh: int = 600
    membership_stale: int = 86400
    skew: int = 60
    deletion_grace: int = 14 * 86400


@dataclass(frozen=True, slots=True)
class Profile:
    """What an upstream says of a person at the moment of a sign-in.

    Attributes:
        upstream: the upstream's name, ``discord``.
        subject: its only stable identifier of the person (Discord: the snowflake).
        username: the login name; it may change.
        display_name: what to call the person, never empty.
        email: the address, or None.
        email_verified: what the upstream says of it; False where it says nothing.
        picture: avatar address, or None.
        locale: BCP 47 language tag, or None.
        raw: upstream fields worth keeping with the identity (no token, no secret).
        email_read: whether ``email`` could be seen at all; an address known from before stays
            where it could not.
    """

    upstream: str
    subject: str
    username: str
    display_name: str
    email: str | None = None
    email_verified: bool = False
    picture: str | None = None
    locale: str | None = None
    raw: Mapping[str, JsonValue] = field(default_factory=dict)
    email_read: bool = True


@dataclass(frozen=True, slots=True)
class Facts:
    """What a token needs to know of an account, kept beside its grants so that no SQL is asked.

    Attributes:
        version: grows with each change in SQL; an older copy never replaces a newer one.
        sub: the subject identifier that clients see.
        disabled: whether an operator has switched the account off.
        not_before: sessions and grants begun before this moment are dead.
        claims: standard profile claims (OpenID Connect Core §5.1).
        consents: client_id → the scopes the person has agreed to, space-separated.
        identities: upstream → the person's subject there (Discord: the snowflake).
        community: what was read of the guilds that were asked for; each part has its own time.
        leaving_at: when the account will be deleted; only facts out of SQL tell. It is switched
            off until then, and for no other reason.
        leaving_by: who wants that, ``person`` or ``operator``; None where that is not known.
    """

    version: int
    sub: str
    disabled: bool = False
    not_before: float = 0.0
    claims: Mapping[str, JsonValue] = field(default_factory=dict)
    consents: Mapping[str, str] = field(default_factory=dict)
    identities: Mapping[str, str] = field(default_factory=dict)
    community: Community = field(default_factory=Community)
    leaving_at: float | None = None
    leaving_by: str | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """A browser's session.

    Attributes:
        account_id: whose it is.
        sid: its identifier; ID tokens name it as ``sid``.
        generation: grows at each sign-in inside the session; a cookie of an older one is dead.
        created_at: when it began.
        auth_time: when the person was last seen to authenticate, or ``UNKNOWN``
            (``broker.core.authentication``).
        expires_at: its absolute end.
        upstream: which upstream vouched.
        device: the browser's User-Agent, shortened, for the person's own list of sessions.
        seen_at: when it was last used, as the store knows it.
    """

    account_id: str
    sid: str
    generation: int
    created_at: float
    auth_time: float
    expires_at: float
    upstream: str
    device: str = ""
    seen_at: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class Code:
    """An authorization code as kept; the client holds only its handle.

    Attributes:
        code_id: its identifier.
        account_id: for whom.
        sid: the session it was made in.
        auth_time: of that session at that moment.
        client_id, redirect_uri, code_challenge, nonce, scope, resources: of its request.
        dpop_jkt: thumbprint of the DPoP key it is bound to, or None (RFC 9449 §10).
        claims: the claims request, as its request has it.
        expires_at: when it ends unspent.
    """

    code_id: str
    account_id: str
    sid: str
    auth_time: float
    client_id: str
    redirect_uri: str
    scope: tuple[str, ...]
    expires_at: float
    code_challenge: str | None = None
    nonce: str | None = None
    resources: tuple[str, ...] = ()
    dpop_jkt: str | None = None
    claims: Mapping[str, JsonValue] | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """A client's continuing right to act for an account, made by redeeming a code.

    Attributes:
        account_id: for whom.
        grant_id: its identifier.
        client_id: whose.
        sid: the session it began in.
        offline: whether it outlives that session (``offline_access``, Core §11).
        scope: what was granted.
        resources: resource indicators that were granted.
        auth_time: when the person was seen to authenticate, or ``UNKNOWN``.
        nonce: of the request, for the first ID token only.
        dpop_jkt: thumbprint of the DPoP key its refresh tokens are bound to, or None
            (RFC 9449 §5: those of public clients are, where a proof came).
        claims: the claims request (OpenID Connect Core §5.5), or None.
        created_at: when it began.
        expires_at: its absolute end.
        generation: of the one live refresh token.
        seen_at: when it was last used, as the store knows it.
    """

    account_id: str
    grant_id: str
    client_id: str
    sid: str
    offline: bool
    scope: tuple[str, ...]
    resources: tuple[str, ...]
    auth_time: float
    created_at: float
    expires_at: float
    generation: int
    nonce: str | None = None
    dpop_jkt: str | None = None
    claims: Mapping[str, JsonValue] | None = None
    seen_at: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """Something that must be remembered.

    Attributes:
        kind: dotted name, ``grant.reused``.
        at: when.
        actor: ``person``, ``client``, ``operator`` or ``system``.
        account_id: whom it concerns, or None.
        client_id: which client, or None.
        detail: further facts; never a secret or a token.
    """

    kind: str
    at: float
    actor: str
    account_id: str | None = None
    client_id: str | None = None
    detail: Mapping[str, JsonValue] = field(default_factory=dict)
