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
    │   ├── StoreUnavailable     Redis or SQL
    │   └── UpstreamUnavailable  (an upstream) with the seconds to wait
    ├── UpstreamRejected         refused upstream, or an answer without sense
    ├── AuthorizationLost        a person's token upstream is not good any more
    └── OutboundError            a call to an address that a client named
        ├── OutboundRefused      it may not be called: nothing was sent
        └── OutboundFailed       it did not answer as it should
"""

from broker.core.errors.base import (
    UPSTREAM,
    BrokerError,
    Link,
    Way,
)
from broker.core.errors.oauth import (
    AccessDenied,
    AlgorithmOff,
    AuthorizationPending,
    AuthorizationRefused,
    ConsentRequired,
    ExpiredToken,
    InteractionRequired,
    InvalidClient,
    InvalidClientMetadata,
    InvalidGrant,
    InvalidRedirectUri,
    InvalidRequest,
    InvalidRequestObject,
    InvalidRequestUri,
    InvalidScope,
    InvalidTarget,
    LoginRequired,
    ProtocolError,
    RegistrationNotSupported,
    RequestNotSupported,
    RequestUriNotSupported,
    ServerError,
    SlowDown,
    TemporarilyUnavailable,
    TooManyRequests,
    UnauthorizedClient,
    UnmetAuthenticationRequirements,
    UnsignedEvent,
    UnsupportedGrantType,
    UnsupportedResponseType,
)
from broker.core.errors.outages import (
    AuthorizationLost,
    OutboundError,
    OutboundFailed,
    OutboundRefused,
    StoreUnavailable,
    Unavailable,
    UpstreamRejected,
    UpstreamUnavailable,
)
from broker.core.errors.pages import (
    BadAuthorizationRequest,
    BadCallback,
    BadForm,
    BadRequestObject,
    Declined,
    ForeignBrowser,
    GrantedTooLittle,
    IdentityOccupied,
    IdentityTaken,
    LastIdentity,
    PageError,
    PushedRequestGone,
    RequestExpired,
    RequestUnknown,
    SignInRefused,
    TooManyTries,
    UpstreamPage,
)
from broker.core.errors.resource import (
    BoundToken,
    InsufficientScope,
    InvalidDpopProof,
    InvalidToken,
    MissingToken,
    ResourceError,
    UseDpopNonce,
)

__all__ = [
    "UPSTREAM",
    "AccessDenied",
    "AlgorithmOff",
    "AuthorizationLost",
    "AuthorizationPending",
    "AuthorizationRefused",
    "BadAuthorizationRequest",
    "BadCallback",
    "BadForm",
    "BadRequestObject",
    "BoundToken",
    "BrokerError",
    "ConsentRequired",
    "Declined",
    "ExpiredToken",
    "ForeignBrowser",
    "GrantedTooLittle",
    "IdentityOccupied",
    "IdentityTaken",
    "InsufficientScope",
    "InteractionRequired",
    "InvalidClient",
    "InvalidClientMetadata",
    "InvalidDpopProof",
    "InvalidGrant",
    "InvalidRedirectUri",
    "InvalidRequest",
    "InvalidRequestObject",
    "InvalidRequestUri",
    "InvalidScope",
    "InvalidTarget",
    "InvalidToken",
    "LastIdentity",
    "Link",
    "LoginRequired",
    "MissingToken",
    "OutboundError",
    "OutboundFailed",
    "OutboundRefused",
    "PageError",
    "ProtocolError",
    "PushedRequestGone",
    "RegistrationNotSupported",
    "RequestExpired",
    "RequestNotSupported",
    "RequestUnknown",
    "RequestUriNotSupported",
    "ResourceError",
    "ServerError",
    "SignInRefused",
    "SlowDown",
    "StoreUnavailable",
    "TemporarilyUnavailable",
    "TooManyRequests",
    "TooManyTries",
    "UnauthorizedClient",
    "Unavailable",
    "UnmetAuthenticationRequirements",
    "UnsignedEvent",
    "UnsupportedGrantType",
    "UnsupportedResponseType",
    "UpstreamPage",
    "UpstreamRejected",
    "UpstreamUnavailable",
    "UseDpopNonce",
    "Way",
]
