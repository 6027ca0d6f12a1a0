"""Signed JWTs: made so that others can read them, and judged strictly."""

import base64
import hashlib
import hmac
import json
import warnings
from datetime import UTC, datetime

import jwt as pyjwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import RSAKey, import_key

from keys.algorithms import ALGORITHMS
from keys.errors import InvalidToken, KeyRecordCorrupt
from keys.jws import VerificationKey, sign_jwt, verify_jwt
from keys.making import make, public_key
from keys.signer import LocalSigner
from tests.signing import at_once

FRESH = make("RS256")
SIGNER = LocalSigner.load(FRESH.kid, "RS256", FRESH.private)
KEY = VerificationKey(FRESH.kid, "RS256", public_key(FRESH.kid, "RS256", FRESH.public_jwk))
CLAIMS = {"iss": "https://login.example", "sub": "ünï", "n": 1.5, "aud": ["a"], "x": None}


def find(kid):
    return KEY if kid == FRESH.kid else None


def b64(value) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(header, payload=CLAIMS) -> str:
    """A token with any header at all, under a signature that is right."""
    head = header if isinstance(header, str) else b64(header)
    body = f"{head}.{b64(payload)}"
    return f"{body}.{b64(at_once(SIGNER.sign(body.encode())))}"


GOOD = {"alg": "RS256", "kid": FRESH.kid, "typ": "at+jwt"}


def refused(token: str, match: str, **options) -> None:
    with pytest.raises(InvalidToken, match=match):
        verify_jwt(token, find, **{"typ": "at+jwt"} | options)


def test_other_libraries_verify_our_tokens():
    """Joserfc and PyJWT read the claims from the token and the public JWK alone."""
    token = at_once(sign_jwt(SIGNER, "at+jwt", CLAIMS))
    jwk = {**FRESH.public_jwk, "kid": FRESH.kid, "use": "sig", "alg": "RS256"}
    read = joserfc_jwt.decode(token, RSAKey.import_key(jwk), algorithms=["RS256"])
    assert read.claims == CLAIMS
    assert read.header == GOOD
    options = {"verify_aud": False}
    assert pyjwt.decode(token, pyjwt.PyJWK(jwk), ["RS256"], options=options) == CLAIMS


def test_we_verify_our_tokens():
    """What `sign_jwt` makes `verify_jwt` takes, with the type in any case and long or short."""
    assert verify_jwt(at_once(sign_jwt(SIGNER, "at+jwt", CLAIMS)), find, typ="at+jwt") == CLAIMS
    for typ in ("AT+JWT", "application/at+jwt", "Application/At+Jwt"):
        assert verify_jwt(signed({**GOOD, "typ": typ}), find, typ="at+jwt") == CLAIMS


def test_the_bytes_of_a_token_are_stable():
    """Header members in order, no blanks: the header segment is the same for every token."""
    head, body, _ = at_once(sign_jwt(SIGNER, "JWT", {"a": 1})).split(".")
    assert base64.urlsafe_b64decode(head + "==").decode() == (
        f'{{"alg":"RS256","kid":"{FRESH.kid}","typ":"JWT"}}'
    )
    assert body == b64(b'{"a":1}')


def test_a_number_json_does_not_have_is_not_signed():
    """NaN and infinity never reach a token."""
    with pytest.raises(ValueError, match="JSON"):
        at_once(sign_jwt(SIGNER, "JWT", {"exp": float("nan")}))


@pytest.mark.parametrize("odd", [KEY, datetime(2024, 1, 1, tzinfo=UTC), {1}, b"x"])
def test_what_is_no_json_value_is_not_signed(odd):
    """A record or a moment never reaches a token by mistake, field by field."""
    with pytest.raises(TypeError, match="JSON"):
        at_once(sign_jwt(SIGNER, "JWT", {"odd": odd}))


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "", None, 1, ["RS256"], "HS256", "RS512"])
def test_other_algorithms_are_refused(alg):
    """`none` and everything else that is not on the list, right signature or not."""
    refused(signed({**GOOD, "alg": alg}), "alg is not accepted")


