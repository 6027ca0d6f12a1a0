"""Clients: frozen records of who may ask for tokens, and how.

Times are UTC seconds since the epoch (float), lifetimes are seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from broker.core import vocabulary as v
from keys.model import RS256

JsonValue = Any
"""A JSON value."""


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """A client secret as kept: only its digest.

    Attributes:
        digest: SHA-256 of the secret, hexadecimal. Secrets have 256 random bits, so a plain digest
            is as strong as they are.
        created_at: when it was made.
        expires_at: until when it is accepted, or None.
    """

    digest: str
    created_at: float
    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class Client:
    """A registered client (RFC 7591 §2, OpenID Connect Registration §2).

    Attributes:
        client_id: its identifier.
        name: what people read on our pages.
        auth_method: how it authenticates at the token endpoint; ``none`` for a public client.
        secrets: accepted secrets, newest first; two while one is being replaced.
        application_type: ``web`` or ``native`` (RFC 8252 loopback rules apply to native only).
        redirect_uris: exact redirect URIs.
        post_logout_redirect_uris: exact addresses to return to after logout.
        grant_types: what it may use at the token endpoint.
        scopes: what it may ask for.
        resources: resource indicators (RFC 8707) it may ask for.
        audience: ``aud`` of its access tokens when it asks for no resource; None: its client_id.
        origins: web origins that may call token, userinfo and revoke from a browser.
        first_party: operated by us: consent is not asked where redirects are https.
        require_pkce: whether a request without PKCE is refused; never False for public clients.
        id_token_at_refresh: whether a refresh answers with a new ID token (Core §12.2).
        id_token_signed_response_alg: the JWS algorithm of its ID tokens.
        access_token_lifetime: seconds, or None for the default.
        client_uri: its home page; shown, and the way back from an error page.
        logo_uri: its logo.
        policy_uri: its privacy policy.
        tos_uri: its terms.
        support_uri: where its people find help, https or mailto.
        brand_accent: its colour on pages that speak of it, ``#14604f``; None for the broker's.
        translations: of name and addresses that people see, named as in its metadata
            (``client_name#ko``, RFC 7591 §2.2); None for none.
        disabled: whether an operator has switched it off.
        jwks: its JWK Set (RFC 7591 §2): keys that it signs with; not together with jwks_uri.
        jwks_uri: where its JWK Set is, https.
        token_endpoint_auth_signing_alg: the one JWS algorithm of its assertions, or None for any.
        request_object_signing_alg: the one JWS algorithm of its request objects, or None for any.
        require_signed_request_object: whether only request objects are taken (RFC 9101 §10.5).
        require_pushed_authorization_requests: whether only pushed requests are (RFC 9126 §6).
        dpop_bound_access_tokens: whether it must prove possession of a key (RFC 9449 §5.2).
        subject_type: ``public`` or ``pairwise`` (OpenID Connect Core §8).
        sector_identifier_uri: https document that lists its redirect URIs; its host is the sector.
        userinfo_signed_response_alg: the JWS algorithm of userinfo answers; None for plain JSON.
        backchannel_logout_uri: where logout tokens are posted (Back-Channel Logout 1.0 §2.2).
        backchannel_logout_session_required: whether those have to name the session.
        default_max_age: seconds; the max_age of requests that name none.
        id_token_lifetime: seconds, or None for the default.
        grant_lifetime: seconds, the absolute end of its refresh tokens; None for the default.
        grant_idle: seconds of disuse after which they end; None for the default.
        rotate_refresh_tokens: whether a refresh spends its token; never False for a public client
            that is not bound by DPoP (RFC 9700 §2.2.2).
        exchange: how it may exchange tokens (RFC 8693 §1.1): ``impersonation``, ``delegation``,
            ``upstream`` (an upstream's access token for ours, ``subject_issuer``).
        contacts: e-mail addresses of the people who run it.
        initiate_login_uri: where a sign-in may be begun by others (Core §4).
        software_id, software_version: RFC 7591 §2.
        guilds: ids of the guilds that it may know of: nothing is said of others.
        role_mapping: guild_id → role_id → names of the app's own roles, which are its ``roles`` and
            ``groups``; ``"*"`` in place of a role_id is every member; None for no mapping.
        policy: who may use it: a document as ``broker.core.policy.model`` says, or None for
            everybody.
        upstreams: names of the upstreams whose people may use it; empty for all.
        upstream_token: whether it may ask for its people's access tokens at their upstream, by
            token exchange with ``requested_issuer``.
        registration_digest: SHA-256 of its registration access token (RFC 7592 §3), hexadecimal;
            None for a client that an operator registered.
    """

    client_id: str
    name: str
    auth_method: str = v.AUTH_NONE
    secrets: tuple[ClientSecret, ...] = ()
    application_type: str = v.APPLICATION_WEB
    redirect_uris: tuple[str, ...] = ()
    post_logout_redirect_uris: tuple[str, ...] = ()
    grant_types: tuple[str, ...] = v.GRANT_TYPES
    scopes: tuple[str, ...] = v.SCOPES
    resources: tuple[str, ...] = ()
    audience: str | None = None
    origins: tuple[str, ...] = ()
    first_party: bool = False
    require_pkce: bool = True
    id_token_at_refresh: bool = True
    id_token_signed_response_alg: str = RS256
    access_token_lifetime: int | None = None
    client_uri: str | None = None
    logo_uri: str | None = None
    policy_uri: str | None = None
    tos_uri: str | None = None
    support_uri: str | None = None
    brand_accent: str | None = None
    translations: Mapping[str, str] | None = None
    disabled: bool = False
    jwks: Mapping[str, JsonValue] | None = None
    jwks_uri: str | None = None
    token_endpoint_auth_signing_alg: str | None = None
    request_object_signing_alg: str | None = None
    require_signed_request_object: bool = False
    require_pushed_authorization_requests: bool = False
    dpop_bound_access_tokens: bool = False
    subject_type: str = v.SUBJECT_PUBLIC
    sector_identifier_uri: str | None = None
    userinfo_signed_response_alg: str | None = None
    backchannel_logout_uri: str | None = None
    backchannel_logout_session_required: bool = False
    default_max_age: int | None = None
    id_token_lifetime: int | None = None
    grant_lifetime: int | None = None
    grant_idle: int | None = None
    rotate_refresh_tokens: bool = True
    exchange: tuple[str, ...] = ()
    contacts: tuple[str, ...] = ()
    initiate_login_uri: str | None = None
    software_id: str | None = None
    software_version: str | None = None
    guilds: tuple[str, ...] = ()
    role_mapping: Mapping[str, JsonValue] | None = None
    policy: Mapping[str, JsonValue] | None = None
    upstreams: tuple[str, ...] = ()
    upstream_token: bool = False
    registration_digest: str | None = None

    @property
    def public(self) -> bool:
        """Whether the client cannot keep a secret (RFC 6749 §2.1)."""
        return self.auth_method == v.AUTH_NONE

    @property
    def targets(self) -> tuple[str, ...]:
        """Whom its access tokens may be for: identifiers of APIs, most of them registered."""
        return self.resources if self.audience is None else (*self.resources, self.audience)

    @property
    def held_to_fapi(self) -> bool:
        """Whether it has to do what the FAPI 2.0 Security Profile adds: push requests, prove keys.

        Mutual TLS, the other way to bind tokens, is not offered.
        """
        pushes = self.require_pushed_authorization_requests
        return pushes and self.dpop_bound_access_tokens and not self.public
