"""Each check of a secret, with what is nearly right and what is wrong from its first byte on."""

import base64
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.core import clients, csrf, enrolment, pkce
from broker.core.dpop import Nonces
from broker.core.errors import UnsignedEvent
from broker.core.events import Delivery, DiscordEvents
from broker.core.handles import Handle, Handles, Kind
from broker.core.model import Client, ClientSecret
from broker.upstream.oidc.id_token import _same
from tests.core.helpers import NOW, Hands

LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
SECRET: Final = "Zk3vS0yq7cVhWm1uXr9TgLb5nPd2JfEa8iYo4HxQwRk"  # 43 characters, as ours have
HANDLES: Final = Handles((b"s" * 32,))


@dataclass(frozen=True)
class Check:
    """A check of a secret.

    Attributes:
        call: checks one guess; all are wrong.
        near: guesses that are right but for their end.
        far: guesses that are wrong from the beginning on.
        calls: of one measurement.
    """

    call: Callable[[Any], object]
    near: Sequence[Any]
    far: Sequence[Any]
    calls: int = 8


def near(secret: str) -> list[str]:
    """A secret with every other last character."""
    return [secret[:-1] + letter for letter in LETTERS if letter != secret[-1]]


def far(secret: str) -> list[str]:
    """A secret with every other first character."""
    return [letter + secret[1:] for letter in LETTERS if letter != secret[0]]


def of_text(call: Callable[[str], object], secret: str, calls: int = 8) -> Check:
    return Check(call, near(secret), far(secret), calls)


def flipped(data: bytes, at: int) -> list[bytes]:
    """Bytes with one bit changed in one of them; each of its bits in turn."""
    whole = [bytearray(data) for _ in range(7)]
    for bit, one in enumerate(whole):
        one[at] ^= 1 << bit
    return [bytes(one) for one in whole]


def written(raw: Sequence[bytes]) -> list[str]:
    return [base64.urlsafe_b64encode(one).rstrip(b"=").decode() for one in raw]


def client_secret() -> Check:
    kept = ClientSecret(clients.digest(SECRET), NOW)
    client = Client("app", "App", auth_method="client_secret_basic", secrets=(kept,))
    return of_text(lambda given: clients._proven(client, (given,), NOW), SECRET)


def handle(kind: Kind) -> Check:
    """A refresh token, a cookie, a state: its tag, the 16 bytes behind version and key."""
    text = HANDLES.make(kind, Handle("ab" * 16, "cd" * 16, 7))
    raw = base64.urlsafe_b64decode(text + "==")
    return Check(
        lambda given: HANDLES.open(kind, given),
        written(flipped(raw, 5 + 15)),
        written(flipped(raw, 5)),
    )


def code_verifier() -> Check:
    """What reaches Redis is its digest, which is compared there."""
    challenge = pkce.challenge_of(SECRET)
    return of_text(lambda given: pkce.challenge_of(given) == challenge, SECRET)


def webhook_signature() -> Check:
    """Its first half, which is what a verification comes to in the end.

    How long that takes depends on the message and the signature, which are no secrets; so there are
    many messages.
    """
    key = Ed25519PrivateKey.from_private_bytes(b"e" * 32)
    nobody: Any = None
    taker = DiscordEvents(key.public_key(), "app", nobody, nobody, clock=Hands(NOW), skew=5)
    timestamp = f"{NOW:.0f}"

    def call(given: tuple[bytes, bytes]) -> None:
        signature, body = given
        try:
            taker._proven(Delivery(signature.hex(), timestamp, body))
        except UnsignedEvent:
            return
        raise AssertionError

    def guesses(at: int) -> list[tuple[bytes, bytes]]:
        bodies = [b'{"type": 0, "number": %d}' % number for number in range(700)]
        signed = [(key.sign(timestamp.encode() + body), body) for body in bodies]
        return [(one, body) for signature, body in signed for one in flipped(signature, at)]

    return Check(call, guesses(31), guesses(0), calls=1)


def form_token() -> Check:
    forms = csrf.FormTokens((b"s" * 32,))
    token = forms.make("browser", "subject")
    return of_text(lambda given: forms.good(given, "browser", "subject"), token)


def browser_binding() -> Check:
    kept = csrf.browser_digest(SECRET)
    return of_text(lambda given: csrf.browser_digest(given) == kept, SECRET)


def registration_token() -> Check:
    client = Client("app", "App", registration_digest=clients.digest(SECRET))
    return of_text(lambda given: enrolment._holds(client, given), SECRET)


def dpop_nonce() -> Check:
    nonces = Nonces((b"s" * 32,), Hands(NOW))
    return of_text(nonces.good, nonces.current())


def id_token_nonce() -> Check:
    return of_text(lambda given: _same(given, SECRET), SECRET, calls=64)


CHECKS: Final[dict[str, Callable[[], Check]]] = {
    "client secret": client_secret,
    "refresh token": lambda: handle(Kind.REFRESH),
    "session cookie": lambda: handle(Kind.SESSION),
    "state": lambda: handle(Kind.ATTEMPT),
    "code verifier": code_verifier,
    "webhook signature": webhook_signature,
    "form token": form_token,
    "browser's binding": browser_binding,
    "registration access token": registration_token,
    "DPoP nonce": dpop_nonce,
    "nonce of an ID token": id_token_nonce,
}


def by_equality() -> Check:
    """What must be found: bytes compared by ``==``, which ends at the first that differs."""
    kept = SECRET.encode()
    guesses = [[one.encode() for one in kind(SECRET)] for kind in (near, far)]
    return Check(lambda given: given == kept, *guesses, calls=64)


def by_character() -> Check:
    """The same in a loop of our own."""

    def call(given: str) -> bool:
        return all(one == other for one, other in zip(given, SECRET, strict=True))

    return of_text(call, SECRET)


def in_constant_time() -> Check:
    """What must not be found."""
    kept = SECRET.encode()
    guesses = [[one.encode() for one in kind(SECRET)] for kind in (near, far)]
    return Check(lambda given: hmac.compare_digest(given, kept), *guesses, calls=64)
