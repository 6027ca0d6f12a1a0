"""Policies and refusals in plain English."""

from datetime import UTC, datetime

import pytest
from hypothesis import given

from broker.core.policy.model import Missing, Policy, Reason, Verdict
from broker.core.policy.reading import read
from broker.core.policy.words import Obstacle, Obstacles, moment, obstacle, obstacles, said
from tests.core.helpers import NOW
from tests.core.policies import (
    GUILDS,
    HARBOUR,
    ISLAND,
    KEEPER,
    LIGHTHOUSE,
    MEMBER,
    MUTED,
    documents,
    guild,
    policy,
)


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        (policy(), ["Everybody."]),
        (policy(deny=["7"]), ["Everybody.", "Never: 7."]),
        (policy(account_age="30d"), ["Everybody whose Discord account is at least 30 days old."]),
        (policy(account_age="36h", email_verified=True),
            [("Everybody whose Discord account is at least 1d12h old and whose e-mail address is "
             "verified.")]),
        (guild(), ["Members of The Lighthouse."]),
        (guild(ISLAND, all_roles=["5"]), [f"Members of the guild {ISLAND} who have the role 5."]),
        (policy(guilds=[{"id": LIGHTHOUSE, "any_role": [KEEPER, MEMBER]}], account_age="30d"),
            [("Members of The Lighthouse who have the role Keeper or Member, whose Discord account "
             "is at least 30 days old.")]),
        (guild(any_role=["9", KEEPER, MEMBER], all_roles=[KEEPER, MEMBER], no_role=[MUTED],
               not_pending=True, not_timed_out=True),
            [("Members of The Lighthouse who have the role 9, Keeper or Member, have the roles "
             "Keeper and Member, do not have the role Muted, have accepted its rules and are not "
             "timed out.")]),
        (policy(guilds=[{"id": LIGHTHOUSE, "any_role": [KEEPER]}, {"id": HARBOUR}], match="any"),
            ["Members of at least one of these guilds:", ("- The Lighthouse who have the role "
             "Keeper"), "- Harbour"]),
        (policy(guilds=[{"id": LIGHTHOUSE}, {"id": HARBOUR}], account_age="1d"),
            ["Members of all of these guilds:", "- The Lighthouse", "- Harbour",
             "Only people whose Discord account is at least 1 day old."]),
        (policy(account_age="1d", allow=["12", "3"], deny=[str(n) for n in range(20, 28)]),
            ["Everybody whose Discord account is at least 1 day old.",
             "Always, whatever else is said: 3 and 12.",
             "Never: 20, 21, 22, 23, 24 and 3 more."]),
        (policy(allow=["12"], only_allowed=True), ["Nobody but these Discord accounts: 12."]),
    ],
)  # fmt: skip
def test_a_policy_in_words(rules: Policy, words: list[str]) -> None:
    """As an operator would say it, with the names that are known."""
    assert list(said(rules, GUILDS)) == words


TOLD = {
    Missing(Reason.DENIED): "Your Discord account is not let in.",
    Missing(Reason.NOT_ALLOWED): "Only certain people are let in, and you are not among them.",
    Missing(Reason.NO_DISCORD): ("You need a Discord account that is linked to your account here."),
    Missing(
        Reason.NOT_MEMBER, ISLAND
    ): "You need to be a member of this community's Discord server.",
    Missing(Reason.ANY_ROLE, LIGHTHOUSE, (KEEPER,)): "You need the role Keeper in The Lighthouse.",
    Missing(Reason.ANY_ROLE, LIGHTHOUSE, (KEEPER, MEMBER)): (
        "You need the role Keeper or Member in The Lighthouse."
    ),
    Missing(Reason.ALL_ROLES, LIGHTHOUSE, (KEEPER,)): "You need the role Keeper in The Lighthouse.",
    Missing(Reason.ALL_ROLES, LIGHTHOUSE, (KEEPER, MEMBER)): (
        "You need the roles Keeper and Member in The Lighthouse."
    ),
    Missing(Reason.NO_ROLE, LIGHTHOUSE, (MUTED, "9")): (
        "You must not have the role Muted in The Lighthouse."
    ),
    Missing(Reason.NO_ROLE, LIGHTHOUSE, ("9",)): (
        "You have a role in The Lighthouse that is not let in."
    ),
    Missing(Reason.ANY_ROLE, LIGHTHOUSE, ("9", KEEPER)): (
        "You need the role Keeper in The Lighthouse."
    ),
    Missing(Reason.ANY_ROLE, ISLAND, ("8", "9")): (
        "You need a certain role in this community's Discord server: ask the people who run it."
    ),
    Missing(Reason.ALL_ROLES, LIGHTHOUSE, ("8", "9")): (
        "You need a certain role in The Lighthouse: ask the people who run it."
    ),
    Missing(Reason.ALL_ROLES, LIGHTHOUSE, ("8", KEEPER, "9")): (
        "You need the roles Keeper and another role in The Lighthouse."
    ),
    Missing(Reason.PENDING, LIGHTHOUSE): (
        "You have yet to accept the rules of The Lighthouse; do that in Discord."
    ),
    Missing(Reason.TIMED_OUT, LIGHTHOUSE, until=NOW + 1): (
        "You are timed out in The Lighthouse until 15 January 2027, 08:01 UTC."
    ),
    Missing(Reason.TOO_YOUNG, until=NOW): (
        "Your Discord account is too young; it is old enough from 15 January 2027, 08:00 UTC."
    ),
    Missing(Reason.EMAIL): (
        "You need a verified e-mail address in the account that you sign in with."
    ),
    Missing(Reason.UNKNOWN, HARBOUR): (
        "We could not learn from Discord whether you are a member of Harbour."
    ),
}


