"""The sample app: a front end that signs people in, and an API that verifies their tokens."""

from broker.demo.sample.app import SampleSettings, create_app
from broker.demo.sample.verifier import (
    InsufficientScopeError,
    KeysUnavailableError,
    VerificationError,
    VerifiedToken,
    Verifier,
)

__all__ = [
    "InsufficientScopeError",
    "KeysUnavailableError",
    "SampleSettings",
    "VerificationError",
    "VerifiedToken",
    "Verifier",
    "create_app",
]
