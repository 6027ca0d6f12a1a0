"""DPoP proofs: what one has to be, and what it is not taken for (RFC 9449 §4.3)."""

import string
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core import dpop
from broker.core.client_jwts import BadJwt, members
from broker.core.dpop import Nonces, Proofs
from broker.core.errors import InvalidDpopProof, InvalidGrant, UseDpopNonce
from broker.core.htu import same_address
from broker.core.model import Client
from broker.core.pkce import encode
from broker.core.ports import Proof, Refusal
from tests.core.helpers import NOW, OTHER_SECRET, SECRET, Hands
from tests.core.signers import Signs, signs
from tests.protocol.tokens import b64
from tests.signing import at_once

ISSUER = "https://id.example"
KEY = signs("ES256")
ALGORITHMS = ["PS256", "ES256", "EdDSA", "Ed25519"]


class Memory:
    """The ``Once`` port over a set."""

    def __init__(self) -> None:
        self.seen: set[str] = set()

    async def spend_once(self, digest: str, ttl: int) -> bool:
        fresh = digest not in self.seen
        self.seen.add(digest)
        return fresh


def proofs(nonces: Nonces | None = None, at: float = NOW) -> Proofs:
    return Proofs(ISSUER, Memory(), Hands(at), 60, nonces)


def public(key: Signs) -> dict[str, Any]:
    return dict(key.key.as_dict(private=False))


def made(key: Signs = KEY, header: dict[str, Any] | None = None, **claims: Any) -> str:
    """A good proof for POST /token; claims and members of the header changed, None leaves out."""
    named = {"jti": "one", "htm": "POST", "htu": f"{ISSUER}/token", "iat": int(NOW)} | claims
    head = {"typ": "dpop+jwt", "kid": None, "jwk": public(key)} | (header or {})
    return key.sign({name: value for name, value in named.items() if value is not None}, **head)


def judged(proof: str, at: float = NOW, **more: Any) -> Proof:
    return proofs(at=at).judge(proof, "/token", **more)


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_every_algorithm_of_the_metadata(alg: str) -> None:
    """A good proof names its key by the thumbprint of RFC 7638."""
    key = signs(alg)
    assert judged(made(key)).jkt == key.key.thumbprint()


def test_an_rsa_key_proves_by_ps256_alone() -> None:
    """FAPI 2.0 §5.4.1: RS256 is not among the algorithms, whatever else it is good for."""
    with pytest.raises(InvalidDpopProof):
        judged(made(signs("RS256")))


def test_the_thumbprint_does_not_depend_on_how_the_key_is_written() -> None:
    """Members that are not the key's own do not count (RFC 7638 §3)."""
    more = {"jwk": {"kid": "x", "use": "sig", "alg": "ES256", **public(KEY)}}
    assert judged(made(header=more)).jkt == judged(made()).jkt


@pytest.mark.parametrize("typ", ["DPoP+JWT", "application/dpop+jwt", "Application/dpop+jwt"])
def test_the_type_is_a_media_type(typ: str) -> None:
    """RFC 7515 §4.1.9: in any letters, in full or without ``application/``."""
    assert judged(made(header={"typ": typ})).jkt == judged(made()).jkt


BAD_CLAIMS = [
    ("no jti", {"jti": None}),
    ("empty jti", {"jti": ""}),
    ("jti is a number", {"jti": 7}),
    ("huge jti", {"jti": "j" * 513}),
    ("another method", {"htm": "GET"}),
    ("the method in other letters", {"htm": "post"}),
    ("no method", {"htm": None}),
    ("another path", {"htu": f"{ISSUER}/userinfo"}),
    ("another host", {"htu": "https://evil.example/token"}),
    ("another scheme", {"htu": "http://id.example/token"}),
    ("no address", {"htu": None}),
    ("a list of addresses", {"htu": [f"{ISSUER}/token"]}),
    ("old", {"iat": int(NOW) - 121}),
    ("from the future", {"iat": int(NOW) + 61}),
    ("no iat", {"iat": None}),
    ("iat is text", {"iat": str(int(NOW))}),
    ("iat is true", {"iat": True}),
    ("iat is no number", {"iat": float("nan")}),
    ("expired", {"exp": int(NOW) - 1}),
    ("not begun", {"nbf": int(NOW) + 100}),
]


