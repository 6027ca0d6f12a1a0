"""The public document: built once, served as bytes."""

import hashlib
import json
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from keys.algorithms import ALGORITHMS
from keys.model import KeyRecord
from keys.policy import Policy


@dataclass(frozen=True, slots=True)
class JwksDocument:
    """A JWK Set (RFC 7517 §5) ready to be sent.

    Attributes:
        body: The JSON text.
        etag: A strong entity tag, quotes included; equal bodies have equal tags.
    """

    body: bytes
    etag: str


def build(published: Iterable[KeyRecord]) -> JwksDocument:
    """Build the document of these keys, in the order they are given."""
    keys = [public_members(record) for record in published]
    body = json.dumps({"keys": keys}, separators=(",", ":")).encode()
    digest = urlsafe_b64encode(hashlib.sha256(body).digest()[:16]).rstrip(b"=").decode()
    return JwksDocument(body, f'"{digest}"')


def public_members(record: KeyRecord) -> dict[str, Any]:
    """Return what the world sees of a key, and nothing else."""
    return {
        **ALGORITHMS[record.alg].published(record.public_jwk),
        "kid": record.kid,
        "use": "sig",
        "alg": record.alg,
    }


def max_age(age: float, policy: Policy) -> int:
    """Return how long a verifier may keep a document, in whole seconds.

    A key made the moment after this process last read its store signs after `lead`. While the
    process follows its store that leaves the whole lifetime; once it is cut off, less and less,
    so that no copy of an outdated document outlives the wait of a key that is missing in it.

    Args:
        age: How long ago this process last read the key store, in seconds.
        policy: The times to keep.
    """
    left = policy.cache_lifetime + policy.grace - age
    return int(max(0.0, min(policy.cache_lifetime, left)))
