"""When which key does what: the pure rules, case by case."""

from dataclasses import replace

import pytest
from keys_helpers import POLICY, START

from keys import policy as rules
from keys.due import due, due_for, hasten, tail
from keys.errors import NoSigningKey, PolicyImpossible
from keys.model import Delete, KeyRecord, Replace, outsider
from keys.policy import Policy

T = START
P = POLICY.period


def key(name: str, signs_from: float, predecessor: str = "genesis:RS256", **changes) -> KeyRecord:
    base = KeyRecord(name, "RS256", {}, b"x", predecessor, T, T, signs_from)
    return replace(base, **changes)


A, B = key("a", T), key("b", T + P, "a")


def names(records) -> list[str]:
    return [record.kid for record in records]


def test_the_defaults_hold_together():
    """The built-in times pass their own check, and add up as documented."""
    POLICY.validate()
    assert (POLICY.lead, POLICY.overlap) == (600 + 10 + 60, 300 + 10 + 60)


def test_a_period_shorter_than_the_lead_is_refused():
    """The refusal names the field and shows the sum."""
    with pytest.raises(PolicyImpossible, match=r"period is 670 s.*600 \+ 2 \* .*5 \+ skew 60") as e:
        Policy(period=670).validate()
    assert e.value.field == "period"


@pytest.mark.parametrize("field", list(Policy.__dataclass_fields__))
@pytest.mark.parametrize("value", [0, -1, float("inf"), float("nan")])
def test_every_time_must_be_positive_and_finite(field, value):
    """No field can be switched off by a zero, a negative or an endless time."""
    with pytest.raises(PolicyImpossible, match=field) as e:
        Policy(**{field: value}).validate()
    assert e.value.field == field


def test_every_process_switches_at_the_stored_instant():
    """The successor signs from its own time on, to the instant."""
    assert rules.signing((A, B), "RS256", T + P - 0.001) == A
    assert rules.signing((A, B), "RS256", T + P) == B


def test_nothing_signs_before_the_first_key():
    """The error says when signing begins."""
    with pytest.raises(NoSigningKey) as e:
        rules.signing((A,), "RS256", T - 1)
    assert e.value.retry_at == T
    with pytest.raises(NoSigningKey) as e:
        rules.signing((), "RS256", T)
    assert e.value.retry_at is None


def test_a_key_of_another_algorithm_is_not_looked_at():
    """Algorithms rotate apart."""
    with pytest.raises(NoSigningKey):
        rules.signing((A,), "ES256", T)


def test_a_retired_key_never_signs_again():
    """Where the newest key is revoked, nothing signs until its successor may."""
    dead, heir = replace(B, revoked_at=T + P + 5), key("c", T + 2 * P, "b")
    with pytest.raises(NoSigningKey) as e:
        rules.signing((A, dead, heir), "RS256", T + P + 6)
    assert e.value.retry_at == heir.signs_from


def test_a_key_revoked_at_the_instant_it_began_counts_as_having_signed():
    """At that instant it may have signed already, so its predecessor stays retired."""
    with pytest.raises(NoSigningKey):
        rules.signing((A, replace(B, revoked_at=T + P)), "RS256", T + P)


def test_a_successor_revoked_before_its_time_changes_nothing():
    """The signing key goes on past the moment it would have been relieved."""
    dead = replace(B, revoked_at=T + P - 1)
    assert rules.signing((A, dead), "RS256", T + P + 1) == A
    assert rules.retired_at(A, (A, dead)) is None
    assert names(rules.published((A, dead), T + P + 10_000, POLICY)) == ["a"]


def test_an_heir_signs_at_a_slow_clock_too():
    """A process whose clock lags behind the operator's does not pause at a revocation."""
    now = T + 100
    dead, heir = replace(A, revoked_at=now), replace(B, signs_from=now)
    assert rules.signing((dead, heir), "RS256", now - 30) == heir
    assert rules.state(heir, (dead, heir), now - 30, POLICY) == "signing"
    assert rules.successor((dead, heir), "RS256", now - 30) is None


