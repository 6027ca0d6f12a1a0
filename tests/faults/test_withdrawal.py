"""A person withdraws what our application may do at Discord: what that ends, and how soon."""

import time

import pytest

from broker.demo.discord.events import EndpointRefusedError
from broker.demo.run import DISCORD_CLIENT_ID, discord_application
from broker.stores.sql.facade import SqlStores
from tests.faults.conftest import Make
from tests.faults.people import ADA, BEN, CLIENT, Person
from tests.faults.test_backchannel_kill import Receiver, judged, receiver, wants_to_be_told
from tests.faults.test_outbox_crash import ended, in_sql
from tests.faults.waiting import eventually, in_audit_log
from tests.pace import Machine
from tests.running import RunningBroker

SOON = 2.0  # seconds; a second is the promise, this machine may be busy with other things
CARRIED = 4.0  # seconds in which a server has carried on what others left
KEY = discord_application("http://127.0.0.1:1").verify_key

__all__ = ["receiver"]


def listens(broker: RunningBroker) -> None:
    """Have Discord send its events, as in the developer portal: it tries the address out first."""
    broker.discord.send_events(DISCORD_CLIENT_ID, f"{broker.issuer}/webhooks/discord")


def test_everything_ends_within_a_second(make: Make, receiver: Receiver) -> None:
    """From the click at Discord to the app that was told: over HTTP, with real signatures."""
    broker = make(discord_public_key=KEY, outbound_allow="127.0.0.1")
    wants_to_be_told(broker, receiver)
    listens(broker)
    person, other = Person(broker.issuer), Person(broker.issuer, BEN)
    tokens, others = person.tokens(), other.tokens()
    with receiver.up(), Machine() as machine:
        began = time.monotonic()
        delivery = broker.discord.deauthorize(ADA, DISCORD_CLIENT_ID)
        assert delivery is not None
        assert delivery.wait(20)
        taken = time.monotonic() - began
        assert ended(person, tokens)
        over = time.monotonic() - began
        eventually(lambda: receiver.tokens)
        heard = time.monotonic() - began - machine.late
        claims = judged(broker.issuer, receiver.tokens[0], CLIENT.client_id)
    print(f"event taken after {taken:.2f} s, seen over {over:.2f} s, app told {heard:.2f} s")
    assert heard < SOON
    assert delivery.answers == [204]
    assert claims["sid"] == judged(broker.issuer, tokens["id_token"], CLIENT.client_id)["sid"]
    assert other.refresh(others["refresh_token"]).status_code == 200
    assert in_audit_log(broker, "account.deauthorized") == 1
    assert Person(broker.issuer).tokens()  # whoever approves anew is let in


def test_killed_between_sql_and_redis(make: Make) -> None:
    """It is committed: the server that starts next carries it on."""
    broker = make(discord_public_key=KEY)
    person, other = Person(broker.issuer), Person(broker.issuer, BEN)
    tokens, others = person.tokens(), other.tokens()

    async def withdraw(stores: SqlStores, now: float) -> None:
        found = broker.discord.find_person(ADA)
        assert found is not None
        assert await stores.accounts.deauthorized("discord", found.id, at=now, now=now)

    broker.kill9()
    in_sql(broker, withdraw)
    broker.restart()
    eventually(lambda: ended(person, tokens), CARRIED)
    assert other.refresh(others["refresh_token"]).status_code == 200


def test_killed_before_it_could_answer(make: Make) -> None:
    """Discord tries again until somebody takes it."""
    broker = make(discord_public_key=KEY)
    listens(broker)
    person = Person(broker.issuer)
    tokens = person.tokens()
    broker.kill9()
    delivery = broker.discord.deauthorize(ADA, DISCORD_CLIENT_ID)
    assert delivery is not None
    eventually(lambda: delivery.answers)
    broker.restart()
    assert delivery.wait(20)
    assert ended(person, tokens)
    assert delivery.answers[-1] == 204
    assert set(delivery.answers[:-1]) == {0}


def test_without_the_key_discord_does_not_take_the_address(make: Make) -> None:
    """Or with another application's: whoever sets it up hears of it at once."""
    for settings in ({}, {"discord_public_key": "a1" * 32}):
        with pytest.raises(EndpointRefusedError):
            listens(make(**settings))