def test_no_signature_is_refused():
    """An unsigned token is not even a compact JWS here."""
    refused(f"{b64({**GOOD, 'alg': 'none'})}.{b64(CLAIMS)}.", "not a compact")


@pytest.mark.parametrize(
    ("encoding", "form"),
    [
        (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        (Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        (Encoding.PEM, PublicFormat.PKCS1),
        (Encoding.DER, PublicFormat.PKCS1),
        (Encoding.OpenSSH, PublicFormat.OpenSSH),
    ],
)
@pytest.mark.parametrize("alg", ["HS256", "RS256"])
def test_the_public_key_is_no_shared_secret(encoding, form, alg):
    """An HMAC under the public key in any encoding is refused, whatever `alg` says."""
    secret = SIGNER._private.public_key().public_bytes(encoding, form)
    body = f"{b64({**GOOD, 'alg': alg})}.{b64(CLAIMS)}"
    forged = f"{body}.{b64(hmac.digest(secret, body.encode(), hashlib.sha256))}"
    refused(forged, "alg is not accepted|signature is wrong")


@pytest.mark.parametrize(
    "extra",
    [
        {"jwk": FRESH.public_jwk},
        {"jku": "https://evil.example/jwks"},
        {"x5u": "https://evil.example/cert"},
        {"x5c": ["MIIB"]},
        {"x5t": "a"},
        {"crit": []},
        {"crit": ["kid"]},
        {"crit": ["b64"], "b64": False},
        {"cty": "JWT"},
        {"zip": "DEF"},
    ],
    ids="-".join,
)
def test_further_header_members_are_refused(extra):
    """Keys carried or pointed to, `crit` even empty, anything unknown: refused, rightly signed."""
    refused(signed({**GOOD, **extra}), "other members")


@pytest.mark.parametrize("missing", ["alg", "kid", "typ"])
def test_every_header_member_is_needed(missing):
    """A token without `kid`, `alg` or `typ` is not ours."""
    refused(signed({k: v for k, v in GOOD.items() if k != missing}), "other members")


@pytest.mark.parametrize(
    "kid",
    [
        "../../etc/passwd",
        "' OR 1=1 --",
        "x" * 129,
        "x" * 9000,
        "",
        "\x00",
        "https://evil.example/k",
        None,
        7,
        ["k"],
        {"k": 1},
        True,
    ],
    ids=lambda kid: repr(kid)[:20],
)
def test_hostile_kids_are_plain_refusals(kid):
    """A path, SQL, a URL: refused like any unknown one; what is huge or no text is not sought."""
    asked = []
    with pytest.raises(InvalidToken, match="kid is"):
        verify_jwt(signed({**GOOD, "kid": kid}), asked.append, typ="at+jwt")
    assert asked == ([kid] if isinstance(kid, str) and len(kid) < 129 else [])


@pytest.mark.parametrize("typ", ["JWT", "at+jwtx", "application/application/at+jwt", "", 1, None])
def test_another_type_is_refused(typ):
    """An ID token is no access token, and the reverse."""
    refused(signed({**GOOD, "typ": typ}), "typ is not")


@pytest.mark.parametrize(
    "header", [b64([1]), b64("x"), b64(b"{"), b64(b"\xff"), b64(b"[" * 3000), b64(b"null")]
)
def test_a_header_that_is_no_object_is_refused(header):
    """Lists, text, half an object, bytes that are no text, very deep nesting."""
    refused(signed(header), "header is not")


def test_a_header_member_given_twice_is_refused():
    """Two readers could disagree about which one counts."""
    twice = f'{{"alg":"none","alg":"RS256","kid":"{FRESH.kid}","typ":"at+jwt"}}'
    refused(signed(b64(twice.encode())), "header is not JSON")


@pytest.mark.parametrize("payload", [[1], "text", None, b"{", b"\xff", b"[" * 5000])
def test_a_payload_that_is_no_object_is_refused(payload):
    """Even under a right signature."""
    refused(signed(GOOD, payload), "payload")


def test_the_signature_covers_every_part():
    """Another payload, another header or a bent signature under the same rest is refused."""
    head, body, signature = signed(GOOD).split(".")
    bent = signature[:10] + ("A" if signature[10] != "A" else "B") + signature[11:]
    refused(f"{head}.{b64({'sub': 'evil'})}.{signature}", "signature is wrong")
    refused(f"{b64({**GOOD, 'typ': 'AT+JWT'})}.{body}.{signature}", "signature is wrong")
    refused(f"{head}.{body}.{bent}", "signature is wrong")


@pytest.mark.parametrize(
    "token", ["", ".", "..", "a.b", "a.b.c.d", "a.b.c.d.e", "a b.c.d", "ä.b.c", "a.b.c\n", "a=.b.c"]
)
def test_what_is_no_compact_jws_is_refused(token):
    """Wrong number of parts, padding, blanks, other letters."""
    refused(token, "not a compact|header")


def test_a_very_long_token_is_not_looked_at():
    """The limit counts before anything is decoded."""
    refused("a" * 16_385, "longer")


@pytest.mark.parametrize("alg", sorted(set(ALGORITHMS) - {"RS256"}))
def test_the_algorithm_belongs_to_the_key(alg):
    """A token may not choose another algorithm for a key, were it one of ours (RFC 8725 §3.1)."""
    refused(signed({**GOOD, "alg": alg}), "of that key")


@pytest.mark.parametrize("alg", sorted(ALGORITHMS))
def test_every_algorithm_signs_what_others_verify(alg):
    """Joserfc takes a token of each algorithm by its public JWK alone, and so do we."""
    fresh = make(alg)
    token = at_once(sign_jwt(LocalSigner.load(fresh.kid, alg, fresh.private), "JWT", CLAIMS))
    jwk = {**fresh.public_jwk, "kid": fresh.kid, "use": "sig", "alg": alg}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the name EdDSA
        assert joserfc_jwt.decode(token, import_key(jwk), algorithms=[alg]).claims == CLAIMS
    if alg != "Ed25519":  # PyJWT knows its older name alone
        options = {"verify_aud": False}
        assert pyjwt.decode(token, pyjwt.PyJWK(jwk), [alg], options=options) == CLAIMS
    key = VerificationKey(fresh.kid, alg, public_key(fresh.kid, alg, fresh.public_jwk))
    assert verify_jwt(token, {fresh.kid: key}.get, typ="JWT") == CLAIMS
    head, _, signature = token.rpartition(".")
    for other in (signature[:-4] + "AAAA", "AAAA", signature + "AAAA"):
        with pytest.raises(InvalidToken):
            verify_jwt(f"{head}.{other}", {fresh.kid: key}.get, typ="JWT")


@pytest.mark.parametrize("alg", sorted(ALGORITHMS))
def test_a_key_is_good_for_its_own_kind_alone(alg):
    """A stored half of another kind of key is a damaged record, whatever its name."""
    fresh = make(alg)
    for other in ALGORITHMS:
        if ALGORITHMS[other].family is ALGORITHMS[alg].family:
            continue
        with pytest.raises(KeyRecordCorrupt):
            LocalSigner.load(fresh.kid, other, fresh.private)
        with pytest.raises(KeyRecordCorrupt):
            public_key(fresh.kid, other, fresh.public_jwk)


def test_a_private_half_is_checked_against_its_name():
    """A key stored under another key's `kid`, or no key at all, never signs."""
    with pytest.raises(KeyRecordCorrupt, match="belongs to another key"):
        LocalSigner.load("another", "RS256", FRESH.private)
    with pytest.raises(KeyRecordCorrupt, match="not a key"):
        LocalSigner.load("another", "RS256", b"nonsense")


def test_a_kid_can_be_typed_on_a_command_line():
    """None begins like an option; without care one in 64 would."""
    assert not [kid for kid in (make("Ed25519").kid for _ in range(600)) if kid.startswith("-")]
