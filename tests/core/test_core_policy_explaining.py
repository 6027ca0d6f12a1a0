"""A decision rule by rule: what is asked, whether it holds, what is known and since when."""

from typing import Any

from hypothesis import given

from broker.core.model import Facts
from broker.core.policy.explaining import Finding, explain
from broker.core.policy.judging import judge
from broker.core.policy.model import Policy
from broker.core.policy.reading import read
from tests.core.helpers import NOW
from tests.core.policies import (
    ADA,
    DAY,
    GUILDS,
    HARBOUR,
    KEEPER,
    LIGHTHOUSE,
    MEMBER,
    MUTED,
    born,
    documents,
    facts,
    guild,
    people,
    policy,
    standing,
)


def told(rules: Policy, person: Facts) -> list[tuple[Any, ...]]:
    """Whether each rule holds, what it asks and what is known."""
    return [(one.holds, one.rule, one.known) for one in explain(rules, person, GUILDS, NOW)]


def test_every_rule_of_a_guild() -> None:
    """With the names of roles, and the time at which the member record was read."""
    rules = guild(
        any_role=[KEEPER, MEMBER],
        all_roles=[MEMBER, "99"],
        no_role=[MUTED],
        not_pending=True,
        not_timed_out=True,
    )
    person = facts(
        standing(LIGHTHOUSE, MEMBER, MUTED, joined_at=NOW - DAY, timed_out_until=NOW + 60)
    )
    assert told(rules, person) == [
        (True, "is a member of The Lighthouse", "is, since 14 January 2027, 08:00 UTC"),
        (True, "has the role Keeper or Member", "has Member and Muted"),
        (False, "has every role of Member and 99", "has Member and Muted"),
        (False, "does not have the role Muted", "has Member and Muted"),
        (True, "has accepted its rules", "has"),
        (False, "is not timed out", "until 15 January 2027, 08:01 UTC"),
    ]
    assert {one.read_at for one in explain(rules, person, GUILDS, NOW)} == {NOW}


def test_what_is_not_known() -> None:
    """Never read is neither yes nor no; who is not a member is asked nothing more there."""
    rules = guild(any_role=[KEEPER])
    assert told(rules, facts()) == [(None, "is a member of The Lighthouse", "never read")]
    assert told(rules, facts(standing(member=False))) == [
        (False, "is a member of The Lighthouse", "is not")
    ]
    assert told(rules, facts(person=None)) == [
        (False, "is a member of The Lighthouse", "no Discord account")
    ]


def test_the_account() -> None:
    """How old it is, and what is known of its address."""
    rules = policy(account_age="30d", email_verified=True)
    person = facts(person=born(NOW - 2 * DAY), email="a@b.c")
    assert told(rules, person) == [
        (False, "has a Discord account at least 30 days old", "made 13 January 2027, 08:00 UTC"),
        (False, "has a verified e-mail address", "not verified"),
    ]
    assert told(rules, facts(person=None)) == [
        (False, "has a Discord account at least 30 days old", "no Discord account"),
        (False, "has a verified e-mail address", "no address is known"),
    ]


def test_what_decides_by_itself() -> None:
    """Nothing is told of rules that were not looked at."""
    called = f"Discord account {ADA}"
    asks = {"guilds": [{"id": HARBOUR}]}
    assert told(policy(deny=[ADA], **asks), facts()) == [(False, "is not on the deny list", called)]
    assert told(policy(allow=[ADA], deny=["7"], **asks), facts()) == [
        (True, "is not on the deny list", called),
        (True, "is on the allow list, so nothing else counts", called),
    ]
    assert told(policy(allow=["7"], only_allowed=True), facts()) == [
        (False, "is on the allow list", called)
    ]
    assert told(policy(allow=["7"], **asks), facts(standing(HARBOUR))) == [
        (True, "is a member of Harbour", "is")
    ]


def test_ways_are_numbered() -> None:
    """Where one of several guilds is enough."""
    rules = policy(guilds=[{"id": LIGHTHOUSE}, {"id": HARBOUR}], match="any")
    person = facts(standing(), standing(HARBOUR, member=False))
    assert [one.way for one in explain(rules, person, GUILDS, NOW)] == [1, 2]
    alone = policy(guilds=[{"id": LIGHTHOUSE}], match="any")
    assert explain(alone, person, GUILDS, NOW)[0].way == 0


@given(documents().map(read), people())
def test_an_explanation_agrees_with_the_verdict(rules: Policy, person: Facts) -> None:
    """Let in where every rule holds, and every rule of one way at least; else not."""
    found = explain(rules, person, GUILDS, NOW)
    ways: dict[int, list[Finding]] = {}
    for one in found:
        ways.setdefault(one.way, []).append(one)
    always = all(one.holds for one in ways.pop(0, ()))
    met = not ways or any(all(one.holds for one in way) for way in ways.values())
    assert (always and met) == judge([rules], person, NOW).allowed
