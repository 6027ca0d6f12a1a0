"""Proof Key for Code Exchange: S256 only (RFC 7636, RFC 9700 §2.1.1)."""

import base64
import hashlib
import re

from broker.core.errors import InvalidRequest

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}\Z")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}\Z")


def challenge(challenge: str | None, method: str | None, *, required: bool) -> str | None:
    """Return the code challenge of an authorization request (RFC 7636 §4.3).

    Raises:
        InvalidRequest: it is missing though required, malformed, or its method is not S256.
    """
    if challenge is None:
        if method is not None:
            raise InvalidRequest("code_challenge_method came without a code_challenge")
        if required:
            raise InvalidRequest("PKCE is required: send a code_challenge (S256)")
        return None
    if method != "S256":
        raise InvalidRequest("code_challenge_method must be S256")
    if not _CHALLENGE.match(challenge):
        raise InvalidRequest("code_challenge must be 43 characters of base64url")
    return challenge


def challenge_of(verifier: str) -> str | None:
    """Return the S256 challenge of a verifier (RFC 7636 §4.6), None if it is malformed (§4.1)."""
    if not _VERIFIER.match(verifier):
        return None
    return encode(hashlib.sha256(verifier.encode()).digest())


def encode(raw: bytes) -> str:
    """Return base64url without padding (RFC 7636 appendix A)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
