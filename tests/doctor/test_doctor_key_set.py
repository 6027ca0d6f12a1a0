"""What is in the JWKS."""

import json

import pytest

from broker.doctor.checks import key_set
from broker.doctor.key_sets import UnreadableError, kids_in, read
from tests.doctor.recorded import answer, body, ec, kid, public, rsa


def test_a_key_set_is_an_object_with_an_array_of_objects():
    """RFC 7517 §5; anything else is no JWKS."""
    assert len(read(body(1, 2))) == 2
    for text in (b"<html>", b"[]", b"{}", b'{"keys":{}}', b'{"keys":[1]}', b"[" * 100_000):
        with pytest.raises(UnreadableError):
            read(text)
    assert kids_in(answer(status=500)) is None
    assert kids_in(answer(b"x")) is None


def test_size():
    """Verifiers read a few kilobytes, not endless ones."""
    assert key_set.size(answer()).verdict == "pass"
    assert key_set.size(answer(b" " * 70_000)).verdict == "warn"
    assert key_set.size(answer(b" " * 300_000)).verdict == "fail"
    assert key_set.size(answer(cut=True)).verdict == "fail"


@pytest.mark.parametrize("member", ["d", "p", "q", "dp", "dq", "qi", "oth"])
def test_a_private_member_is_told_loudly_and_never_shown(member):
    """Whoever reads it can sign as the issuer."""
    found = key_set.secrecy([*public(1), public(2)[0] | {member: "very-secret"}])
    assert found.verdict == "fail"
    assert "PRIVATE KEY" in found.seen
    assert kid(2)[:12] in found.seen
    assert "very-secret" not in found.seen + found.cure


def test_a_symmetric_key_is_told_loudly():
    """It verifies and signs."""
    found = key_set.secrecy([{"kty": "oct", "kid": "x", "k": "very-secret"}])
    assert found.verdict == "fail"
    assert "SYMMETRIC KEY" in found.seen
    assert "very-secret" not in found.seen
    assert key_set.secrecy(public(1, 2)).verdict == "pass"


def test_identifiers():
    """There, unique, and the thumbprint."""
    one, two = public(1, 2)
    assert key_set.identifiers([one, two]).verdict == "pass"
    assert key_set.identifiers([one, two | {"kid": kid(1)}]).verdict == "fail"
    assert key_set.identifiers([{**one, "kid": ""}]).verdict == "fail"
    assert key_set.identifiers([{**one, "kid": 5}]).verdict == "fail"
    assert key_set.identifiers([one, two | {"kid": "2026-a"}]).verdict == "warn"
    assert key_set.identifiers([dict(ec().as_dict(private=False))]).verdict == "pass"


def test_purpose():
    """use=sig and alg on each key."""
    one = public(1)[0]
    without = {name: text for name, text in one.items() if name != "alg"}
    assert key_set.purpose([one]).verdict == "pass"
    assert key_set.purpose([one | {"use": "enc"}]).verdict == "warn"
    assert key_set.purpose([without]).verdict == "warn"


def test_strength():
    """2048 bits or more, and every key readable."""
    assert key_set.strength([*public(1), dict(ec().as_dict(private=False))]).verdict == "pass"
    weak = dict(rsa(0, 1024).as_dict(private=False))
    found = key_set.strength([*public(1), weak])
    assert found.verdict == "fail"
    assert "1024" in found.seen
    assert key_set.strength([{"kty": "RSA", "n": "!", "e": "AQAB", "kid": "x"}]).verdict == "fail"
    assert key_set.strength([{"kty": "XYZ", "kid": "x"}]).verdict == "fail"


def test_each_algorithm_has_a_key_and_a_successor():
    """So that an emergency change-over goes to a key that caches know."""
    keys = [*public(1, 2), dict(ec().as_dict(private=False))]
    verdicts = [one.verdict for one in key_set.successors(keys, ("RS256", "ES256", "PS256"))]
    assert verdicts == ["pass", "warn", "fail"]


def test_a_key_without_alg_counts_by_its_kind():
    """RFC 7517 makes alg optional."""
    bare = [{"kty": one["kty"], "n": one["n"], "e": one["e"]} for one in public(1, 2)]
    verdicts = [one.verdict for one in key_set.successors(bare, ("RS256", "ES256", "EdDSA"))]
    assert verdicts == ["pass", "fail", "fail"]


def test_ed25519_goes_by_either_name():
    """RFC 9864 renamed it."""
    keys = [{"kty": "OKP", "alg": "Ed25519", "kid": str(one)} for one in range(2)]
    assert key_set.successors(json.loads(json.dumps(keys)), ("EdDSA",))[0].verdict == "pass"