@pytest.mark.parametrize("claims", [c for _, c in BAD_CLAIMS], ids=[n for n, _ in BAD_CLAIMS])
def test_claims_that_do_not_count(claims: dict[str, Any]) -> None:
    """RFC 9449 §4.2: each claim is there, and is of this request and of this moment."""
    with pytest.raises(InvalidDpopProof):
        judged(made(**claims))


BAD_HEADERS: list[tuple[str, dict[str, Any]]] = [
    ("no typ", {"typ": None}),
    ("an access token's typ", {"typ": "at+jwt"}),
    ("typ JWT", {"typ": "JWT"}),
    ("alg none", {"alg": "none"}),
    ("HS256", {"alg": "HS256"}),
    ("an algorithm of another key", {"alg": "RS256"}),
    ("an algorithm that is taken, of another key", {"alg": "PS256"}),
    ("an unknown algorithm", {"alg": ["ES256"]}),
    ("no jwk", {"jwk": None}),
    ("jwk is text", {"jwk": "key"}),
    ("a private key", {"jwk": KEY.private_jwk}),
    ("a symmetric key", {"jwk": {"kty": "oct", "k": "c2VjcmV0"}}),
    ("a key for encryption", {"jwk": public(KEY) | {"use": "enc"}}),
    ("a key for nobody knows what", {"jwk": public(KEY) | {"key_ops": 5}}),
    ("a point off the curve", {"jwk": public(KEY) | {"y": public(KEY)["x"]}}),
    ("another's key", {"jwk": public(signs("ES256", "other"))}),
    ("crit", {"crit": ["typ"]}),
    ("an empty crit", {"crit": []}),
    ("b64", {"b64": False}),
    ("jku", {"jku": "https://evil.example/keys"}),
    ("x5u", {"x5u": "https://evil.example/cert"}),
    ("zip", {"zip": "DEF"}),
    ("enc", {"enc": "A256GCM"}),
    ("a huge header", {"kid": "k" * 4096}),
]


@pytest.mark.parametrize("header", [h for _, h in BAD_HEADERS], ids=[n for n, _ in BAD_HEADERS])
def test_headers_that_do_not_count(header: dict[str, Any]) -> None:
    """RFC 9449 §4.3: the type, an asymmetric algorithm, a public key of it; nothing strange."""
    with pytest.raises(InvalidDpopProof):
        judged(made(header=header))


@pytest.mark.parametrize(
    "text",
    ["", ".", "..", "a.b", "a.b.c.d", "é.é.é", made() + "x", made()[:-4] + "AAAA", "x" * 9000]
    + [f"{b64(head)}.{b64(body)}.AA" for head, body in (("[]", "{}"), ("{}", "[]"), ("1", "1"))]
    + [f'{b64(chr(123) + chr(34) + "typ" + chr(34))}.e30.AA', made() + "!!!!", made(x="x" * 8192)],
)  # fmt: skip
def test_what_is_no_proof(text: str) -> None:
    """Garbage and a changed signature are refused, and a proof that is written oddly or huge."""
    with pytest.raises(InvalidDpopProof):
        judged(text)


@pytest.mark.parametrize("charset", ["utf-16", "utf-32", "utf-8-sig", "utf-16-le"])
def test_what_is_signed_is_utf_8(charset: str) -> None:
    """RFC 7519 §3: JSON in another encoding is none, so nobody reads it in two ways."""
    assert members(b64('{"typ":"x"}'), "header") == {"typ": "x"}
    with pytest.raises(BadJwt):
        members(b64('{"typ":"x"}'.encode(charset)), "header")


