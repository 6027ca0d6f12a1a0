"""One hierarchy of failures. Only ``broker.web.errors`` knows what HTTP makes of them.

::

    BrokerError                  code, public text, private detail
    ├── ProtocolError            a standard's error code, for a program
    │   ├── InvalidRequest  InvalidScope  InvalidTarget  InvalidGrant
    │   ├── UnauthorizedClient  UnsupportedGrantType  UnsupportedResponseType
    │   ├── AccessDenied  LoginRequired  ConsentRequired  InteractionRequired
    │   ├── UnmetAuthenticationRequirements
    │   ├── RequestNotSupported  RequestUriNotSupported  RegistrationNotSupported
    │   ├── InvalidRequestObject  InvalidRequestUri
    │   ├── TemporarilyUnavailable
    │   ├── AuthorizationPending  SlowDown  ExpiredToken
    │   ├── ServerError
    │   │   └── AlgorithmOff     500: a client or API is set to what is switched off
    │   ├── InvalidClient        401 at the token endpoint
    │   ├── UnsignedEvent        401 where Discord sends events
    │   ├── InvalidRedirectUri  InvalidClientMetadata      of a registration
    │   ├── InvalidDpopProof     401 at a protected resource
    │   │   └── UseDpopNonce     with the nonce to use
    │   ├── TooManyRequests      429, with the seconds to wait
    │   └── ResourceError        RFC 6750 at a protected resource
    │       ├── MissingToken  InsufficientScope
    │       ├── InvalidToken
    │       │   └── BoundToken       it came without a proof
    ├── AuthorizationRefused     a ProtocolError that goes back to a *validated* redirect URI
    ├── PageError                for a person; never a redirect
    │   ├── BadAuthorizationRequest
    │   │   └── BadRequestObject  its client did not sign it
    │   ├── ForeignBrowser  RequestExpired  RequestUnknown  PushedRequestGone
    │   ├── BadForm  BadCallback  UpstreamPage  SignInRefused  TooManyTries
    │   ├── GrantedTooLittle  Declined
    │   ├── IdentityTaken  IdentityOccupied  LastIdentity
    ├── Unavailable              something we need is out of reach: 503, try again
    │   └── UpstreamUnavailable  (an upstream) with the seconds to wait
    ├── UpstreamRejected         refused upstream, or an answer without sense
    ├── AuthorizationLost        a person's token upstream is not good any more
    └── OutboundError            a call to an address that a client named
        ├── OutboundRefused      it may not be called: nothing was sent
        └── OutboundFailed       it did not answer as it should
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final, NamedTuple


class Way(NamedTuple):
    """A way on from a page, to an address that was validated before.

    Attributes:
        label: what it says.
        address: where it leads.
        fields: what is posted there; None for a plain link.
    """

    label: str
    address: str
    fields: Mapping[str, str] | None = None


Link = tuple[str, str] | Way

UPSTREAM: Final = "The sign-in service"
"""What stands for an upstream where it is not known which; its own name goes in its place."""


class BrokerError(Exception):
    """The root.

    Args:
        public: what anyone may read; no secret, no input echoed.
        private: what only the log may hold.
    """

    code: ClassVar[str] = "server_error"
    title: ClassVar[str] = "Something went wrong"

    def __init__(self, public: str = "", private: str = "") -> None:
        super().__init__(public or self.title)
        self.public = public or self.title
        self.private = private


class ProtocolError(BrokerError):
    """An error that a standard names by ``code`` (RFC 6749 §4.1.2.1 and §5.2)."""


class InvalidRequest(ProtocolError):
    """RFC 6749 §5.2 ``invalid_request``."""

    code = "invalid_request"
    title = "The request is malformed"


class InvalidScope(ProtocolError):
    """RFC 6749 §5.2 ``invalid_scope``."""

    code = "invalid_scope"
    title = "The scope is invalid, unknown or more than was granted"


class InvalidTarget(ProtocolError):
    """RFC 8707 §2 ``invalid_target``."""

    code = "invalid_target"
    title = "The resource is unknown or more than was granted"


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
    title = "Sign-in is not possible at the moment"


class ServerError(ProtocolError):
    """RFC 6749 §4.1.2.1 ``server_error``."""

    code = "server_error"
    title = "The sign-in failed on our side"


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
        super().__init__(f"Too many requests from this {kind}")
        self.retry_after = retry_after
        self.kind = kind
        self.quota = quota
        self.window = window


class InvalidDpopProof(ProtocolError):
    """RFC 9449 §5 and §7.1 ``invalid_dpop_proof``."""

    code = "invalid_dpop_proof"
    title = "The DPoP proof is not valid"


class UseDpopNonce(InvalidDpopProof):
    """RFC 9449 §8 and §9 ``use_dpop_nonce``.

    Args:
        nonce: the one to use.
    """

    code = "use_dpop_nonce"
    title = "The DPoP proof has to hold the nonce of the DPoP-Nonce header"

    def __init__(self, nonce: str) -> None:
        super().__init__()
        self.nonce = nonce


class ResourceError(ProtocolError):
    """An error of a protected resource (RFC 6750 §3.1)."""


class MissingToken(ResourceError):
    """RFC 6750 §3.1: no authentication information at all, so no error code.

    Args:
        dpop: whether a token bound to a key would do as well (RFC 9449 §7.1).
    """

    code = ""
    title = "An access token is needed"

    def __init__(self, *, dpop: bool = False) -> None:
        super().__init__()
        self.dpop = dpop


class InvalidToken(ResourceError):
    """RFC 6750 §3.1 ``invalid_token``."""

    code = "invalid_token"
    title = "The access token is invalid, expired or revoked"


class BoundToken(InvalidToken):
    """A token that is bound to a key, and came as if it were not (RFC 9449 §7.2)."""

    title = "The access token is bound to a key: it has to come with DPoP"


class InsufficientScope(ResourceError):
    """RFC 6750 §3.1 ``insufficient_scope``.

    Args:
        scope: the scope that would suffice.
    """

    code = "insufficient_scope"
    title = "The access token does not carry the scope this needs"

    def __init__(self, scope: str) -> None:
        super().__init__()
        self.scope = scope


class AuthorizationRefused(BrokerError):
    """An error answer of the authorization endpoint, to a validated redirect URI.

    Args:
        redirect_uri: the validated redirect URI of the client.
        state: the request's ``state``, or None.
        cause: the protocol error it carries.
        mode: how it is sent there: ``fragment``, ``form_post``, or None for the query.
    """

    def __init__(
        self, redirect_uri: str, state: str | None, cause: ProtocolError, mode: str | None = None
    ) -> None:
        super().__init__(cause.public, cause.private)
        self.redirect_uri = redirect_uri
        self.mode = mode
        self.state = state
        self.cause = cause


class PageError(BrokerError):
    """Something a person has to read; it is never answered with a redirect.

    Args:
        public: what happened.
        advice: what to do next.
        private: for the log.
        links: (label, address) pairs that lead on, addresses already validated.
    """

    advice: ClassVar[str] = "Go back to the app and start again."

    def __init__(
        self,
        public: str = "",
        advice: str = "",
        private: str = "",
        links: Sequence[Link] = (),
    ) -> None:
        super().__init__(public, private)
        self.next_step = advice or self.advice
        self.links = tuple(links)


class BadAuthorizationRequest(PageError):
    """The client or its redirect URI is not to be trusted (RFC 6749 §4.1.2.1): stay here."""

    code = "invalid_request"
    title = "This sign-in link is not valid"
    advice = "The app that sent you here has to be corrected by the people who run it."


class BadRequestObject(BadAuthorizationRequest):
    """A request object that its client did not sign (RFC 9101 §6.2): nothing of it counts."""

    code = "invalid_request_object"
    title = "The app's request is not signed as it should be"


class ForeignBrowser(PageError):
    """A page of a sign-in that began in another browser (CVE-2022-39222)."""

    code = "foreign_browser"
    title = "This sign-in was started in another browser"
    advice = "Go back to the app and sign in from there, in this browser."


class BadForm(PageError):
    """A form without the token that our page put into it (cross-site request forgery)."""

    code = "bad_form"
    title = "This form did not come from our page"


class RequestExpired(PageError):
    """A sign-in that waited longer than its lifetime."""

    code = "request_expired"
    title = "This sign-in took too long"


class RequestUnknown(PageError):
    """A sign-in that is finished, or was never begun."""

    code = "request_unknown"
    title = "This sign-in is already finished"


class PushedRequestGone(PageError):
    """A pushed request that was used before, waited too long, or is another client's (RFC 9126)."""

    code = "invalid_request_uri"
    title = "This sign-in link was already used, or has expired"


