"""Errors at a protected resource (RFC 6750 §3) and of proofs (RFC 9449)."""

from broker.core.errors.oauth import ProtocolError


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
