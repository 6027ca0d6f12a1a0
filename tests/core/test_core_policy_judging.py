"""Who is let in: every rule by itself, and what holds of all of them."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.community.model import Community
from broker.core.model import Facts
from broker.core.policy.judging import judge
from broker.core.policy.model import Missing, Policy, Reason, Verdict
from broker.core.policy.reading import read
from tests.core.helpers import NOW
from tests.core.policies import (
    ADA,
    DAY,
    GUILD_IDS,
    HARBOUR,
    KEEPER,
    LIGHTHOUSE,
    MEMBER,
    MUTED,
    PEOPLE,
    born,
    documents,
    facts,
    guild,
    people,
    policy,
    standing,
)

YOUNG = born(NOW - 2 * DAY)


def missing(rules: Policy, person: Facts, now: float = NOW) -> tuple[Missing, ...]:
    """What stands in the way where nothing is to be chosen."""
    verdict = judge([rules], person, now)
    assert verdict.choices == ()
    assert verdict.allowed == (not verdict.missing)
    return verdict.missing


# rule, what is known → what is missing: each condition met and not met.
TABLE: list[tuple[Policy, Facts, tuple[Missing, ...]]] = [
    (policy(), facts(person=None), ()),
    (guild(), facts(standing()), ()),
    (guild(), facts(standing(pending=True, timed_out_until=NOW + 60)), ()),
    (guild(), facts(standing(member=False)), (Missing(Reason.NOT_MEMBER, LIGHTHOUSE),)),
    (guild(), facts(), (Missing(Reason.UNKNOWN, LIGHTHOUSE),)),
    (guild(), facts(standing(HARBOUR)), (Missing(Reason.UNKNOWN, LIGHTHOUSE),)),
    (guild(), facts(standing(), person=None), (Missing(Reason.NO_DISCORD),)),
    (guild(), facts(person=None), (Missing(Reason.NO_DISCORD),)),
    (guild(any_role=[KEEPER, MEMBER]), facts(standing(LIGHTHOUSE, MEMBER)), ()),
    (
        guild(any_role=[KEEPER, MEMBER]),
        facts(standing(LIGHTHOUSE, MUTED)),
        (Missing(Reason.ANY_ROLE, LIGHTHOUSE, (KEEPER, MEMBER)),),
    ),
    (guild(all_roles=[KEEPER, MEMBER]), facts(standing(LIGHTHOUSE, MEMBER, KEEPER)), ()),
    (
        guild(all_roles=[KEEPER, MEMBER]),
        facts(standing(LIGHTHOUSE, MEMBER)),
        (Missing(Reason.ALL_ROLES, LIGHTHOUSE, (KEEPER,)),),
    ),
    (guild(no_role=[MUTED]), facts(standing(LIGHTHOUSE, KEEPER)), ()),
    (
        guild(no_role=[KEEPER, MUTED]),
        facts(standing(LIGHTHOUSE, MUTED)),
        (Missing(Reason.NO_ROLE, LIGHTHOUSE, (MUTED,)),),
    ),
    (guild(not_pending=True), facts(standing()), ()),
    (
        guild(not_pending=True),
        facts(standing(pending=True)),
        (Missing(Reason.PENDING, LIGHTHOUSE),),
    ),
    (guild(not_timed_out=True), facts(standing(timed_out_until=NOW)), ()),
    (
        guild(not_timed_out=True),
        facts(standing(timed_out_until=NOW + 1)),
        (Missing(Reason.TIMED_OUT, LIGHTHOUSE, until=NOW + 1),),
    ),
    (policy(account_age="30d"), facts(), ()),
    (policy(account_age="2d"), facts(person=YOUNG), ()),
    (
        policy(account_age="30d"),
        facts(person=YOUNG),
        (Missing(Reason.TOO_YOUNG, until=NOW + 28 * DAY),),
    ),
    (policy(account_age="30d"), facts(person=None), (Missing(Reason.NO_DISCORD),)),
    (policy(account_age="30d"), facts(person="garbage"), (Missing(Reason.NO_DISCORD),)),
    (policy(email_verified=True), facts(person=None, email="a@b.c", email_verified=True), ()),
    (
        policy(email_verified=True),
        facts(email="a@b.c", email_verified=False),
        (Missing(Reason.EMAIL),),
    ),
    (
        policy(email_verified=True),
        facts(email="a@b.c", email_verified="true"),
        (Missing(Reason.EMAIL),),
    ),
    (policy(email_verified=True), facts(email_verified=True), (Missing(Reason.EMAIL),)),
    (policy(email_verified=True), facts(), (Missing(Reason.EMAIL),)),
    (policy(deny=[ADA]), facts(), (Missing(Reason.DENIED),)),
    (policy(deny=[ADA]), facts(person=YOUNG), ()),
    (policy(allow=[ADA], account_age="3000d"), facts(), ()),
    (policy(allow=[ADA], only_allowed=True), facts(), ()),
    (policy(allow=[ADA], only_allowed=True), facts(person=YOUNG), (Missing(Reason.NOT_ALLOWED),)),
    (policy(allow=[ADA], only_allowed=True), facts(person=None), (Missing(Reason.NOT_ALLOWED),)),
]  # fmt: skip


@pytest.mark.parametrize(("rules", "person", "told"), TABLE)
def test_each_rule(rules: Policy, person: Facts, told: tuple[Missing, ...]) -> None:
    """Met: let in; not met: refused, with exactly what is missing."""
    assert missing(rules, person) == told


def test_all_that_is_missing_is_told_at_once() -> None:
    """Nobody has to come back for the next reason."""
    rules = policy(
        guilds=[{"id": LIGHTHOUSE, "any_role": [KEEPER], "not_pending": True}, {"id": HARBOUR}],
        account_age="30d",
        email_verified=True,
    )
    person = facts(standing(pending=True), standing(HARBOUR, member=False), person=YOUNG)
    assert [one.reason for one in missing(rules, person)] == [
        Reason.TOO_YOUNG, Reason.EMAIL, Reason.ANY_ROLE, Reason.PENDING, Reason.NOT_MEMBER,
    ]  # fmt: skip


def test_any_of_several_guilds() -> None:
    """One that is met whole is enough; else each way of mending it is told by itself."""
    rules = policy(
        guilds=[{"id": LIGHTHOUSE, "any_role": [KEEPER], "not_pending": True}, {"id": HARBOUR}],
        match="any",
    )
    assert judge([rules], facts(standing(), standing(HARBOUR)), NOW).allowed
    assert judge([rules], facts(standing(LIGHTHOUSE, KEEPER)), NOW).allowed
    verdict = judge([rules], facts(standing(pending=True), standing(HARBOUR, member=False)), NOW)
    in_lighthouse = (
        Missing(Reason.ANY_ROLE, LIGHTHOUSE, (KEEPER,)),
        Missing(Reason.PENDING, LIGHTHOUSE),
    )
    in_harbour = (Missing(Reason.NOT_MEMBER, HARBOUR),)
    assert verdict == Verdict(choices=((in_lighthouse, in_harbour),))
    assert not verdict.allowed
    assert tuple(verdict.all()) == (*in_lighthouse, *in_harbour)


def test_two_policies() -> None:
    """Both must pass; an allow list passes its own alone, either's deny list refuses."""
    deployment, own = guild(HARBOUR), guild(LIGHTHOUSE)
    there, away = (
        facts(standing(HARBOUR), standing()),
        facts(standing(HARBOUR, member=False), standing()),
    )
    assert judge([deployment, own], there, NOW).allowed
    assert not judge([deployment, own], away, NOW).allowed
    assert not judge([deployment, replace(own, allow=frozenset([ADA]))], away, NOW).allowed
    assert judge([replace(deployment, allow=frozenset([ADA])), own], away, NOW).allowed
    denied = Verdict((Missing(Reason.DENIED),))
    assert (
        judge([replace(deployment, allow=frozenset([ADA])), policy(deny=[ADA])], there, NOW)
        == denied
    )
    assert judge([policy(deny=[ADA]), own], there, NOW) == denied


