"""A token that a downstream service received."""

from dataclasses import replace

import pytest

from broker.doctor.checks import token as judging
from broker.doctor.examine import examine
from broker.doctor.model import Sample
from tests.core.signers import signs
from tests.doctor.recorded import ISSUER, NOW, answer, body, ec, evidence, kid, public, rsa, token


def verdicts(text, seen=None, now=NOW):
    found = judging.judge(judging.parse(text), seen or evidence(), ISSUER, now)
    return {one.name: one.verdict.value for one in found}


def only(text, **kinds):
    """Everything is right but what is named."""
    found = {name: verdict for name, verdict in verdicts(text).items() if verdict != "pass"}
    assert found == kinds


def test_a_good_token_is_right_in_everything():
    """And is not shown."""
    text = token()
    sections = examine(evidence(), f"  Bearer {text}\n")
    assert sections[-1].title == "The token"
    shown = str(sections)
    assert {one.verdict.value for one in sections[-1].findings} == {"pass"}
    assert not any(part in shown for part in text.split("."))


@pytest.mark.parametrize(
    "text", ["", "abc", "a.b.c", "a.b.c.d.e", "é.b.c", "W10.W10.x", "x" * 20_000]
)
def test_what_is_no_token(text):
    """Is told as such, without a word of it."""
    with pytest.raises(judging.NotATokenError) as caught:
        judging.parse(text)
    assert len(text) < 3 or text not in str(caught.value)
    assert examine(evidence(), text)[-1].findings[0].verdict == "fail"


def test_algorithms_that_need_no_key():
    """Are an attack, and no signature saves them."""
    good = token()
    for alg in ("none", "HS256", "rs256", None):
        forged = judging.parse(good)
        forged = replace(forged, header={**forged.header, "alg": alg})
        found = judging.judge(forged, evidence(), ISSUER, NOW)
        failed = {one.name for one in found if one.verdict == "fail"}
        assert {"alg", "signature"} <= failed


def test_an_id_token_is_not_for_an_api():
    """RFC 9068 §4."""
    only(token(header={"typ": "JWT"}), typ="warn")
    only(token(header={"typ": "application/at+jwt"}))


def test_an_unknown_kid_says_what_a_verifier_does():
    """Fetch once more, then 401."""
    found = judging.judge(judging.parse(token(3)), evidence(), ISSUER, NOW)
    unknown = next(one for one in found if one.name == "kid")
    assert unknown.verdict == "fail"
    assert "once more" in unknown.cure
    assert "signature" not in {one.name for one in found}


def test_a_kid_that_only_the_broker_knows_is_the_caches_fault():
    """The cure is another: 503 and purge, not 401."""
    newer = answer(body(1, 2, 3))
    seen = evidence()
    past = evidence(looks=replace(seen.looks, direct=newer))
    beside = evidence(samples=(Sample(seen.jwks_answer, newer),))
    for one in (past, beside):
        found = judging.known(judging.parse(token(3)), one)
        assert found.verdict == "fail"
        assert "purge" in found.cure
    unknown = judging.known(judging.parse(token(4)), past)
    assert "purge" not in unknown.cure


def test_no_kid():
    """The broker names the key in every token."""
    assert judging.known(judging.parse(token(header={"kid": None})), evidence()).verdict == "fail"


def test_another_algorithm_than_the_keys():
    """Is forged, though the signature may be right (RFC 8725 §3.1)."""
    only(token(header={"alg": "PS256"}), **{"alg of the key": "fail"})


def test_a_wrong_signature():
    """Of a changed token, or another key under a known name."""
    only(token(3, header={"kid": kid(1)}), signature="fail")
    head, claims, rest = token().split(".")
    only(f"{head}.{claims}.{'A' * len(rest)}", signature="fail")
    parsed = judging.parse(token())
    assert judging.signature(parsed, dict(ec().as_dict(private=False))).verdict == "fail"
    assert judging.signature(parsed, {"kty": "RSA"}).verdict == "fail"
    assert judging.signature(parsed, public(1)[0]).verdict == "pass"
    assert rsa(1).kid == kid(1)


def test_a_token_signed_with_eddsa_is_no_news(recwarn):
    """The library's warning of the name does not reach an operator's screen."""
    key = signs("EdDSA")
    parsed = judging.parse(key.sign({"iss": ISSUER}, typ="at+jwt"))
    assert judging.signature(parsed, key.jwk).verdict == "pass"
    assert not recwarn.list


def test_issuer_and_times():
    """Compared to the letter, and to this machine's clock."""
    only(token(iss=f"{ISSUER}/"), iss="fail")
    only(token(exp=int(NOW)), exp="fail")
    only(token(exp=None), exp="fail")
    only(token(nbf=int(NOW) + 30))
    only(token(nbf=int(NOW) + 90), **{"nbf and iat": "fail"})
    only(token(iat=int(NOW) + 90), **{"nbf and iat": "fail"})


def test_numbers_that_are_none():
    """Are not taken for times."""
    for value in (True, "1", float("inf"), 10**400, None):
        claims = replace(judging.parse(token()), claims={"exp": value})
        assert judging.times(claims, NOW)[0].verdict == "fail"
