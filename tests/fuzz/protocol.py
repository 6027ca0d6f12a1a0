"""What the protocol's parties say: JWTs, keys, addresses, claims, Discord's events."""

import json
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import strategies as st

from broker.core import client_jwts, client_keys, htu, pkce, redirects
from broker.core.claims import read as read_claims
from broker.core.errors import BrokerError, ProtocolError
from broker.core.events import Delivery, DiscordEvents, UnsignedEvent
from broker.core.events import public_key as event_key
from broker.core.model import Client
from keys import files as key_files
from keys.errors import ImportRefused, InvalidToken, KeyRecordCorrupt, PassphraseMissing
from keys.jws import VerificationKey, verify_jwt
from keys.model import KeyRecord
from keys.pkcs11.reference import Reference
from keys.stores import document as key_document
from tests.core.helpers import NOW, Hands
from tests.core.signers import signs
from tests.fuzz.given import (
    addresses,
    anything,
    bodies,
    documents,
    objects,
    sound_but,
    texts,
    tokens,
)
from tests.fuzz.parser import Parser, each, nothing, ran, truth, whatever, writable

ISSUER: Final = "https://login.example"
CALLBACK: Final = "https://app.example/cb"
CLIENT: Final = Client("app", "App", redirect_uris=(CALLBACK,))
EVENT_KEY: Final = Ed25519PrivateKey.from_private_bytes(b"e" * 32)
SIGNS: Final = signs("ES256")
OURS: Final = signs("RS256")
OWN: Final = VerificationKey(OURS.kid, "RS256", OURS.key)
WITHDRAWAL: Final = {
    "type": "APPLICATION_DEAUTHORIZED",
    "timestamp": "2024-01-01T00:00:00Z",
    "data": {"user": {"id": "1"}},
}
RECORD: Final = KeyRecord("kid", "RS256", {"kty": "RSA"}, b"sealed", "", 1.0, 2.0, 3.0)


def verified(token: str) -> Any:
    return verify_jwt(token, lambda kid: OWN if kid == OWN.kid else None, typ="at+jwt")


def parties_and_times(claims: dict[str, Any]) -> Any:
    client_jwts.check_times(claims, NOW, 60, exp=True, nbf_age=60)
    return client_jwts.audiences(claims), client_jwts.text(claims, "sub")


class _Accounts:
    """Knows nobody, and looks at what it is asked."""

    async def deauthorized(self, upstream: str, subject: str, *, at: float, now: float) -> None:
        writable(None, subject)
        assert upstream == "discord"
        assert at <= now


EVENTS: Final = DiscordEvents(
    EVENT_KEY.public_key(), "app", _Accounts(), None, clock=Hands(NOW), skew=5
)


def taken(given: tuple[str, str, bytes, bool]) -> Any:
    """An event as it comes, or the same well signed."""
    signature, timestamp, body, sound = given
    if sound:
        timestamp = f"{NOW:.0f}"
        signature = EVENT_KEY.sign(timestamp.encode() + body).hex()
    return ran(EVENTS.take(Delivery(signature, timestamp, body)))


def key_documents(given: tuple[bytes, int, int]) -> Any:
    """Garbage, what was cut and what was altered: none of it is taken."""
    data, at, byte = given
    whole = bytearray(key_document.dump([RECORD], 7))
    cut = bytes(whole[: at % (len(whole) - 2)])
    whole[at % len(whole)] ^= byte
    for one in (data, cut, bytes(whole)):
        try:
            found = key_document.load(one, 7, "file")
        except KeyRecordCorrupt:
            continue
        assert found == (RECORD,), "altered, and taken"


def is_registered(_given: Any, answer: Any) -> None:
    assert answer == CALLBACK


jwk_sets = anything | st.lists(
    sound_but(SIGNS.jwk) | sound_but(OURS.jwk) | anything, max_size=3
).map(lambda keys: {"keys": keys})
withdrawals = sound_but(WITHDRAWAL)
events = (
    sound_but({"application_id": "app", "type": 1, "event": {"type": "OTHER"}})
    | withdrawals.map(lambda event: {"application_id": "app", "type": 1, "event": event})
    | objects("type", "event").map(lambda one: one | {"application_id": "app"})
)