def test_nobody_learns_what_else_a_denied_person_lacks() -> None:
    """That it is denied, and no more."""
    rules = policy(guilds=[{"id": LIGHTHOUSE}], email_verified=True, deny=[ADA])
    assert missing(rules, facts(standing(member=False))) == (Missing(Reason.DENIED),)


@pytest.mark.parametrize(
    ("rules", "person", "after"),
    [
        (policy(), facts(), None),
        (policy(account_age="30d"), facts(person=YOUNG), 28 * DAY),
        (policy(account_age="30d", email_verified=True), facts(person=YOUNG), None),
        (policy(account_age="3d", guilds=[{"id": LIGHTHOUSE, "not_timed_out": True}]),
            facts(standing(timed_out_until=NOW + 9 * DAY), person=YOUNG), 9 * DAY),
        (policy(guilds=[{"id": one, "not_timed_out": True} for one in (LIGHTHOUSE, HARBOUR)],
                match="any"),
            facts(standing(timed_out_until=NOW + 9), standing(HARBOUR, timed_out_until=NOW + 5)),
            5),
        (policy(guilds=[{"id": one, "not_timed_out": True} for one in (LIGHTHOUSE, HARBOUR)],
                match="any"),
            facts(standing(timed_out_until=NOW + 9), standing(HARBOUR, member=False)), 9),
        (policy(guilds=[{"id": LIGHTHOUSE}, {"id": HARBOUR}], match="any"),
            facts(standing(member=False), standing(HARBOUR, member=False)), None),
        (policy(guilds=[{"id": LIGHTHOUSE, "any_role": [KEEPER], "not_timed_out": True},
                        {"id": HARBOUR}], match="any"),
            facts(standing(timed_out_until=NOW + 9), standing(HARBOUR, member=False)), None),
    ],
)  # fmt: skip
def test_when_time_alone_mends_it(rules: Policy, person: Facts, after: float | None) -> None:
    """Told only where nothing else is missing, and true: at that moment the person is let in."""
    mended_at = judge([rules], person, NOW).mended_at
    assert mended_at == (None if after is None else NOW + after)
    if mended_at is not None:
        assert not judge([rules], person, mended_at - 1).allowed
        assert judge([rules], person, mended_at).allowed