def test_a_revoked_heir_signs_at_no_clock():
    """A process whose clock lags takes up no key that it knows to be revoked."""
    now = T + 100
    dead = replace(A, revoked_at=now)
    heir = replace(B, signs_from=now, revoked_at=now + 1)
    with pytest.raises(NoSigningKey):
        rules.signing((dead, heir), "RS256", now - 30)


def test_states_follow_one_another():
    """next, signing, retired, gone; each from its instant on."""
    seen = [
        rules.state(A, (A, B), moment, POLICY)
        for moment in (T - 1, T, T + P, T + P + POLICY.overlap - 1, T + P + POLICY.overlap)
    ]
    assert seen == ["next", "signing", "retired", "retired", "gone"]
    assert rules.state(replace(A, revoked_at=T), (A, B), T, POLICY) == "revoked"


def test_the_jwks_has_next_signing_and_retired_keys():
    """A retired key stays for the overlap, a revoked one leaves at once."""
    assert names(rules.published((A, B), T, POLICY)) == ["a", "b"]
    assert names(rules.published((A, B), T + P + POLICY.overlap, POLICY)) == ["b"]
    assert names(rules.published((replace(A, revoked_at=T), B), T, POLICY)) == ["b"]


def test_hints_are_judged_by_keys_long_retired():
    """A retired key judges hints until the retention ends; a revoked one never does."""
    end = T + P + POLICY.hint_retention
    assert names(rules.hint_keys((A, B), end - 1, POLICY)) == ["a", "b"]
    assert names(rules.hint_keys((A, B), end, POLICY)) == ["b"]
    assert names(rules.hint_keys((replace(A, revoked_at=T), B), T, POLICY)) == ["b"]


def test_a_key_that_only_verifies_keeps_to_its_own_end():
    """One that was given up before it signed leaves then; so it judges no hint for ever."""
    given_up = replace(B, verifies_until=T + 50)
    assert rules.state(given_up, (A, given_up), T + 49, POLICY) == "retired"
    assert rules.state(given_up, (A, given_up), T + 50, POLICY) == "gone"
    assert names(rules.published((A, given_up), T + 50, POLICY)) == ["a"]
    assert names(rules.hint_keys((A, given_up), T + 50 + POLICY.hint_retention, POLICY)) == ["a"]


def test_a_revoked_key_left_at_its_revocation():
    """However long it would have stayed, and however it was to leave."""
    for held in (A, replace(A, verifies_until=T + 50)):
        assert rules.leaves_at(replace(held, revoked_at=T + 9), (A, B), POLICY) == T + 9


def test_an_empty_store_gets_a_pair_that_is_ready():
    """Nobody has cached anything yet: the first key signs at once, the second may at any time."""
    first, second = due((), "RS256", T, POLICY).slots
    assert (first.predecessor, first.ready_at, first.signs_from) == ("genesis:RS256", T, T)
    assert (second.predecessor, second.ready_at, second.signs_from) == (None, T, T + P)


def test_a_further_algorithm_waits_until_caches_know_it():
    """Where a JWKS is out already, the first key of a new algorithm has a lead too."""
    first, _ = due((A, B), "ES256", T + 1, POLICY).slots
    assert first.signs_from == first.ready_at == T + 1 + POLICY.lead


def test_a_successor_is_made_when_its_predecessor_begins():
    """Not before: until then the key that waits is the successor."""
    assert not due((A, B), "RS256", T + P - 1, POLICY).slots
    (slot,) = due((A, B), "RS256", T + P, POLICY).slots
    assert (slot.predecessor, slot.signs_from) == ("b", T + 2 * P)
    assert slot.ready_at == T + P + POLICY.lead


