"""Secrets of clients that prove themselves by one: made, shown once, replaced by and by."""

from dataclasses import replace

from broker.core import vocabulary as v
from broker.core.clients import digest
from broker.core.model import Client, ClientSecret
from broker.core.pkce import encode
from broker.core.ports import Entropy

__all__ = ["ending", "has_secrets", "with_secret"]


def has_secrets(client: Client) -> bool:
    """Whether the client proves itself by a secret."""
    return client.auth_method in {v.AUTH_BASIC, v.AUTH_POST}


def with_secret(
    client: Client, entropy: Entropy, now: float, older: tuple[ClientSecret, ...] = ()
) -> tuple[Client, str | None]:
    """Return a client that proves itself by one with a new secret of 256 bits first, and it.

    Args:
        client: whose.
        entropy: makes it.
        now: UTC seconds.
        older: those that stay good beside it.
    """
    if not has_secrets(client):
        return client, None
    secret = encode(entropy.token(32))
    return replace(client, secrets=(ClientSecret(digest(secret), now), *older)), secret


def ending(secrets: tuple[ClientSecret, ...], now: float, end: float) -> tuple[ClientSecret, ...]:
    """Return the secrets that are still good at the moment, none of them beyond ``end``."""
    ends = [replace(one, expires_at=min(end, one.expires_at or end)) for one in secrets]
    return tuple(one for one in ends if one.expires_at is None or one.expires_at > now)
