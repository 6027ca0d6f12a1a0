"""The signature algorithms: how their keys are made and recognised, how they sign.

Each has a line of keys of its own. Names are those of JWS headers (RFC 7518 §3.1, RFC 8037 §3.1,
RFC 9864 §2.2); `EdDSA` is what libraries know, `Ed25519` is what the specifications want now.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.jwk import ECKey, OKPKey, RSAKey

RSA_BITS: Final = 2048
PUBLIC_EXPONENT: Final = 65537

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
PublicKey = RSAKey | ECKey | OKPKey

_HASH: Final = SHA256()
_PKCS1: Final = PKCS1v15()
_PSS: Final = PSS(mgf=MGF1(_HASH), salt_length=_HASH.digest_size)
_ECDSA: Final = ec.ECDSA(_HASH)


@dataclass(frozen=True, slots=True)
class Algorithm:
    """One signature algorithm.

    Attributes:
        name: The `alg` of its signatures.
        family: The class of its private keys.
        jwk: joserfc's class of its public keys.
        members: The members of its public JWK, `kty` first.
        generate: Makes a private key.
        sign: Returns the raw JWS signature of a private key over some bytes.
        token_hash: The hash of `at_hash` beside it (OpenID Connect Core §3.1.3.6).
    """

    name: str
    family: type[Any]
    jwk: type[PublicKey]
    members: tuple[str, ...]
    generate: Callable[[], PrivateKey]
    sign: Callable[[Any, bytes], bytes]
    token_hash: str = "sha256"

    def fits(self, private: object) -> bool:
        """Tell whether a private key is one this algorithm signs with."""
        if not isinstance(private, self.family):
            return False
        if isinstance(private, rsa.RSAPrivateKey):
            return private.key_size >= RSA_BITS
        if isinstance(private, ec.EllipticCurvePrivateKey):
            return isinstance(private.curve, ec.SECP256R1)
        return True

    def published(self, public_jwk: dict[str, Any]) -> dict[str, Any]:
        """Return the members of a public JWK that belong to it.

        Raises:
            KeyError: One is missing.
        """
        return {member: public_jwk[member] for member in self.members}


def _rsa() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=PUBLIC_EXPONENT, key_size=RSA_BITS)


def _p256() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _sign_rs256(key: rsa.RSAPrivateKey, message: bytes) -> bytes:
    return key.sign(message, _PKCS1, _HASH)


def _sign_ps256(key: rsa.RSAPrivateKey, message: bytes) -> bytes:
    return key.sign(message, _PSS, _HASH)


def _sign_es256(key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    """Return R and S side by side, not in DER (RFC 7518 §3.4)."""
    r, s = decode_dss_signature(key.sign(message, _ECDSA))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _sign_ed25519(key: ed25519.Ed25519PrivateKey, message: bytes) -> bytes:
    return key.sign(message)


def _edwards(name: str) -> Algorithm:
    return Algorithm(
        name,
        ed25519.Ed25519PrivateKey,
        OKPKey,
        ("kty", "crv", "x"),
        ed25519.Ed25519PrivateKey.generate,
        _sign_ed25519,
        token_hash="sha512",  # the hash inside Ed25519
    )


_RSA_MEMBERS: Final = ("kty", "n", "e")

ALGORITHMS: Final = {
    algorithm.name: algorithm
    for algorithm in (
        Algorithm("RS256", rsa.RSAPrivateKey, RSAKey, _RSA_MEMBERS, _rsa, _sign_rs256),
        Algorithm("PS256", rsa.RSAPrivateKey, RSAKey, _RSA_MEMBERS, _rsa, _sign_ps256),
        Algorithm(
            "ES256",
            ec.EllipticCurvePrivateKey,
            ECKey,
            ("kty", "crv", "x", "y"),
            _p256,
            _sign_es256,
        ),
        _edwards("EdDSA"),
        _edwards("Ed25519"),
    )
}
"""Every algorithm there is, by name; RS256 is always on (OpenID Connect Core §15.1)."""
