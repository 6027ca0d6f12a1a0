"""Keys as files: PEM (RFC 7468; PKCS #8, PKCS #1, SEC 1) and JWK (RFC 7517), read and written."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_pem_private_key,
    load_pem_public_key,
)
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from keys.algorithms import ALGORITHMS, RSA_BITS
from keys.errors import ImportRefused, PassphraseMissing
from keys.jwks import public_members
from keys.making import FreshKey, describe, private_key, public_key
from keys.model import KeyRecord

Form = Literal["auto", "pem", "jwk"]

LARGEST: Final = 1 << 16
"""The longest file that is looked at, in bytes."""

MOST_RSA_BITS: Final = 8192
"""A longer RSA key would make every verifier pay for it."""

_CLASSES: Final[dict[str, type[RSAKey] | type[ECKey] | type[OKPKey]]] = {
    "RSA": RSAKey,
    "EC": ECKey,
    "OKP": OKPKey,
}


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A key as a file held it, checked.

    Attributes:
        alg: The algorithm it is to be used with.
        kid: The RFC 7638 thumbprint.
        public_jwk: The public members of its JWK.
        private: The pair, where the file held a private key.
        named: The `kid` the file itself gave, or None.
    """

    alg: str
    kid: str
    public_jwk: dict[str, Any]
    private: FreshKey | None
    named: str | None


def read(
    data: bytes,
    *,
    form: Form = "auto",
    alg: str | None = None,
    preferred: Sequence[str] = (),
    passphrase: bytes | None = None,
) -> KeyFile:
    """Return the one key of a file.

    Args:
        data: What the file holds.
        form: `pem`, `jwk`, or `auto`: whichever it looks like.
        alg: The algorithm to use it with. Default: what the file says, else the first of
            `preferred` that it fits, else the first that there is.
        preferred: Algorithms to think of first.
        passphrase: What an encrypted private key opens with.

    Raises:
        PassphraseMissing: It is encrypted, and no passphrase was given.
        ImportRefused: It is no key, more than one, too weak, of another algorithm, or not for
            signatures; the message says which.
    """
    if len(data) > LARGEST:
        raise ImportRefused(f"the file is longer than {LARGEST} bytes; one key is not")
    looks = "jwk" if data.lstrip()[:1] == b"{" else "pem"
    if (looks if form == "auto" else form) == "jwk":
        key, members = _of_jwk(data)
    else:
        key, members = _of_pem(data, passphrase), {}
    said = _text(members.get("alg"))
    if alg and said and alg != said:
        raise ImportRefused(f"the JWK is for {said}, not for {alg}")
    chosen = _algorithm(key, alg or said, preferred)
    if isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
        pair = describe(chosen, key)
        kid, public, private = pair.kid, pair.public_jwk, pair
    else:
        wrapped = ALGORITHMS[chosen].jwk.import_key(key)
        kid, private = wrapped.thumbprint(), None
        public = ALGORITHMS[chosen].published(wrapped.as_dict(private=False))
    if any(public[name] != members.get(name, public[name]) for name in public):
        raise ImportRefused("the two halves of the JWK do not belong together")
    return KeyFile(chosen, kid, public, private, _text(members.get("kid")))


def _of_pem(data: bytes, passphrase: bytes | None) -> Any:
    if b"-----BEGIN" not in data:
        raise ImportRefused("it is neither PEM nor a JWK")
    if b"BEGIN CERTIFICATE" in data:
        raise ImportRefused("it is a certificate; take its key out: openssl x509 -pubkey -noout")
    if data.count(b"-----BEGIN") != 1 and b"BEGIN EC PARAMETERS" not in data:
        raise ImportRefused("it holds more than one key; import them one by one")
    try:
        if b"PUBLIC KEY-----" in data:
            return load_pem_public_key(data)
        return load_pem_private_key(data, passphrase)
    except TypeError:
        if passphrase is None:
            raise PassphraseMissing("the private key is encrypted; a passphrase opens it") from None
        return load_pem_private_key(data, None)
    except (ValueError, UnsupportedAlgorithm):
        if passphrase is not None and b"ENCRYPTED" in data:
            raise ImportRefused("the passphrase does not open it, or it is damaged") from None
        raise ImportRefused("it is no key that can be read, or is damaged") from None


