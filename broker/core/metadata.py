"""Metadata: OpenID Connect Discovery 1.0 §3 and RFC 8414 §2, computed from what is switched on."""

import json
from typing import Any

from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from authlib.oidc.discovery import OpenIDProviderMetadata

from broker.core import vocabulary as v
from keys.algorithms import ALGORITHMS

_STANDARD_CLAIMS = (
    "iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "sid", "at_hash", "acr",
)  # fmt: skip


def provider(
    issuer: str,
    *,
    algorithms: tuple[str, ...] = ("RS256",),
    registration: bool = False,
    languages: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Return the OpenID provider's metadata.

    Args:
        issuer: ours.
        algorithms: signature algorithms that are on, RS256 first.
        registration: whether clients may register themselves.
        languages: tags of those that pages speak.

    Raises:
        ValueError: it breaks a rule of the specification (checked by Authlib).
    """
    document = server(issuer, registration=registration) | {
        "userinfo_endpoint": f"{issuer}/userinfo",
        "end_session_endpoint": f"{issuer}/logout",
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
        "subject_types_supported": [v.SUBJECT_PUBLIC, v.SUBJECT_PAIRWISE],
        "id_token_signing_alg_values_supported": list(algorithms),
        "userinfo_signing_alg_values_supported": list(algorithms),
        "claims_supported": [
            *_STANDARD_CLAIMS,
            *(claim for names in v.CLAIMS_OF_SCOPE.values() for claim in names),
            v.CLAIM_AS_OF,
        ],
        "claim_types_supported": ["normal"],
        "claims_parameter_supported": True,
        "acr_values_supported": [v.ACR],
        "request_uri_parameter_supported": False,
        "prompt_values_supported": list(v.PROMPTS),
    }
    if languages:
        document["ui_locales_supported"] = list(languages)
    OpenIDProviderMetadata(document).validate()
    return document


def server(issuer: str, *, registration: bool = False) -> dict[str, Any]:
    """Return the authorization server's metadata; the arguments are those of ``provider``.

    Raises:
        ValueError: it breaks a rule of the specification (checked by Authlib).
    """
    document = {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "revocation_endpoint": f"{issuer}/revoke",
        "introspection_endpoint": f"{issuer}/introspect",
        "device_authorization_endpoint": f"{issuer}/device_authorization",
        "pushed_authorization_request_endpoint": f"{issuer}/par",
        "require_pushed_authorization_requests": False,
        "jwks_uri": f"{issuer}/.well-known/jwks.json",
        "scopes_supported": list(v.PERSONAL_SCOPES),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "fragment", "form_post"],
        "grant_types_supported": [
            *v.GRANT_TYPES,
            v.GRANT_CLIENT,
            v.GRANT_DEVICE,
            v.GRANT_EXCHANGE,
        ],
        "token_endpoint_auth_methods_supported": list(v.AUTH_METHODS),
        "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "revocation_endpoint_auth_methods_supported": list(v.AUTH_METHODS),
        "revocation_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "introspection_endpoint_auth_methods_supported": [
            method for method in v.AUTH_METHODS if method != v.AUTH_NONE
        ],
        "introspection_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "request_parameter_supported": True,
        "request_object_signing_alg_values_supported": list(ALGORITHMS),
        "require_signed_request_object": False,
        "code_challenge_methods_supported": ["S256"],
        "dpop_signing_alg_values_supported": list(v.DPOP_ALGORITHMS),
        "authorization_response_iss_parameter_supported": True,
    }
    if registration:
        document["registration_endpoint"] = f"{issuer}/register"
    AuthorizationServerMetadata(document).validate()
    return document


def encoded(document: dict[str, Any]) -> bytes:
    """Return the document as the bytes that are served."""
    return json.dumps(document, separators=(",", ":")).encode()
