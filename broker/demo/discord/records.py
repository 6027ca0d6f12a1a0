"""What the simulated Discord remembers about applications and what people let them do."""

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

# All of Discord's scopes that a person can approve in a browser without Discord's own approval.
KNOWN_SCOPES = frozenset(
    {
        "identify",
        "email",
        "connections",
        "guilds",
        "guilds.join",
        "guilds.members.read",
        "openid",
        "role_connections.write",
    }
)

ACCESS_TOKEN_SECONDS = 604_800
CODE_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Application:
    """An application of the developer portal. Its client id is its snowflake.

    `signing_seed` (32 bytes) is the private half of the key that signs webhook events;
    `verify_key` is what the portal shows of it.
    """

    client_id: str
    client_secret: str
    redirect_uris: tuple[str, ...]
    name: str = "Token Broker"
    description: str = ""
    signing_seed: bytes = bytes(range(32))

    @property
    def private_key(self) -> Ed25519PrivateKey:
        """The key that signs webhook events; Discord's alone."""
        return Ed25519PrivateKey.from_private_bytes(self.signing_seed)

    @property
    def verify_key(self) -> str:
        """The public key in hexadecimal, as the developer portal shows it."""
        return self.private_key.public_key().public_bytes_raw().hex()


@dataclass(frozen=True, slots=True)
class Code:
    """An authorization code waiting to be exchanged. `expires_at` is in epoch seconds."""

    client_id: str
    person_id: str
    redirect_uri: str
    scopes: frozenset[str]
    challenge: str | None
    nonce: str | None
    expires_at: float


@dataclass(frozen=True, slots=True)
class Token:
    """An access or refresh token of an authorization; `expires_at` None means no end of its own."""

    authorization_id: int
    expires_at: float | None


@dataclass(slots=True)
class Authorization:
    """That one person lets one application do something; ends with either of its tokens."""

    id: int
    client_id: str
    person_id: str
    scopes: frozenset[str]
    nonce: str | None = None