class BadCallback(PageError):
    """A callback with a missing, foreign or used ``state`` (login CSRF; RFC 9700 §4.7)."""

    code = "bad_callback"
    title = "This answer does not belong to a sign-in of yours"


class UpstreamPage(PageError):
    """The upstream did not accept this sign-in; it can be tried again."""

    code = "upstream_rejected"
    title = f"{UPSTREAM} did not accept this sign-in"
    advice = "Try again; if it happens again, write to the people who run this service."


class GrantedTooLittle(PageError):
    """The person did not let us see upstream what the app needs to know; it can be tried again."""

    code = "granted_too_little"
    title = "You did not allow at Discord what this app needs to know"
    advice = "It goes by the servers you are in there. Try again and allow it, or go back."


class Declined(PageError):
    """The person said no upstream, and it was no app that asked."""

    code = "declined"
    title = "Nothing was changed"
    advice = "You said no, or went back."


class IdentityTaken(PageError):
    """An identity that belongs to another account; nothing is ever merged."""

    code = "identity_taken"
    title = "This belongs to another account here"
    advice = "Sign in with it to see that account; unlink it there if you want it in this one."


class IdentityOccupied(PageError):
    """The account has an identity at that upstream, and it has one there at the most."""

    code = "identity_occupied"
    title = "Another one is linked already"
    advice = "Unlink that one first if you want to change it."