PARSERS: Final[dict[str, Parser]] = {
    "client JWTs": Parser(
        lambda text: client_jwts.read(text, ("jwt",)),
        tokens("iss", "exp"),
        (client_jwts.BadJwt,),
        whatever,
        (SIGNS.sign({"iss": "app"}), SIGNS.sign({"iss": "app"}, typ="x"), SIGNS.sign("[" * 5000)),
    ),
    "times and parties of JWTs": Parser(
        parties_and_times,
        sound_but({"exp": NOW + 60, "nbf": NOW, "iat": NOW, "aud": ["a"], "sub": "a"}),
        (client_jwts.BadJwt,),
        whatever,
    ),
    "our own tokens": Parser(
        verified,
        tokens("iss", "sub"),
        (InvalidToken,),
        whatever,
        tuple(
            OURS.sign(claims, typ="at+jwt", kid=kid)
            for kid in (OWN.kid, "other")
            for claims in ({"iss": ISSUER}, "[" * 5000, "null")
        ),
    ),
    "JWK Sets": Parser(
        each(client_keys.read, lambda jwks: list(client_keys.faults(jwks))),
        jwk_sets,
        (client_keys.UnusableKey,),
        whatever,
    ),
    "texts of JWK Sets": Parser(client_keys.set_in, documents(jwk_sets), (ValueError,), whatever),
    "htu": Parser(lambda text: htu.same_address(text, f"{ISSUER}/token"), addresses, judge=truth),
    "code verifiers": Parser(
        pkce.challenge_of, texts | st.text("aZ9-._~", min_size=43, max_size=128)
    ),
    "code challenges": Parser(
        lambda pair: pkce.challenge(*pair, required=True),
        st.tuples(texts, texts | st.just("S256")),
        (ProtocolError,),
    ),
    "redirect URIs": Parser(
        lambda text: redirects.resolve(CLIENT, text), addresses, (BrokerError,), is_registered
    ),
    "claims": Parser(
        lambda pair: read_claims(*pair, CLIENT),
        st.tuples(documents(objects("userinfo", "id_token")), texts),
        (ProtocolError,),
        whatever,
    ),
    "Discord's events": Parser(
        taken,
        st.tuples(
            texts | st.just("ab" * 64), texts | st.just(f"{NOW:.0f}"), bodies(events), st.booleans()
        ),
        (UnsignedEvent,),
        nothing,
        tuple(
            (
                "",
                "",
                json.dumps({"application_id": "app", "type": 1, "event": one}).encode(),
                True,
            )
            for one in (WITHDRAWAL, WITHDRAWAL | {"timestamp": "0001-01-01T00:00:00+23:59"})
        ),
    ),
    "Discord's key": Parser(
        event_key,
        texts | st.text("0123456789abcdef", min_size=64, max_size=64),
        (ValueError,),
        whatever,
    ),
    "key files": Parser(
        key_files.read,
        bodies(jwk_sets | sound_but(SIGNS.private_jwk)),
        (ImportRefused, PassphraseMissing),
        whatever,
        (json.dumps(SIGNS.private_jwk).encode(), SIGNS.key.as_pem(), b"[" * 5000),
    ),
    "documents of our keys": Parser(
        key_documents,
        st.tuples(
            bodies(objects("format", "version", "keys")), st.integers(0, 400), st.integers(1, 255)
        ),
        judge=nothing,
        seeds=((key_document.dump([RECORD], 7), 0, 1),),
    ),
    "references to HSMs": Parser(
        lambda rest: Reference.decode("kid", b"pkcs11:" + rest),
        st.binary(max_size=60) | texts.map(str.encode) | st.just(b"serial=%zz;id=%0;type=private"),
        (KeyRecordCorrupt,),
        whatever,
    ),
}
