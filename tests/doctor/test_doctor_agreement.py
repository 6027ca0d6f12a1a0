"""Every address, process and edge gives the same keys."""

from dataclasses import replace

from broker.doctor.checks import agreement
from broker.doctor.model import Looks, Sample, Silence, Trouble
from tests.doctor.recorded import answer, body, evidence, kid


def seen(*pairs, direct=None):
    """Evidence of connections: (plain, direct) keys each."""
    samples = tuple(
        Sample(*(one if not isinstance(one, tuple) else answer(body(*one)) for one in pair))
        for pair in pairs
    )
    whole = evidence(samples=samples)
    last = direct if direct is not None else samples[0].direct
    return replace(whole, looks=replace(whole.looks, direct=last))


def silent(address, trouble=Trouble.REFUSED):
    return Silence("u", trouble, str(trouble), address)


def test_one_set_everywhere():
    """Is right."""
    found = agreement.same_keys(seen(((1, 2), (1, 2)), ((2, 1), (1, 2))))
    assert found.verdict == "pass"
    assert "5 fresh connections" in found.seen


def test_processes_in_the_middle_of_a_rotation_are_a_risk():
    """Some know the new key already: it passes within the polling interval."""
    found = agreement.same_keys(seen(((1, 2), (1, 2)), ((1, 2, 3), (1, 2, 3))))
    assert found.verdict == "warn"
    assert "BROKER_KEYS_POLL" in found.cure
    assert kid(3)[:12] in found.seen


def test_an_old_copy_within_its_lifetime_is_a_risk_with_its_end():
    """It tells when to look again."""
    old = answer(body(1, 2), headers={"age": "100"})
    found = agreement.same_keys(seen((old, (1, 2, 3)), ((1, 2, 3), (1, 2, 3))))
    assert found.verdict == "warn"
    assert "08:08:20Z" in found.cure  # NOW is 08:00:00Z, and 500 s are left


def test_an_old_copy_beyond_its_lifetime_or_of_unknown_age_is_wrong():
    """Nobody can tell when verifiers get the new key."""
    overdue = answer(body(1, 2), headers={"age": "700"})
    for old in (overdue, answer(body(1, 2))):
        found = agreement.same_keys(seen((old, (1, 2, 3)), ((1, 2, 3), (1, 2, 3))))
        assert found.verdict == "fail"
        assert f"not known there: {kid(3)[:12]}" in found.seen


def test_sets_without_a_common_key_are_wrong():
    """Two deployments behind one name."""
    found = agreement.same_keys(seen(((1, 2), (1, 2)), ((3, 4), (3, 4))))
    assert found.verdict == "fail"
    assert "BROKER_DATABASE_URL" in found.cure


def test_the_last_look_past_the_caches_counts():
    """A cache that heeds no request is found by it alone."""
    found = agreement.same_keys(seen(((1, 2), (1, 2, 3)), direct=answer(body(1, 2, 3))))
    assert found.verdict == "fail"


def test_nothing_to_compare():
    """Says nothing rather than something made up."""
    assert agreement.same_keys(seen((silent("a"), silent("a")), direct=silent("a"))) is None
    assert isinstance(evidence().looks, Looks)


def test_addresses():
    """Each must answer; one this machine has no way to is only a risk."""
    good = Sample(answer(), answer())
    assert agreement.addresses([good, good]).verdict == "pass"
    dead = Sample(silent("192.0.2.9"), silent("192.0.2.9"))
    found = agreement.addresses([good, dead])
    assert found.verdict == "fail"
    assert "192.0.2.9" in found.seen
    away = silent("2001:db8::1", Trouble.NO_ROUTE)
    assert agreement.addresses([good, Sample(away, away)]).verdict == "warn"
    assert agreement.addresses([Sample(away, away)]).verdict == "fail"
    now_and_then = agreement.addresses([Sample(answer(), answer(status=503))])
    assert now_and_then.verdict == "fail"
    assert "now and then" in now_and_then.seen
