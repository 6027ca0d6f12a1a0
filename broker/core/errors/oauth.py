"""Errors of the standards, for programs: at the token endpoint, to apps, at registration."""

from typing import ClassVar, Final

from broker.core.errors.base import BrokerError
from broker.core.texts import Text


class ProtocolError(BrokerError):
    """An error that a standard names by ``code`` (RFC 6749 §4.1.2.1 and §5.2)."""


class InvalidRequest(ProtocolError):
    """RFC 6749 §5.2 ``invalid_request``."""

    code = "invalid_request"
    title = Text("The request is malformed")


class InvalidScope(ProtocolError):
    """RFC 6749 §5.2 ``invalid_scope``."""

    code = "invalid_scope"
    title = "The scope is invalid, unknown or more than was granted"


class InvalidTarget(ProtocolError):
    """RFC 8707 §2 ``invalid_target``."""

    code = "invalid_target"
    title = "The resource is more than was granted, or none that this client is registered for"


class InvalidGrant(ProtocolError):
    """RFC 6749 §5.2 ``invalid_grant``."""

    code = "invalid_grant"
    title = "The code or token is invalid, expired, used or not yours"


class UnauthorizedClient(ProtocolError):
    """RFC 6749 §5.2 ``unauthorized_client``."""

    code = "unauthorized_client"
    title = "This client may not use this grant type"


class UnsupportedGrantType(ProtocolError):
    """RFC 6749 §5.2 ``unsupported_grant_type``."""

    code = "unsupported_grant_type"
    title = "This grant type is not offered"


class UnsupportedResponseType(ProtocolError):
    """RFC 6749 §4.1.2.1 ``unsupported_response_type``."""

    code = "unsupported_response_type"
    title = "Only response_type=code is offered"


class AccessDenied(ProtocolError):
    """RFC 6749 §4.1.2.1 ``access_denied``."""

    code = "access_denied"
    title = "The sign-in was declined"


class LoginRequired(ProtocolError):
    """OpenID Connect Core §3.1.2.6 ``login_required``."""

    code = "login_required"
    title = "The person is not signed in"


class ConsentRequired(ProtocolError):
    """OpenID Connect Core §3.1.2.6 ``consent_required``."""

    code = "consent_required"
    title = "The person has to confirm on a page"


class UnmetAuthenticationRequirements(ProtocolError):
    """Unmet Authentication Requirements 1.0 §2 ``unmet_authentication_requirements``."""

    code = "unmet_authentication_requirements"
    title = "People cannot be authenticated here in the way the app demands"


class InteractionRequired(ProtocolError):
    """OpenID Connect Core §3.1.2.6 ``interaction_required``."""

    code = "interaction_required"
    title = "The person has to do something on a page"


class RequestNotSupported(ProtocolError):
    """OpenID Connect Core §3.1.2.6 ``request_not_supported``."""

    code = "request_not_supported"
    title = "Request objects have to be signed, with a key that the app is registered with"


class InvalidRequestObject(ProtocolError):
    """RFC 9101 §7 ``invalid_request_object``."""

    code = "invalid_request_object"
    title = "The request object is not valid"


class InvalidRequestUri(ProtocolError):
    """RFC 9101 §7 ``invalid_request_uri``: a pushed request that is not there (RFC 9126 §4)."""

    code = "invalid_request_uri"
    title = "This request_uri was already used, has expired or is not yours"


class RequestUriNotSupported(ProtocolError):
    """OpenID Connect Core §3.1.2.6 ``request_uri_not_supported``."""

    code = "request_uri_not_supported"
    title = "This request_uri is not one of ours"


class RegistrationNotSupported(ProtocolError):
    """OpenID Connect Core §3.1.2.6 ``registration_not_supported``."""

    code = "registration_not_supported"
    title = "Registration inside a request is not offered"


class TemporarilyUnavailable(ProtocolError):
    """RFC 6749 §4.1.2.1 ``temporarily_unavailable``."""

    code = "temporarily_unavailable"
    title = Text("Sign-in is not possible at the moment")


class ServerError(ProtocolError):
    """RFC 6749 §4.1.2.1 ``server_error``."""

    code = "server_error"
    title: ClassVar[str] = Text("The sign-in failed on our side")


class AuthorizationPending(ProtocolError):
    """RFC 8628 §3.5 ``authorization_pending``."""

    code = "authorization_pending"
    title = "The person has not decided yet"


class SlowDown(ProtocolError):
    """RFC 8628 §3.5 ``slow_down``: from now on the device has to wait 5 seconds longer."""

    code = "slow_down"
    title = "The device asks too often"


class ExpiredToken(ProtocolError):
    """RFC 8628 §3.5 ``expired_token``."""

    code = "expired_token"
    title = "The device code has expired"


class AlgorithmOff(ServerError):
    """A client or an API is set to a signature algorithm that was switched off since."""

    title = "This app is set to a signature algorithm that is switched off here"


class InvalidClient(ProtocolError):
    """RFC 6749 §5.2 ``invalid_client``: always the same words, whatever was wrong."""

    code = "invalid_client"
    title = "Client authentication failed"


class UnsignedEvent(ProtocolError):
    """A request for the address of events that is not signed as it has to be: always these words.

    Discord sends such requests on purpose, and takes its events away where they are accepted.
    """

    code = "invalid_signature"
    title = "The request is not signed by Discord for this application"


class InvalidRedirectUri(ProtocolError):
    """RFC 7591 §3.2.2 ``invalid_redirect_uri``."""

    code = "invalid_redirect_uri"
    title = "A redirect URI cannot be registered"


class InvalidClientMetadata(ProtocolError):
    """RFC 7591 §3.2.2 ``invalid_client_metadata``."""

    code = "invalid_client_metadata"
    title = "The client metadata cannot be registered"


# The kinds that people meet on pages.
_TOO_MANY: Final = {
    "address": Text("Too many requests from this address"),
    "account": Text("Too many requests from this account"),
}


class TooManyRequests(ProtocolError):
    """More than somebody may ask for in a while (RFC 6585 §4).

    Args:
        retry_after: seconds after which to try again.
        kind: who was counted: ``address``, ``client``, ``account``.
        quota: how many requests are let through in a window; 0 where that is not said.
        window: seconds of a window.
    """

    code = "too_many_requests"

    def __init__(
        self, retry_after: int, kind: str = "address", quota: int = 0, window: int = 0
    ) -> None:
        super().__init__(_TOO_MANY.get(kind) or f"Too many requests from this {kind}")
        self.retry_after = retry_after
        self.kind = kind
        self.quota = quota
        self.window = window


class AuthorizationRefused(BrokerError):
    """An error answer of the authorization endpoint, to a validated redirect URI.

    Args:
        redirect_uri: the validated redirect URI of the client.
        state: the request's ``state``, or None.
        cause: the protocol error it carries.
        mode: how it is sent there: ``fragment``, ``form_post``, or None for the query.

    Attributes:
        asks: whether the person decides about going there: nobody vouches for the address, and
            nothing was done on the way that would say that the person wants to (RFC 9700 §4.11.2).
    """

    def __init__(
        self, redirect_uri: str, state: str | None, cause: ProtocolError, mode: str | None = None
    ) -> None:
        super().__init__(cause.public, cause.private)
        self.redirect_uri = redirect_uri
        self.mode = mode
        self.state = state
        self.cause = cause
        self.asks = False