POLICIES = documents().map(read)


@given(POLICIES, people())
def test_losing_a_role_never_opens_a_rule(rules: Policy, person: Facts) -> None:
    """Whoever is refused stays refused without any one of the roles that are not excluded."""
    known = person.community.standings
    excluded = {(rule.guild_id, role) for rule in rules.guilds for role in rule.no_role}
    for where, before in known.items():
        for role in before.roles:
            after = replace(before, roles=tuple(one for one in before.roles if one != role))
            lesser = replace(person, community=Community({**known, where: after}))
            if (where, role) not in excluded and judge([rules], lesser, NOW).allowed:
                assert judge([rules], person, NOW).allowed


@given(POLICIES, people(), GUILD_IDS)
def test_leaving_a_guild_never_opens_a_rule(rules: Policy, person: Facts, where: str) -> None:
    """Nor does what is read there being lost."""
    known = dict(person.community.standings)
    gone = replace(person, community=Community({**known, where: standing(where, member=False)}))
    known.pop(where, None)
    unread = replace(person, community=Community(known))
    if not judge([rules], person, NOW).allowed:
        assert not judge([rules], gone, NOW).allowed
        assert not judge([rules], unread, NOW).allowed


@given(st.lists(POLICIES, max_size=3), people(), st.integers(0, 3))
def test_a_deny_list_always_wins(rules: list[Policy], person: Facts, place: int) -> None:
    """Whatever else is said, by whichever policy."""
    who = person.identities.get("discord", ADA)
    person = replace(person, identities={"discord": who})
    more = [*rules[:place], policy(deny=[who]), *rules[place:]]
    assert judge(more, person, NOW) == Verdict((Missing(Reason.DENIED),))


@given(POLICIES, PEOPLE, people())
def test_an_allow_list_passes_whatever_the_rest_says(
    rules: Policy, who: str, person: Facts
) -> None:
    """Unless the person is denied."""
    named = replace(rules, allow=rules.allow | {who}, deny=rules.deny - {who})
    assert judge([named], replace(person, identities={"discord": who}), NOW).allowed


@given(st.lists(POLICIES, min_size=1, max_size=3), people(), st.randoms())
def test_order_does_not_matter(rules: list[Policy], person: Facts, chance: Any) -> None:
    """Neither of policies, nor of guilds, of roles or of what is known."""
    shuffled = [_shuffled(one, chance) for one in rules]
    chance.shuffle(shuffled)
    known = list(person.community.standings.values())
    known = [replace(one, roles=tuple(chance.sample(one.roles, len(one.roles)))) for one in known]
    chance.shuffle(known)
    same = replace(person, community=Community({one.guild_id: one for one in known}))
    one, other = judge(rules, person, NOW), judge(shuffled, same, NOW)
    assert one.allowed == other.allowed
    assert one.mended_at == other.mended_at
    assert {(m.reason, m.guild_id, m.until) for m in one.all()} == {
        (m.reason, m.guild_id, m.until) for m in other.all()
    }


def _shuffled(rules: Policy, chance: Any) -> Policy:
    guilds = [
        replace(rule, **{
            name: tuple(chance.sample(getattr(rule, name), len(getattr(rule, name))))
            for name in ("any_role", "all_roles", "no_role")
        })
        for rule in rules.guilds
    ]  # fmt: skip
    chance.shuffle(guilds)
    return replace(rules, guilds=tuple(guilds))


@given(st.lists(POLICIES, max_size=3), people())
def test_more_policies_let_nobody_more_in(rules: list[Policy], person: Facts) -> None:
    """A person whom several let in is let in by each of them, and the other way about."""
    each = [judge([one], person, NOW).allowed for one in rules]
    assert judge(rules, person, NOW).allowed == all(each)


@given(POLICIES, people())
def test_what_was_never_read_lets_nobody_in(rules: Policy, person: Facts) -> None:
    """Whoever is let in is no member of a guild by guessing: its record was read."""
    verdict = judge([rules], person, NOW)
    if Reason.UNKNOWN in {one.reason for one in verdict.all()}:
        assert not verdict.allowed
