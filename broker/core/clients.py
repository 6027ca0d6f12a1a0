"""Client authentication (RFC 6749 §2.3, OpenID Connect Core §9)."""

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import unquote_plus

from broker.core import vocabulary as v
from broker.core.errors import InvalidClient, InvalidRequest
from broker.core.model import Client, ClientSecret
from broker.core.parameters import Parameters
from broker.core.ports import Clients
from broker.core.proven import ProvenHeaders

# Where there is no client the same is done as for one: the digest is that of no secret.
_NOBODY: Final = Client(
    "", "", auth_method=v.AUTH_BASIC, secrets=(ClientSecret("0" * 64, created_at=0),)
)


_SHOWN: Final = 8  # characters


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request claims of its client, unverified.

    Attributes:
        client_ids: the candidates: a Basic header may come form-encoded (RFC 6749 §2.3.1) or,
            from many libraries, plain.
        secrets: the same for the secret; empty where none was sent.
    """

    client_ids: tuple[str, ...]
    secrets: tuple[str, ...]


class Signed(Protocol):
    """Judges client assertions (``broker.core.assertions``)."""

    async def client(self, params: Parameters) -> Client:
        """Return the client that signed the request's assertion, or raise ``InvalidClient``."""
        ...


async def authenticate(
    clients: Clients,
    params: Parameters,
    authorization: str | None,
    *,
    now: float,
    assertions: Signed | None = None,
    proven: ProvenHeaders | None = None,
) -> Client:
    """Return the client that the request proves to be (RFC 6749 §3.2.1).

    Basic and post are both accepted from a client registered for either: the secret is the same
    proof in both places. A client registered for ``private_key_jwt`` has no other way.

    Args:
        clients: the registered ones.
        params: of the request.
        authorization: its Authorization header as it came, or None.
        now: UTC seconds.
        assertions: judges client assertions; None where none are taken.
        proven: headers that were judged before; None where each is judged.

    Raises:
        InvalidRequest: two ways of authentication at once.
        InvalidClient: anything else, always alike.
        StoreUnavailable: a store is out of reach.
    """
    if "client_assertion" in params or "client_assertion_type" in params:
        if authorization is not None or "client_secret" in params:
            raise InvalidRequest("Two ways of client authentication at once")
        if assertions is None:
            raise InvalidClient(private="client assertions are not taken here")
        return await assertions.client(params)
    if authorization is not None and proven is not None and "client_secret" not in params:
        again = await proven.client(authorization, clients, now)
        if again is not None and params.one("client_id") in {None, again.client_id}:
            return again
    credentials, found = _credentials(params, authorization), None
    for client_id in credentials.client_ids:
        client = await clients.find(client_id)
        if _proven(client or _NOBODY, credentials.secrets, now) and client is not None:
            if authorization is not None and proven is not None:
                proven.keep(authorization, client, now)
            return client
        found = client or found
    raise InvalidClient(private=_why(credentials, found))


def _why(credentials: Credentials, client: Client | None) -> str:
    """Return for the log why a client is not proven.

    Of a name that is not known the beginning has to do: it may be a secret in the wrong place.
    """
    if client is None:
        named = credentials.client_ids[0] if credentials.client_ids else None
        return "no client is named" if named is None else f"unknown client {named[:_SHOWN]!r}…"
    reasons = {
        "is switched off": client.disabled,
        "has to sign (private_key_jwt)": client.auth_method == v.AUTH_KEY,
        "is public, yet a secret came": client.public,
        "sent no secret": not credentials.secrets,
    }
    reason = next((reason for reason, holds in reasons.items() if holds), "wrong or expired secret")
    return f"client {client.client_id}: {reason}"


def digest(secret: str) -> str:
    """Return what is kept of a client secret: SHA-256, hexadecimal (256 random bits inside)."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _credentials(params: Parameters, authorization: str | None) -> Credentials:
    client_id, secret = params.one("client_id"), params.one("client_secret")
    if authorization is None:
        return Credentials((client_id,) if client_id else (), (secret,) if secret else ())
    if secret is not None:
        raise InvalidRequest("Two ways of client authentication at once")
    basic = _basic(authorization)
    if client_id is not None and client_id not in basic.client_ids:
        raise InvalidRequest("client_id differs from the Authorization header")
    return basic


def _basic(authorization: str) -> Credentials:
    """Return the pair of an HTTP Basic header (RFC 7617 §2), raw and form-decoded."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        raise InvalidClient(private="Authorization scheme is not Basic")
    try:
        pair = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        raise InvalidClient(private="malformed Basic header") from None
    user, colon, password = pair.partition(":")
    if not colon or not user or not pair.isprintable():
        raise InvalidClient(private="malformed Basic header")
    return Credentials(_readings(user), _readings(password) if password else ())


def _readings(text: str) -> tuple[str, ...]:
    """Return what half of a pair may mean: itself, and what it is form-decoded."""
    if "%" not in text and "+" not in text:
        return (text,)
    return tuple(dict.fromkeys((text, unquote_plus(text))))


def _proven(client: Client, secrets: tuple[str, ...], now: float) -> bool:
    if client.disabled or client.auth_method == v.AUTH_KEY:
        return False
    if client.public:
        return not secrets
    accepted = [s.digest for s in client.secrets if s.expires_at is None or s.expires_at > now]
    offered = [digest(secret) for secret in secrets]
    # Every pair is compared, so that the time says nothing of which one matched.
    return True in [_compare(known, given) for known in accepted for given in offered]


def _compare(known: str, given: str) -> bool:
    return hmac.compare_digest(known.encode(), given.encode())


def may_use(client: Client, grant_type: str) -> bool:
    """Whether the client is registered for the grant type (RFC 7591 §2)."""
    return grant_type in client.grant_types
