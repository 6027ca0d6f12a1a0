"""An authorization request, and one that waits for a person: frozen records."""

from collections.abc import Mapping
from dataclasses import dataclass

from broker.core.client import JsonValue


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """An authorization request after every check (OpenID Connect Core §3.1.2.1).

    Only ``broker.core.authorize`` makes one: holding it is the proof that its client and redirect
    URI are registered and its parameters well-formed.

    Of what does not explain itself: ``response_mode`` is ``fragment`` or ``form_post``, or None for
    the query; ``claims`` is the claims request (OpenID Connect Core §5.5) reduced to what we know,
    ``acr_values`` among it; ``dpop_jkt`` the thumbprint of the DPoP key that the code will be bound
    to (RFC 9449 §10); ``device`` a sealed handle of the device that asked and of the code it shows
    (RFC 8628; ``broker.core.device`` makes such a request, and no code leaves us for it);
    ``idp_hint`` the upstream that the app suggests; ``inward`` what a page of ours wants of a
    sign-in without an app (``broker.core.account`` makes it; no code is ever written for it).
    """

    client_id: str
    redirect_uri: str
    scope: tuple[str, ...]
    state: str | None = None
    nonce: str | None = None
    code_challenge: str | None = None
    prompt: tuple[str, ...] = ()
    max_age: int | None = None
    login_hint: str | None = None
    hint_sub: str | None = None
    ui_locales: str | None = None
    resources: tuple[str, ...] = ()
    response_mode: str | None = None
    claims: Mapping[str, JsonValue] | None = None
    dpop_jkt: str | None = None
    pushed: str | None = None
    device: str | None = None
    idp_hint: str | None = None
    inward: str | None = None


@dataclass(frozen=True, slots=True)
class PendingRequest:
    """An authorization request that waits for a person; one record, login and consent its states.

    Attributes:
        request_id: its identifier.
        request: what the client asked.
        browser: digest of the cookie of the browser that began it (login CSRF).
        created_at: when it began.
        expires_at: after this it is refused, with a page that leads back to the app.
        upstream: which upstream the person was sent to.
        attempt: 32 hexadecimal digits, new for each trip upstream and for nothing else; empty
            when no trip is open. A callback must name it, and spends it.
        verifier: PKCE code verifier of the open trip.
        trip_at: when the open trip began.
        session: account_id, sid and generation of the session it now runs in, once signed in; of
            the one that began it, where that links an identity.
        asking: whether the open, or else the last, trip has upstream ask the person.
        fresh: whether the person signed in during this request.
        seen: whether they were seen to authenticate then (prompt=login is then satisfied).
        selected: whether the person chose to continue as the account (prompt=select_account).
        prompt: what the trip that the person is about to choose asks of its upstream.
        choosing: whether somebody else is to sign in, and has to choose where first.
        asked_again: whether the person was asked once more upstream, having granted too little.
        keeps: account_id of who has signed in and is about to be deleted, when, and who wants that
            (as ``Facts`` tell it, or empty); None else.
    """

    request_id: str
    request: AuthorizationRequest
    browser: str
    created_at: float
    expires_at: float
    upstream: str = ""
    attempt: str = ""
    verifier: str = ""
    trip_at: float = 0.0
    session: tuple[str, str, int] | None = None
    fresh: bool = False
    selected: bool = False
    prompt: str = ""
    choosing: bool = False
    asked_again: bool = False
    keeps: tuple[str, float, str] | None = None
    asking: bool = False
    seen: bool = False
