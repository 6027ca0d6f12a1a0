"""Keys as files: what is read, what is refused, what is written."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc.jwk import ECKey, OKPKey, RSAKey
from keys_helpers import START

from keys import files
from keys.errors import ImportRefused, KeyRecordCorrupt, PassphraseMissing
from keys.making import describe
from keys.model import KeyRecord

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
SHORT = rsa.generate_private_key(public_exponent=65537, key_size=1024)
P256, P384 = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP384R1())
ED = ed25519.Ed25519PrivateKey.generate()
PKCS8, OLD = PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL


def pem(key, form=PKCS8, seal=NoEncryption()) -> bytes:  # noqa: B008
    return key.private_bytes(Encoding.PEM, form, seal)


def public(key) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def jwk(key, *, private=True, **more) -> bytes:
    kinds = {rsa.RSAPrivateKey: RSAKey, ec.EllipticCurvePrivateKey: ECKey}
    kind = next((k for family, k in kinds.items() if isinstance(key, family)), OKPKey)
    return json.dumps(kind.import_key(key).as_dict(private=private) | more).encode()


def record(key, alg) -> KeyRecord:
    pair = describe(alg, key)
    return KeyRecord(pair.kid, alg, pair.public_jwk, b"", "x", START, START, START)


@pytest.mark.parametrize(
    ("data", "alg"),
    [
        (pem(RSA), "RS256"),
        (pem(RSA, OLD), "RS256"),
        (pem(P256), "ES256"),
        (pem(P256, OLD), "ES256"),
        (b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
         + pem(P256, OLD), "ES256"),
        (pem(ED), "EdDSA"),
        (jwk(RSA), "RS256"),
        (jwk(RSA, alg="PS256", use="sig", key_ops=["sign"]), "PS256"),
        (jwk(P256), "ES256"),
        (jwk(ED, alg="Ed25519"), "Ed25519"),
    ],
)  # fmt: skip
def test_private_keys_are_read(data, alg):
    """PKCS #8, PKCS #1, SEC 1 and JWK; the algorithm is what fits, or what the file says."""
    found = files.read(data)
    assert (found.alg, found.kid) == (alg, describe(alg, _source(alg)).kid)
    assert found.private is not None
    assert "d" not in found.public_jwk


def _source(alg):
    return {"RS256": RSA, "PS256": RSA, "ES256": P256}.get(alg, ED)


@pytest.mark.parametrize(
    ("data", "alg"),
    [
        (public(RSA), "RS256"),
        (RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1), "RS256"),
        (public(P256), "ES256"),
        (jwk(ED, private=False), "EdDSA"),
        (b'{"keys": [' + jwk(P256, private=False) + b"]}", "ES256"),
    ],
    ids=["PEM", "PKCS #1", "PEM of a curve", "JWK", "JWK set"],
)
def test_public_keys_are_read(data, alg):
    """PEM, JWK, and a JWK Set of one key; there is no private half in what comes of it."""
    found = files.read(data)
    assert (found.alg, found.private, found.kid) == (alg, None, describe(alg, _source(alg)).kid)


def test_the_algorithm_is_chosen():
    """The one asked for, else one that is preferred and fits."""
    assert files.read(pem(RSA), alg="PS256").alg == "PS256"
    assert files.read(pem(ED), preferred=("RS256", "Ed25519")).alg == "Ed25519"
    assert files.read(jwk(RSA, kid="theirs")).named == "theirs"


@pytest.mark.parametrize("form", [PKCS8, OLD])
def test_an_encrypted_key_opens_with_its_passphrase(form):
    """Without one that is said, so that it can be asked for; a wrong one is refused."""
    data = pem(RSA, form, BestAvailableEncryption(b"open sesame"))
    with pytest.raises(PassphraseMissing):
        files.read(data)
    with pytest.raises(ImportRefused, match="does not open it"):
        files.read(data, passphrase=b"wrong")
    assert files.read(data, passphrase=b"open sesame").private is not None
    assert files.read(pem(RSA), passphrase=b"not needed").private is not None