class LastIdentity(PageError):
    """Unlinking it would lock its person out."""

    code = "last_identity"
    title = "This is the only way into your account"
    advice = "Link another one first."


class SignInRefused(PageError):
    """The account may not sign in here."""

    code = "sign_in_refused"
    title = "This account cannot sign in"
    advice = "If you think this is a mistake, write to the people who run this service."


class TooManyTries(PageError):
    """Too many wrong guesses: wait.

    Args:
        retry_after: seconds after which to try again.
    """

    code = "too_many_tries"
    title = "Too many wrong codes"

    def __init__(self, retry_after: int) -> None:
        minutes = max(1, -(-retry_after // 60))
        wait = "a minute" if minutes == 1 else f"{minutes} minutes"
        super().__init__(advice=f"Wait {wait}, then enter the code that your device shows by then.")
        self.retry_after = retry_after


class Unavailable(BrokerError):
    """Something we need is out of reach; nothing was changed.

    Args:
        retry_after: seconds after which to try again.
        links: (label, address) pairs that lead on, for a person; addresses already validated.
    """

    code = "temporarily_unavailable"
    title = "The service is not available at the moment"

    def __init__(
        self,
        public: str = "",
        private: str = "",
        retry_after: int = 2,
        links: Sequence[Link] = (),
    ) -> None:
        super().__init__(public, private)
        self.retry_after = retry_after
        self.links = tuple(links)


class StoreUnavailable(Unavailable):
    """Redis or SQL did not answer in time."""


class UpstreamUnavailable(Unavailable):
    """An upstream did not answer as it should, or told us to wait."""

    title = f"{UPSTREAM} is not answering at the moment"


class AuthorizationLost(BrokerError):
    """An upstream refuses the token of a person: only signing in there again mends that."""

    code = "authorization_lost"
    title = f"{UPSTREAM} does not know this sign-in any more"


class UpstreamRejected(BrokerError):
    """An upstream refused what we sent, or answered with something that makes no sense."""

    code = "upstream_rejected"
    title = f"{UPSTREAM} did not accept this sign-in"


class OutboundError(BrokerError):
    """A call to an address that a client named did not succeed; who asked says what follows."""

    title = "An address of this client cannot be used"


class OutboundRefused(OutboundError):
    """The address may not be called (not https, private, malformed); nothing was sent."""

    title = "An address of this client may not be called from here"


class OutboundFailed(OutboundError):
    """The address gave no usable answer in time."""

    title = "An address of this client does not answer as it should"
