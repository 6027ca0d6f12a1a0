"""What a client may be registered with: RFC 7591 §2 and OpenID Connect Registration §2, stricter.

Authlib judges the metadata by the specifications and by what our own metadata offers;
``broker.app.client_rules`` adds what this broker demands besides.
"""

from collections.abc import Iterator
from typing import Final

from authlib.oauth2.rfc7591 import ClientMetadataClaims
from authlib.oidc.registration import ClientMetadataClaims as OpenIDClientMetadataClaims
from joserfc.errors import InvalidClaimError, JoseError

from broker.app import client_rules
from broker.app.client_rules import Fault, malformed
from broker.app.problems import Problem, Refused
from broker.app.published import provider_metadata
from broker.app.settings import Settings
from broker.core import registration
from broker.core import vocabulary as v
from broker.core.model import Client
from broker.core.redirects import web_origins
from broker.core.registration import NAMES

__all__ = ["check_client", "faults", "judge", "malformed", "web_origins"]

# Options of the command line that are not called like the field.
_OPTIONS: Final = {
    "name": "NAME",
    "auth_method": "--auth-method",
    "application_type": "--native",
    "redirect_uris": "--redirect-uri",
    "post_logout_redirect_uris": "--post-logout-redirect-uri",
    "origins": "--origin",
    "scopes": "--scope",
    "resources": "--resource",
    "require_pkce": "--no-pkce",
    "grant_types": "--grant",
    "contacts": "--contact",
    "id_token_signed_response_alg": "--id-token-alg",
    "userinfo_signed_response_alg": "--userinfo-alg",
    "token_endpoint_auth_signing_alg": "--auth-alg",
    "request_object_signing_alg": "--request-alg",
    "require_signed_request_object": "--require-signed-request",
    "require_pushed_authorization_requests": "--require-par",
    "dpop_bound_access_tokens": "--dpop",
    "rotate_refresh_tokens": "--no-rotation",
    "backchannel_logout_session_required": "--backchannel-session",
    "guilds": "--guild",
    "role_mapping": "--map-role",
    "policy": "--policy",
    "upstreams": "--upstream",
    "translations": "--translation",
}
_FIELDS: Final = {name: field for field, name in NAMES.items()}


def check_client(client: Client, settings: Settings) -> None:
    """Check a registration as it is to be.

    Raises:
        Refused: with every problem; each names the option to change.
    """
    problems = [Problem(_option(one.field), one.reason) for one in faults(client, settings)]
    if problems:
        raise Refused(*problems)


def judge(client: Client, settings: Settings) -> None:
    """Check a registration that a client asks for itself, within its bounds already.

    Raises:
        InvalidRedirectUri: a redirect URI cannot be registered.
        InvalidClientMetadata: anything else cannot; the first fault is named as its member.
    """
    for fault in faults(client, settings):
        raise registration.wrong(fault.field, fault.reason)


def faults(client: Client, settings: Settings) -> list[Fault]:
    """Return all that is wrong with a registration as it is to be."""
    return list(client_rules.faults(client, settings)) or list(_by_specification(client, settings))


def _option(field: str) -> str:
    return _OPTIONS.get(field, f"--{field.replace('_', '-')}")


def _by_specification(client: Client, settings: Settings) -> Iterator[Fault]:
    """Yield what Authlib finds wrong with it (RFC 7591 §2, OpenID Connect Registration §2)."""
    claims = registration.document(client)
    # Scopes of APIs, which an operator gives, are not in our metadata.
    claims["scope"] = " ".join(word for word in client.scopes if word in v.PERSONAL_SCOPES)
    claims["redirect_uris"] = [uri for uri in client.redirect_uris if uri.startswith("http")]
    if client.disabled:  # so that one whose algorithm is off can be disabled
        del claims["id_token_signed_response_alg"]
    ours = provider_metadata(settings)
    for judge_of in (ClientMetadataClaims, OpenIDClientMetadataClaims):
        try:
            judge_of(dict(claims), {}, judge_of.get_claims_options(ours)).validate()
        except InvalidClaimError as error:
            field = _FIELDS.get(error.claim, error.claim)
            yield Fault(field, f"{claims.get(error.claim)!r} is not offered")
        except JoseError as error:
            yield Fault("client metadata", str(error.description or error))
