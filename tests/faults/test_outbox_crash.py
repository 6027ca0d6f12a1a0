"""A crash between what SQL has committed and what Redis must hear of it."""

import asyncio
from collections.abc import Awaitable, Callable

from broker.app.clock import SystemClock, SystemEntropy
from broker.stores.sql import engine as sql_engine
from broker.stores.sql.facade import SqlStores
from broker.stores.sql.outbox import SqlOutbox
from tests.faults.conftest import Make
from tests.faults.people import ADA, BEN, Person
from tests.faults.waiting import eventually
from tests.running import RunningBroker

SOON = 4.0  # seconds in which a server has carried on what others left


def in_sql(broker: RunningBroker, work: Callable[[SqlStores, float], Awaitable[None]]) -> None:
    """Do something in the broker's database, as a process would that dies right after."""

    async def run() -> None:
        engine = sql_engine.create(f"sqlite:///{broker.data_dir / 'broker.db'}")
        stores = SqlStores(engine, SystemEntropy(), SystemClock(), (b"x" * 32,))
        try:
            await work(stores, SystemClock().now())
        finally:
            await stores.close()

    asyncio.run(run())


async def account_of(stores: SqlStores, name: str) -> str:
    (found,) = await stores.accounts.find(name)
    return found.account_id


def ended(person: Person, tokens: dict[str, str]) -> bool:
    """Whether nothing of an account works any more."""
    answer = person.refresh(tokens["refresh_token"])
    assert answer.status_code in {200, 400}
    if answer.status_code == 200:
        tokens.update(answer.json())
        return False
    assert answer.json()["error"] == "invalid_grant"
    assert person.userinfo(tokens["access_token"]).status_code == 401
    silent = person.authorize(prompt="none")
    assert "error=login_required" in silent.headers["location"]
    return True


def test_disabled_by_a_process_that_died(broker: RunningBroker) -> None:
    """The running server carries it to Redis within seconds; others are not touched."""
    person, other = Person(broker.issuer), Person(broker.issuer, BEN)
    tokens, others = person.tokens(), other.tokens()

    async def disable(stores: SqlStores, now: float) -> None:
        await stores.accounts.disable(await account_of(stores, ADA), "a test", now)

    in_sql(broker, disable)
    assert_no_entry(broker)
    eventually(lambda: ended(person, tokens), SOON)
    assert other.refresh(others["refresh_token"]).status_code == 200


def test_taken_by_a_process_that_died(make: Make) -> None:
    """The item comes back after its lease; until then nobody gets a new session."""
    broker = make()
    person = Person(broker.issuer)
    tokens = person.tokens()
    left = 6.0

    async def disable_and_take(stores: SqlStores, now: float) -> None:
        await stores.accounts.disable(await account_of(stores, ADA), "a test", now)
        assert await SqlOutbox(stores._units, lease=left).claim(16, now)

    broker.kill9()
    in_sql(broker, disable_and_take)
    broker.restart()
    assert_no_entry(broker)
    eventually(lambda: ended(person, tokens), left + SOON)
    assert_no_entry(broker)


def assert_no_entry(broker: RunningBroker) -> None:
    """A person with a disabled account signs in at Discord and gets neither session nor code."""
    newcomer = Person(broker.issuer)
    answer = newcomer.follow(newcomer.authorize())
    assert "code=" not in answer.headers.get("location", ""), answer.headers
    assert "broker_session" not in newcomer.http.cookies