def _mixed(key, other) -> bytes:
    theirs = json.loads(jwk(other, private=False))
    return json.dumps(json.loads(jwk(key)) | {"x": theirs["x"]}).encode()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (pem(SHORT), "1024 bits are too few"),
        (public(SHORT), "1024 bits are too few"),
        (pem(P384), "secp384r1 is a key for none"),
        (public(P384), "secp384r1 is a key for none"),
        (pem(x25519.X25519PrivateKey.generate()), "OKP key is a key for none"),
        (jwk(RSA, use="enc"), "not for signatures"),
        (jwk(RSA, key_ops=["decrypt"]), "not for signatures"),
        (jwk(RSA, alg="RS512"), "RS512 is no algorithm of ours"),
        (jwk(RSA, alg="ES256"), "RSA key is no key for ES256"),
        (b'{"kty": "oct", "k": "c2VjcmV0"}', "shared secret"),
        (b'{"kty": "RSA", "n": 5}', "members of the JWK"),
        (b'{"kty": ["RSA"]}', "only RSA"),
        (b"{", "no JSON"),
        (b'{"keys": []}', "does not hold one key"),
        (b'{"keys": ["x"]}', "no JWK"),
        (_mixed(ED, ed25519.Ed25519PrivateKey.generate()), "do not belong together"),
        (_mixed(P256, ec.generate_private_key(ec.SECP256R1())), "members of the JWK"),
        (pem(RSA) + pem(P256), "more than one key"),
        (b"-----BEGIN CERTIFICATE-----\n", "is a certificate"),
        (pem(RSA)[:400], "no key that can be read"),
        (b"nothing", "neither PEM nor a JWK"),
        (b"{" + b" " * files.LARGEST, "longer than"),
    ],
)
def test_what_is_refused_says_why(data, why):
    """Weak, foreign, damaged, doubled, mixed: nothing of it is taken in."""
    with pytest.raises(ImportRefused, match=why):
        files.read(data)


def test_the_form_asked_for_counts():
    """A JWK is not taken for PEM where PEM was said."""
    with pytest.raises(ImportRefused, match="neither PEM"):
        files.read(jwk(RSA), form="pem")
    with pytest.raises(ImportRefused, match="no JSON"):
        files.read(pem(RSA), form="jwk")
    with pytest.raises(ImportRefused, match="is for PS256, not for RS256"):
        files.read(jwk(RSA, alg="PS256"), alg="RS256")


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=200)
    | st.builds(lambda b: b"-----BEGIN PRIVATE KEY-----\n" + b, st.binary(max_size=200))
    | st.dictionaries(
        st.sampled_from(["kty", "n", "e", "d", "x", "y", "crv", "alg", "use", "key_ops", "keys"]),
        st.sampled_from(["RSA", "EC", "OKP", "P-256", "AQAB", "sig", "", 1, None, [], [[]], {}]),
    ).map(lambda d: json.dumps(d).encode())
)  # fmt: skip
def test_no_file_breaks_the_reader(data):
    """Whatever it holds: a key, or a refusal."""
    with pytest.raises(ImportRefused):
        files.read(data)


@pytest.mark.parametrize(
    ("key", "alg"), [(RSA, "RS256"), (RSA, "PS256"), (P256, "ES256"), (ED, "Ed25519")]
)
def test_what_is_written_can_be_read_again(key, alg):
    """Public and private, PEM and JWK, with and without a passphrase."""
    held = record(key, alg)
    der = describe(alg, key).private
    for data in (files.public_pem(held), files.jwk(held)):
        assert b"PRIVATE" not in data
        assert b'"d"' not in data
        found = files.read(data, alg=alg)
        assert (found.kid, found.private) == (held.kid, None)
    sealed = files.private_pem(der, b"pass")
    assert b"ENCRYPTED" in sealed
    for data in (files.private_pem(der), sealed, files.jwk(held, der)):
        found = files.read(data, alg=alg, passphrase=b"pass")
        assert found.private is not None
        assert found.private.private == der
    assert json.loads(files.jwk(held, der))["kid"] == held.kid


def test_a_set_is_what_the_world_sees():
    """Public members, identifier, use and algorithm of each key."""
    found = json.loads(files.jwks([record(RSA, "RS256"), record(ED, "EdDSA")]))
    assert [sorted(one) for one in found["keys"]] == [
        ["alg", "e", "kid", "kty", "n", "use"],
        ["alg", "crv", "kid", "kty", "use", "x"],
    ]


def test_a_private_half_of_another_key_is_not_written():
    """A record whose private half was swapped is said to be damaged."""
    with pytest.raises(KeyRecordCorrupt, match="another key"):
        files.jwk(
            record(P256, "ES256"), describe("ES256", ec.generate_private_key(P256.curve)).private
        )
