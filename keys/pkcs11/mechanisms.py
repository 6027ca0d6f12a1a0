"""How each signature algorithm is called in PKCS#11: how its keys are made, seen and used."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag
from pkcs11.mechanisms import MGF
from pkcs11.types import PublicKey, Session, SignMixin

from keys.algorithms import PUBLIC_EXPONENT, RSA_BITS

Seen = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey

_SIGNING: Final = MechanismFlag.SIGN | MechanismFlag.VERIFY
_SECRET: Final = {
    Attribute.PRIVATE: True,
    Attribute.SENSITIVE: True,
    Attribute.EXTRACTABLE: False,
}
_P256: Final = bytes.fromhex("06082a8648ce3d030107")  # the curve's object identifier, in DER
_ED25519: Final = bytes.fromhex("06032b6570")
_P256_POINT: Final = 65  # 0x04, then both coordinates (SEC 1 §2.3.3)
_ED25519_POINT: Final = 32


def _whole(message: bytes) -> bytes:
    return message


def _digest(message: bytes) -> bytes:
    return sha256(message).digest()


@dataclass(frozen=True, slots=True)
class Way:
    """One way to have a signature made.

    Attributes:
        mechanism: What the device does.
        parameters: Its parameters.
        prepare: Makes of a message what the mechanism takes.
    """

    mechanism: Mechanism
    parameters: Any = None
    prepare: Callable[[bytes], bytes] = _whole

    def sign(self, key: SignMixin, message: bytes) -> bytes:
        """Return the raw JWS signature: PKCS#11 writes R and S side by side, as JWS does."""
        return key.sign(
            self.prepare(message), mechanism=self.mechanism, mechanism_param=self.parameters
        )


@dataclass(frozen=True, slots=True)
class DeviceAlgorithm:
    """A signature algorithm as a device has it.

    Attributes:
        generation: The mechanism that makes its key pairs.
        ways: How to have it sign, the first that the device knows.
        generate: Makes a key pair of these names and returns its public object.
        see: Reads the public key of that object.
    """

    generation: Mechanism
    ways: tuple[Way, ...]
    generate: Callable[[Session, dict[str, Any]], PublicKey]
    see: Callable[[PublicKey], Seen]

    def way(self, known: Collection[int]) -> Way | None:
        """Return how a device that knows these mechanisms signs; None where it cannot."""
        if self.generation not in known:
            return None
        return next((way for way in self.ways if way.mechanism in known), None)

    def missing(self, known: Collection[int]) -> str:
        """Return the mechanisms that a device lacks, as PKCS#11 names them."""
        names = [] if self.generation in known else [f"CKM_{self.generation.name}"]
        if not any(way.mechanism in known for way in self.ways):
            names += [" or ".join(f"CKM_{way.mechanism.name}" for way in self.ways)]
        return " and ".join(names)


def names(object_id: bytes, label: str) -> dict[str, Any]:
    """Return what a key pair is made with: names, and that it only signs and stays inside."""
    return {
        "id": object_id,
        "label": label,
        "store": True,
        "capabilities": _SIGNING,
        "private_template": _SECRET,
    }


def _make_rsa(session: Session, named: dict[str, Any]) -> PublicKey:
    return session.generate_keypair(KeyType.RSA, RSA_BITS, **named)[0]


def _see_rsa(public: PublicKey) -> rsa.RSAPublicKey:
    found = public.get_attributes([Attribute.MODULUS, Attribute.PUBLIC_EXPONENT])
    modulus = int.from_bytes(found[Attribute.MODULUS], "big")
    exponent = int.from_bytes(found[Attribute.PUBLIC_EXPONENT], "big")
    if modulus.bit_length() != RSA_BITS or exponent != PUBLIC_EXPONENT:
        raise ValueError("an RSA key of another size than was asked for")
    return rsa.RSAPublicNumbers(exponent, modulus).public_key()


def _on_curve(kind: KeyType, curve: bytes) -> Callable[[Session, dict[str, Any]], PublicKey]:
    def generate(session: Session, named: dict[str, Any]) -> PublicKey:
        parameters = {Attribute.EC_PARAMS: curve}
        domain = session.create_domain_parameters(kind, parameters, local=True)
        return domain.generate_keypair(**named)[0]

    return generate


# A point is in a DER octet string, in a bit string or bare, as the device likes: it comes last.


def _see_p256(public: PublicKey) -> ec.EllipticCurvePublicKey:
    point = public[Attribute.EC_POINT][-_P256_POINT:]
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)


def _see_ed25519(public: PublicKey) -> ed25519.Ed25519PublicKey:
    point = public[Attribute.EC_POINT][-_ED25519_POINT:]
    return ed25519.Ed25519PublicKey.from_public_bytes(point)


def _rsa(way: Way) -> DeviceAlgorithm:
    return DeviceAlgorithm(Mechanism.RSA_PKCS_KEY_PAIR_GEN, (way,), _make_rsa, _see_rsa)


_PSS: Final = (Mechanism.SHA256, MGF.SHA256, 32)  # RFC 7518 §3.5
_EDWARDS: Final = DeviceAlgorithm(
    Mechanism.EC_EDWARDS_KEY_PAIR_GEN,
    (Way(Mechanism.EDDSA),),
    _on_curve(KeyType.EC_EDWARDS, _ED25519),
    _see_ed25519,
)

DEVICE_ALGORITHMS: Final = {
    "RS256": _rsa(Way(Mechanism.SHA256_RSA_PKCS)),
    "PS256": _rsa(Way(Mechanism.SHA256_RSA_PKCS_PSS, _PSS)),
    "ES256": DeviceAlgorithm(
        Mechanism.EC_KEY_PAIR_GEN,
        (Way(Mechanism.ECDSA_SHA256), Way(Mechanism.ECDSA, prepare=_digest)),
        _on_curve(KeyType.EC, _P256),
        _see_p256,
    ),
    "EdDSA": _EDWARDS,
    "Ed25519": _EDWARDS,
}
"""Every algorithm of `keys.algorithms`, by name."""
