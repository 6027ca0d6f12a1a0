"""The rules that hold for a client: worked out once, and anew when it was edited."""

from dataclasses import replace

import pytest

from broker.core.client import Client
from broker.core.community.needs import Needs
from broker.core.errors import ServerError
from broker.core.policy import rules as module
from broker.core.policy.rules import Rulebook, Rules
from broker.core.ports import CommunityWanted
from tests.core.helpers import NOW
from tests.core.policies import HARBOUR, LIGHTHOUSE, facts, guild, policy, standing

CLIENT = Client("app", "App", scopes=("openid",), policy={"guilds": [{"id": LIGHTHOUSE}]})


def test_both_policies_hold() -> None:
    """The deployment's and the client's own; what both need is needed."""
    rules = Rulebook(policy(guilds=[{"id": HARBOUR}], email_verified=True)).of(CLIENT)
    assert len(rules.policies) == 2
    assert rules.needs == Needs((LIGHTHOUSE, HARBOUR), email=True)
    assert rules.wanted(NOW) == CommunityWanted((LIGHTHOUSE, HARBOUR), read_after=NOW)
    person = facts(standing(), standing(HARBOUR), email="a@b.c", email_verified=True)
    assert rules.judge(person, NOW).allowed
    assert not rules.judge(facts(standing(), standing(HARBOUR)), NOW).allowed


def test_without_policies() -> None:
    """Everybody passes, and nothing is read."""
    rules = Rulebook().of(replace(CLIENT, policy=None))
    assert rules == Rules((), Needs())
    assert rules.wanted(NOW) is None
    assert rules.judge(facts(person=None), NOW).allowed


def test_a_client_that_was_seen_before_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its policy is not read again; that of an edited one is."""
    book = Rulebook()
    first = book.of(CLIENT)
    monkeypatch.setattr(module, "rules_of", None)  # would fail if it were called
    assert book.of(CLIENT) is first
    monkeypatch.undo()
    edited = replace(CLIENT, policy={"guilds": [{"id": HARBOUR}]})
    assert book.of(edited).policies == (guild(HARBOUR),)
    assert book.of(CLIENT).policies == (guild(),)


def test_a_bounded_number_is_kept() -> None:
    """However many clients there are."""
    book = Rulebook(size=2)
    clients = [replace(CLIENT, client_id=f"app-{number}") for number in range(3)]
    first, *_ = [book.of(client) for client in clients]
    assert len(book._kept) == 2
    assert book.of(clients[0]) is not first


def test_a_policy_that_cannot_be_read_lets_nobody_in() -> None:
    """It was changed behind our back: never taken for none at all."""
    with pytest.raises(ServerError) as caught:
        Rulebook().of(replace(CLIENT, policy={"guilds": [{"id": "x"}]}))
    assert caught.value.private == 'policy of app: guilds[0].id: "x" is no Discord id'
    assert "guilds" not in caught.value.public