def _of_jwk(data: bytes) -> tuple[Any, dict[str, Any]]:
    """Return the key of a JWK, or of a JWK Set of one, and its members."""
    try:
        members = json.loads(data)
    except (ValueError, RecursionError):
        raise ImportRefused("it is no JSON") from None
    if isinstance(members, dict) and isinstance(members.get("keys"), list):
        if len(members["keys"]) != 1:
            raise ImportRefused("the JWK Set does not hold one key; import them one by one")
        members = members["keys"][0]
    if not isinstance(members, dict):
        raise ImportRefused("it is no JWK")
    kty = members.get("kty")
    kind = _CLASSES.get(kty) if isinstance(kty, str) else None
    if kind is None:
        raise ImportRefused(
            "only RSA, EC and OKP keys are taken; a shared secret signs nothing here"
        )
    purposes = members.get("key_ops") or ["sign"]
    listed = isinstance(purposes, list) and any(one in purposes for one in ("sign", "verify"))
    if members.get("use", "sig") != "sig" or not listed:
        raise ImportRefused("the JWK is not for signatures (use, key_ops)")
    try:
        key = kind.import_key({n: v for n, v in members.items() if n not in {"key_ops", "alg"}})
        half = key.private_key or key.public_key
    except (JoseError, KeyError, TypeError, ValueError, UnsupportedAlgorithm):
        raise ImportRefused("the members of the JWK are no key") from None
    return half, members


def _algorithm(key: Any, wanted: str | None, preferred: Sequence[str]) -> str:
    """Return the algorithm a key is for.

    Raises:
        ImportRefused: It fits none, or not the one that is wanted.
    """
    _refuse_weak(key)
    if wanted is not None:
        if wanted not in ALGORITHMS:
            raise ImportRefused(f"{wanted} is no algorithm of ours: {', '.join(ALGORITHMS)}")
        if not _fits(key, wanted):
            raise ImportRefused(f"{_kind(key)} is no key for {wanted}")
        return wanted
    for name in (*preferred, *ALGORITHMS):
        if _fits(key, name):
            return name
    raise ImportRefused(f"{_kind(key)} is a key for none of {', '.join(ALGORITHMS)}")


def _refuse_weak(key: Any) -> None:
    if isinstance(key, rsa.RSAPrivateKey | rsa.RSAPublicKey):
        if key.key_size < RSA_BITS:
            raise ImportRefused(f"its {key.key_size} bits are too few; {RSA_BITS} are the least")
        if key.key_size > MOST_RSA_BITS:
            raise ImportRefused(f"its {key.key_size} bits are too many; {MOST_RSA_BITS} are enough")


def _fits(key: Any, name: str) -> bool:
    algorithm = ALGORITHMS[name]
    if isinstance(key, rsa.RSAPublicKey):
        return algorithm.family is rsa.RSAPrivateKey
    if isinstance(key, ec.EllipticCurvePublicKey):
        p256 = isinstance(key.curve, ec.SECP256R1)
        return p256 and algorithm.family is ec.EllipticCurvePrivateKey
    if isinstance(key, ed25519.Ed25519PublicKey):
        return algorithm.family is ed25519.Ed25519PrivateKey
    return algorithm.fits(key)


def _kind(key: Any) -> str:
    if isinstance(key, ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey):
        return f"an EC key on the curve {key.curve.name}"
    return f"an {'RSA' if isinstance(key, rsa.RSAPrivateKey | rsa.RSAPublicKey) else 'OKP'} key"


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


# ── writing ────────────────────────────────────────────────────────────────────────────────


def public_pem(record: KeyRecord) -> bytes:
    """Return the public half as PEM (SubjectPublicKeyInfo).

    Raises:
        KeyRecordCorrupt: It is no public key of its algorithm, or not the one it is named for.
    """
    key = public_key(record.kid, record.alg, record.public_jwk).public_key
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def private_pem(private: bytes, passphrase: bytes | None = None) -> bytes:
    """Return a private half (PKCS #8 in DER) as PEM, encrypted where a passphrase is given."""
    seal: KeySerializationEncryption = NoEncryption()
    if passphrase is not None:
        seal = BestAvailableEncryption(passphrase)
    key = load_der_private_key(private, None)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, seal)


def jwk(record: KeyRecord, private: bytes | None = None) -> bytes:
    """Return a key as a JWK, with its private members where the private half is given.

    Raises:
        KeyRecordCorrupt: The private half is not that of the record.
    """
    members = public_members(record)
    if private is not None:
        key: Any = private_key(record.kid, record.alg, private)
        members = ALGORITHMS[record.alg].jwk.import_key(key).as_dict(private=True) | members
    return _json(members)


def jwks(records: Iterable[KeyRecord]) -> bytes:
    """Return the public halves as a JWK Set."""
    return _json({"keys": [public_members(record) for record in records]})


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=2) + "\n").encode()