@given(st.text(max_size=80) | st.binary(max_size=80).map(lambda raw: raw.decode("latin-1")))
def test_any_header_value_is_refused_in_words(text: str) -> None:
    """No text leads to anything but the refusal."""
    with pytest.raises(InvalidDpopProof):
        judged(text)


@pytest.mark.parametrize(("age", "good"), [(-60, True), (0, True), (120, True), (121, False)])
def test_how_old_a_proof_may_be(age: int, good: bool) -> None:
    """A minute and the skew of a clock, back; the skew alone, ahead."""
    proof = made(iat=int(NOW) - age)
    if good:
        kept = judged(proof)
        # Another process, its clock behind by the skew, takes it for that much longer.
        assert 180 - age < kept.ttl <= 182 - age
    else:
        with pytest.raises(InvalidDpopProof):
            judged(proof)


def test_the_access_token_is_in_the_proof() -> None:
    """``ath`` binds a proof to the one token it came with (RFC 9449 §4.3)."""
    ath = encode(sha256(b"token").digest())
    judged(made(ath=ath), access_token="token")
    for wrong in (None, "", "token", encode(sha256(b"other").digest())):
        with pytest.raises(InvalidDpopProof):
            judged(made(ath=wrong), access_token="token")


def test_a_digest_stands_for_one_proof() -> None:
    """The same jti of another key is another proof; made anew with the same jti it is not."""
    one = judged(made())
    assert judged(made(iat=int(NOW) - 1)).digest == one.digest
    assert judged(made(jti="two")).digest != one.digest
    assert judged(made(signs("ES256", "other"))).digest != one.digest


def test_a_proof_is_spent_once_where_no_step_does_it() -> None:
    """``spend`` refuses the second time, and takes no proof for nothing to do."""
    found = proofs()
    proof = found.judge(made(), "/token")
    at_once(found.spend(proof))
    with pytest.raises(InvalidDpopProof, match="used before"):
        at_once(found.spend(proof))
    at_once(found.spend(None))


def test_a_client_may_have_to_prove_its_key() -> None:
    """RFC 9449 §5.2 ``dpop_bound_access_tokens``; others may leave it."""
    bound = Client("app", "App", dpop_bound_access_tokens=True)
    with pytest.raises(InvalidDpopProof, match="missing"):
        proofs().of_client(bound, None, "/token")
    assert proofs().of_client(Client("app", "App"), None, "/token") is None
    assert proofs().of_client(bound, made(), "/token")


def test_a_pushed_request_is_bound_to_one_key() -> None:
    """RFC 9449 §10.1: by the parameter, by the proof, or by both if they agree."""
    proof = Proof("jkt", "digest", 60)
    assert dpop.pushed_key(None, None) is None
    assert dpop.pushed_key("jkt", None) == "jkt"
    assert dpop.pushed_key(None, proof) == "jkt"
    assert dpop.pushed_key("jkt", proof) == "jkt"
    with pytest.raises(InvalidDpopProof):
        dpop.pushed_key("other", proof)


def test_what_a_refused_step_is_called() -> None:
    """A missing proof and a used one are the proof's fault, another key is the grant's."""
    proof = Proof("jkt", "digest", 60)
    assert isinstance(dpop.refusal(Refusal.PROOF, proof), InvalidDpopProof)
    assert isinstance(dpop.refusal(Refusal.KEY, None), InvalidDpopProof)
    assert isinstance(dpop.refusal(Refusal.KEY, proof), InvalidGrant)
    assert dpop.refusal(Refusal.UNKNOWN, proof) is None


# ── nonces ─────────────────────────────────────────────────────────────────────────────────