@pytest.mark.parametrize("missing", TOLD)
def test_what_is_missing_in_words(missing: Missing) -> None:
    """To the person, in one sentence."""
    assert obstacle(missing, GUILDS) == Obstacle(missing.reason, TOLD[missing])


def test_several_guilds_without_a_name() -> None:
    """Then alone each has its id: the same sentence twice would tell nothing."""
    missing = [Missing(Reason.NOT_MEMBER, one) for one in (ISLAND, "77", HARBOUR)]
    told = obstacles(Verdict((), (tuple((one,) for one in missing),)), GUILDS)
    assert [way[0].text for way in told.choices[0]] == [
        f"You need to be a member of this community's Discord server (ID {ISLAND}).",
        "You need to be a member of this community's Discord server (ID 77).",
        "You need to be a member of Harbour.",
    ]


def test_every_reason_has_its_words() -> None:
    """None is forgotten."""
    assert {missing.reason for missing in TOLD} == set(Reason)


def test_how_to_join_a_guild() -> None:
    """Where the operator gave an invitation, and only to who is not in it."""
    assert obstacle(Missing(Reason.NOT_MEMBER, LIGHTHOUSE), GUILDS) == Obstacle(
        Reason.NOT_MEMBER,
        "You need to be a member of The Lighthouse.",
        "The Lighthouse",
        "https://discord.gg/light",
    )
    assert obstacle(Missing(Reason.NOT_MEMBER, HARBOUR), GUILDS).invite is None
    assert obstacle(Missing(Reason.PENDING, LIGHTHOUSE), GUILDS).invite is None


def test_all_that_stands_in_the_way() -> None:
    """As the verdict has it: each for itself, choices, and whether time or nothing mends it."""
    email, young = Missing(Reason.EMAIL), Missing(Reason.TOO_YOUNG, until=NOW)
    choice = ((Missing(Reason.NOT_MEMBER, HARBOUR),), (email, young))
    found = obstacles(Verdict((email,), (choice,)), GUILDS)
    assert found.each == (obstacle(email, GUILDS),)
    assert found.choices == (tuple(tuple(obstacle(m, GUILDS) for m in way) for way in choice),)
    assert (found.mended_at, found.final) == (None, False)
    assert obstacles(Verdict((young,)), GUILDS).mended_at == NOW
    for reason in Reason:
        assert obstacles(Verdict((Missing(reason),)), GUILDS).final == (
            reason in {Reason.DENIED, Reason.NOT_ALLOWED}
        )
    assert obstacles(Verdict(), GUILDS) == Obstacles()


def test_names_are_not_read_as_more_than_names() -> None:
    """Braces in a guild's name are shown as they are."""
    odd = {LIGHTHOUSE: GUILDS[HARBOUR].__class__(LIGHTHOUSE, "{when} {0} %s", None, {})}
    assert obstacle(Missing(Reason.NOT_MEMBER, LIGHTHOUSE), odd).text == (
        "You need to be a member of {when} {0} %s."
    )


def test_a_moment_is_to_the_minute_and_never_too_early() -> None:
    """Even one that no calendar has."""
    assert moment(NOW + 60) == "15 January 2027, 08:01 UTC"
    assert moment(NOW + 60.001) == "15 January 2027, 08:02 UTC"
    assert moment(1e300).endswith("December 9999, 23:59 UTC")
    assert datetime.fromtimestamp(NOW, UTC).second == 0


@given(documents().map(read))
def test_every_policy_has_words(rules: Policy) -> None:
    """Sentences, each of one line; guilds in lines of their own."""
    lines = said(rules, GUILDS)
    assert all(line and line.isprintable() for line in lines)
    assert all(line[0].isupper() or line.startswith("- ") for line in lines)
    assert all(line.endswith((".", ":")) or line.startswith("- ") for line in lines)