def test_a_late_successor_still_has_its_lead():
    """After a long standstill the new key waits until caches know it, not less."""
    now = T + 3 * P
    (slot,) = due((A, B), "RS256", now, POLICY).slots
    assert slot.signs_from == slot.ready_at == now + POLICY.lead


def test_a_new_key_follows_the_tail_even_a_revoked_one():
    """Two processes that replace a revoked successor meet at the same place of the chain."""
    (slot,) = due((A, replace(B, revoked_at=T + 1, sealed=None)), "RS256", T + 2, POLICY).slots
    assert (slot.predecessor, slot.signs_from) == ("b", T + P)


def test_a_chain_is_of_keys_made_here_for_one_algorithm():
    """No key follows one of another algorithm, nor one that was made elsewhere to verify."""
    other = key("e", T, "genesis:ES256", alg="ES256", created_at=T + 1)
    trusted = key("t", T, outsider("t"), created_at=T + 2, verifies_until=T + P)
    assert tail((A, B, other, trusted), "RS256") == B


def test_a_waiting_key_is_brought_forward_where_nothing_signs():
    """Whoever looks after the keys finishes a revocation that left the successor far off."""
    dead = replace(A, revoked_at=T + 5, sealed=None)
    waits = replace(B, ready_at=T + 50)
    (change,) = due((dead, waits), "RS256", T + 6, POLICY).changes
    assert change == Replace(waits, replace(waits, signs_from=T + 50))


def test_of_several_heirs_the_first_that_caches_know_signs():
    """Of those they know already, the one that was to sign next, whichever was made first."""
    dead = replace(A, revoked_at=T + 5, sealed=None)
    imported = key("i", T + P, "b", ready_at=T + 60)
    behind = key("b", T + 2 * P, "a", ready_at=T + 50)
    assert hasten((dead, behind, imported), "RS256", T + 40)["b"].signs_from == T + 50
    assert hasten((dead, behind, imported), "RS256", T + 70)["i"].signs_from == T + 70


def test_a_private_half_is_erased_once_no_process_can_use_it():
    """Twice the polling interval and the skew after the change-over; at once when revoked."""
    c = key("c", T + 2 * P, "b")
    end = T + P + POLICY.grace + POLICY.skew
    assert not due((A, B, c), "RS256", end - 1, POLICY)
    assert due((A, B, c), "RS256", end, POLICY).changes == (Replace(A, replace(A, sealed=None)),)
    dead = replace(A, revoked_at=T + P + 1)
    assert due((dead, B, c), "RS256", T + P + 1, POLICY).changes == (
        Replace(dead, replace(dead, sealed=None)),
    )


def test_a_row_goes_when_no_hint_can_need_it():
    """After the retention, and never the last of the chain."""
    c = key("c", T + 2 * P, "b")
    old = replace(A, sealed=None)
    end = T + P + POLICY.hint_retention - 1
    assert Delete(old) not in due((old, B, c), "RS256", end, POLICY).changes
    assert Delete(old) in due((old, B, c), "RS256", end + 1, POLICY).changes
    dead_tail = replace(c, revoked_at=T + P + 1, sealed=None)
    changes = due((B, dead_tail), "RS256", T + 9 * P, POLICY).changes
    assert Delete(dead_tail) not in changes


@pytest.mark.parametrize("algorithms", [("RS256",), ("RS256", "ES256")])
def test_what_only_verified_is_forgotten_whether_its_algorithm_is_on_or_off(algorithms):
    """Keys of an algorithm that was given up do not stay in the store for ever."""
    gone = key("gone", T, "genesis:ES256", alg="ES256", verifies_until=T + 100)
    end = T + 100 + POLICY.hint_retention
    records = (A, key("b", end + P, "a"), gone)
    assert Delete(gone) in due_for(records, algorithms, end, POLICY).changes
    assert Delete(gone) not in due_for(records, algorithms, end - 1, POLICY).changes