def test_a_proof_has_to_hold_the_nonce() -> None:
    """Without it, or with one that is over or invented, the answer names the one to use."""
    nonces = Nonces([SECRET], Hands())
    now = nonces.current()
    old = Nonces([SECRET], Hands(NOW - 400)).current()
    for wrong in (None, "", 7, "invented", "é", old):
        with pytest.raises(UseDpopNonce) as refused:
            proofs(nonces).judge(made(nonce=wrong), "/token")
        assert refused.value.nonce == now
    proofs(nonces).judge(made(nonce=now), "/token")
    proofs().judge(made(nonce="whatever"), "/token")  # nobody asked for one


NONCE_TIMES = [(0, True), (120, True), (240, False), (-120, True), (-240, False)]


@pytest.mark.parametrize(("later", "good"), NONCE_TIMES)
def test_a_nonce_lasts_two_windows(later: int, good: bool) -> None:
    """So a client that got one a moment ago, or from a process ahead, is never refused for it."""
    given_then = Nonces([SECRET], Hands(NOW)).current()
    assert Nonces([SECRET], Hands(NOW + later)).good(given_then) is good


def test_nonces_of_any_of_the_operators_secrets() -> None:
    """While secrets change, nonces of processes that have the other order are good."""
    one, both = Nonces([OTHER_SECRET], Hands()), Nonces([SECRET, OTHER_SECRET], Hands())
    assert both.good(one.current())
    assert not one.good(both.current())


# ── addresses ──────────────────────────────────────────────────────────────────────────────

SAME = [
    "https://id.example/token", "HTTPS://ID.Example/token", "https://id.example:443/token",
    "https://id.example:/token", "https://id.example/token?x=1", "https://id.example/token#f",
    "https://id.example/%74oken", "https://id.example/a/../token", "https://id.example/./token",
]  # fmt: skip
DIFFERENT = [
    "", "token", "/token", "//id.example/token", "https:/id.example/token",
    "https:id.example/token", "https://id.example", "https://id.example/token/",
    "https://id.example//token",
    "https://id.example/Token", "https://id.example:444/token", "https://id.example:x/token",
    "https://me@id.example/token", "https://id.example@evil.example/token",
    "https://evil.example/https://id.example/token", "https://evil.example//id.example/token",
    "https://id.example/%2Ftoken", "https://id.example/token%", "https://id.example/%zzoken",
    "https://id.example\\token", "https://id.example/to\tken", " https://id.example/token",
    "https://id.example/token ", "https://éd.example/token", "ftp://id.example/token",
    "https://[id.example/token", "https://id.example.evil.example/token",
]  # fmt: skip


@pytest.mark.parametrize("found", SAME)
def test_the_same_address(found: str) -> None:
    """RFC 3986 §6.2.2 and §6.2.3; query and fragment do not count."""
    assert same_address(found, f"{ISSUER}/token")


@pytest.mark.parametrize("found", DIFFERENT)
def test_another_address(found: str) -> None:
    """What only looks alike is not it."""
    assert not same_address(found, f"{ISSUER}/token")


LETTERS = st.text(string.ascii_letters + string.digits + "-._~%/:@?#\\ [é", max_size=30)


@given(LETTERS)
def test_any_text_is_compared_without_a_fault(text: str) -> None:
    """Whatever comes is an address or not; nothing is raised."""
    assert same_address(text, text)
    assert not same_address(f"https://evil.example/{text}", f"{ISSUER}/token")


@given(
    st.lists(st.booleans(), min_size=6, max_size=6),
    st.sampled_from(["", ":443"]),
    st.sampled_from(["", "?a=b", "#f", "?a#f"]),
)
def test_escapes_and_letters_of_the_same_address(escaped: list[bool], port: str, rest: str) -> None:
    """However an address is written that means ours, it is ours."""
    path = "".join(
        f"%{ord(letter):02x}" if each else letter
        for letter, each in zip("/token"[1:] + "s", escaped, strict=True)
    )
    assert same_address(f"hTTps://Id.exAmple{port}/{path}{rest}", f"{ISSUER}/tokens")
