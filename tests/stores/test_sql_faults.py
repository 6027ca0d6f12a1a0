"""Faults: a quick refusal, no half-done change, no lost connection, recovery by itself."""

import asyncio
import sqlite3
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import OperationalError
from sqlmodel.ext.asyncio.session import AsyncSession

from broker.core.apis import Api
from broker.core.errors import StoreUnavailable
from broker.core.model import AuditEvent
from broker.stores.sql import engine, schema
from broker.stores.sql.drain import drain, drain_once
from broker.stores.sql.facade import SqlStores
from broker.stores.sql.records import OutboxItem
from broker.stores.sql.signing_keys import PromptKeyStore
from broker.stores.sql.unit import Units
from keys.errors import KeyStoreUnavailable
from tests.pace import Spent, stood
from tests.postgresql import Cluster
from tests.stores.sql_fixtures import (
    ADA,
    APP,
    NOW,
    SECRETS,
    Counted,
    Hands,
    Line,
    another,
    clock,
    line,
    migrated_postgresql,
    migrated_sqlite,
    migrated_url,
    stores,
)
from tests.stores.test_sql_clients import following

__all__ = ["another", "clock", "line", "migrated_url", "stores"]


@pytest.fixture
def patience() -> None:
    """No more time than in a broker: how soon SQL is given up is what is looked at here."""


async def _refused_in_time(call: Awaitable[object]) -> str:
    async with Spent() as spent:
        with pytest.raises(StoreUnavailable) as caught:
            await call
    assert spent.seconds < 2.0
    assert "://" not in caught.value.private
    return caught.value.private


async def _keys(stores: SqlStores) -> None:
    """As the ring of signing keys asks."""
    try:
        await PromptKeyStore(stores.engine).all()
    except KeyStoreUnavailable as error:
        raise StoreUnavailable(private=str(error)) from error


def _calls(stores: SqlStores) -> list[Callable[[], Awaitable[object]]]:
    accounts = stores.accounts
    return [
        lambda: accounts.sign_in(ADA, now=NOW),
        lambda: accounts.facts("0" * 32),
        lambda: stores.followed_clients.find("app"),
        stores.followed_apis.registered,
        stores.followed_guilds.registered,
        lambda: stores.authorizations.get("0" * 32, "discord"),
        lambda: stores.authorizations.lease("0" * 32, "discord", version=1, now=NOW, seconds=1),
        lambda: stores.audit.record(AuditEvent("x.y", NOW, "system")),
        lambda: stores.outbox.claim(1, NOW),
        lambda: schema.status(stores.engine),
        lambda: _keys(stores),
        stores.ping,
    ]


@pytest.fixture
async def over_line(
    postgresql_cluster: Cluster, line: Line, clock: Hands
) -> AsyncIterator[SqlStores]:
    """Stores whose line to PostgreSQL can be cut and frozen."""
    url = make_url(postgresql_cluster.fresh(migrated_postgresql(postgresql_cluster)))
    url = url.set(port=line.port)
    made = SqlStores(
        engine.create(url, pool_size=4), Counted(), clock, SECRETS, follow_interval=0.05
    )
    yield made
    await made.close()


@pytest.mark.postgresql
async def test_postgresql_down_is_a_quick_refusal(over_line: SqlStores, line: Line) -> None:
    """With open connections or without: refused at once, and well again without a restart."""
    await over_line.accounts.sign_in(ADA, now=NOW)
    await line.cut()
    for call in _calls(over_line):
        await _refused_in_time(call())
    await line.start()
    account_id, _ = await over_line.accounts.sign_in(ADA, now=NOW)
    assert await over_line.accounts.facts(account_id) is not None


@pytest.mark.postgresql
async def test_postgresql_silent_is_a_refusal_in_time(over_line: SqlStores, line: Line) -> None:
    """A server that accepts and says nothing costs two seconds at the most, and no connection."""
    await asyncio.gather(*(over_line.ping() for _ in range(4)))
    line.freeze()
    await asyncio.gather(*(_refused_in_time(call()) for call in _calls(over_line)))
    line.thaw()
    async with asyncio.timeout(5):
        while over_line.engine.pool.checkedout():
            await asyncio.sleep(0.05)
    for call in _calls(over_line):
        await call()


@pytest.mark.postgresql
async def test_who_closes_does_not_wait_for_postgresql(over_line: SqlStores, line: Line) -> None:
    """However many connections there are to a server that says nothing any more."""
    await asyncio.gather(*(over_line.ping() for _ in range(4)))
    line.freeze()
    async with Spent() as spent:
        await over_line.close()
    line.thaw()
    assert spent.seconds < 3


async def test_who_waited_while_the_process_stood_still_is_answered(stores: SqlStores) -> None:
    """Stopped for longer than a call may take, the process goes on, and takes what has arrived."""
    await stores.ping()
    calls = [asyncio.create_task(stores.ping()) for _ in range(3)]
    calls.append(asyncio.create_task(stores.audit.record(AuditEvent("x.y", NOW, "system"))))
    asyncio.get_running_loop().call_soon(time.sleep, 2.0)
    await asyncio.gather(*calls)


async def test_a_lookup_goes_on_where_the_process_stood_still(stores: SqlStores) -> None:
    """Whoever asks for a client that is not kept is not told that too many are asked for."""
    await stores.clients.add(APP, now=NOW)
    task = asyncio.create_task(stores.followed_clients.find(APP.client_id))
    for _ in range(4):
        await asyncio.sleep(0)
    stood(5.0)
    assert await task == APP


async def test_the_library_gives_nobody_up_for_it_either(stores: SqlStores) -> None:
    """Its time-outs for a connection and for an answer know nothing of it."""
    for _ in range(3):
        task = asyncio.create_task(stores.audit.record(AuditEvent("x.y", NOW, "system")))
        await asyncio.sleep(0.002)
        stood(5.0)
        await task


async def test_a_full_pool_is_a_refusal_in_time(stores: SqlStores) -> None:
    """When others hold every connection a call is refused in time; then all is well again."""
    size = stores.engine.pool.size()
    held = [await stores.engine.connect() for _ in range(size)]
    told = await asyncio.gather(*(_refused_in_time(stores.ping()) for _ in range(10)))
    assert all(f"{size} of {size} connections in use" in one for one in told)
    for connection in held:
        await connection.close()
    await asyncio.gather(*(stores.ping() for _ in range(10)))
    assert stores.engine.pool.checkedout() == 0


@pytest.mark.postgresql
async def test_slow_statements_are_ended(over_line: SqlStores) -> None:
    """A statement that does not end is ended, the server's side of it too."""
    units = Units(over_line.engine)

    async def slow(session: AsyncSession) -> None:
        await (await session.connection()).execute(text("SELECT pg_sleep(60)"))

    await asyncio.gather(*(_refused_in_time(units.read(slow)) for _ in range(9)))

    async def sleeping(session: AsyncSession) -> int:
        asked = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'"
        active = text(asked + " AND state = 'active'")
        return (await (await session.connection()).execute(active)).scalar_one()

    assert await units.read(sleeping) == 0
    assert over_line.engine.pool.checkedout() == 0


@pytest.mark.postgresql
async def test_known_clients_outlive_sql_for_a_while(
    over_line: SqlStores, line: Line, clock: Hands
) -> None:
    """While SQL is down a client used before is served, up to the stated bound, then refused."""
    await over_line.clients.add(APP, now=NOW)
    async with following(over_line):
        assert await over_line.followed_clients.find("app") == APP
        await line.cut()
        clock.at += 3599
        async with Spent() as spent:
            assert await over_line.followed_clients.find("app") == APP
        assert spent.seconds < 0.1
        await _refused_in_time(over_line.followed_clients.find("never seen"))
        clock.at += 60
        await _refused_in_time(over_line.followed_clients.find("app"))
        await line.start()
        assert await over_line.followed_clients.find("app") == APP


@pytest.mark.postgresql
async def test_known_apis_outlive_sql_for_a_while(
    over_line: SqlStores, line: Line, clock: Hands
) -> None:
    """All that were read are served for an hour, and not for ever; never are they taken for none.

    Then they are refused until SQL is back.
    """
    api, followed = Api("https://api.example", "API", "ES256"), over_line.followed_apis
    await over_line.apis.add(api, now=NOW)
    stop = asyncio.Event()
    task = asyncio.create_task(followed.follow(stop))
    assert await followed.registered() == {api.identifier: api}
    await line.cut()
    await asyncio.sleep(0.1)
    clock.at += 3600
    assert await followed.registered() == {api.identifier: api}
    clock.at += 1
    await _refused_in_time(followed.registered())
    await line.start()
    assert await followed.registered() == {api.identifier: api}
    stop.set()
    await task


@pytest.mark.postgresql
async def test_a_drain_outlives_an_outage(over_line: SqlStores, line: Line, clock: Hands) -> None:
    """The loop goes on by itself when SQL comes back."""
    account_id, _ = await over_line.accounts.sign_in(ADA, now=NOW)
    await line.cut()
    stop, carried = asyncio.Event(), []

    async def handler(item: OutboxItem) -> None:
        carried.append(item.payload["account_id"])
        stop.set()

    task = asyncio.create_task(drain(over_line.outbox, handler, stop, clock=clock, interval=0.05))
    await asyncio.sleep(0.3)
    await line.start()
    await over_line.accounts.sign_out(account_id, NOW)
    await asyncio.wait_for(task, 5)
    assert carried == [account_id]


async def test_a_locked_sqlite_is_a_refusal_in_time(tmp_path: Path, clock: Hands) -> None:
    """A stuck writer in another process stops writes, not reads, and not for ever."""
    (tmp_path / "broker.db").write_bytes(migrated_sqlite())
    url = f"sqlite:///{tmp_path / 'broker.db'}"
    stores = SqlStores(engine.create(url), Counted(), clock, SECRETS)
    account_id, _ = await stores.accounts.sign_in(ADA, now=NOW)
    stuck = sqlite3.connect(tmp_path / "broker.db", isolation_level=None)
    stuck.execute("BEGIN EXCLUSIVE")
    waiting = [stores.accounts.sign_out(account_id, NOW) for _ in range(6)]
    await asyncio.gather(*(_refused_in_time(call) for call in waiting))
    assert await stores.accounts.facts(account_id) is not None
    stuck.execute("ROLLBACK")
    stuck.close()
    assert (await stores.accounts.sign_out(account_id, NOW)).version == 2
    await stores.close()


async def test_sqlite_settings_are_those_that_lose_nothing(tmp_path: Path) -> None:
    """Write-ahead log, a full sync at each commit, foreign keys held."""
    opened = engine.create(f"sqlite:///{tmp_path / 'broker.db'}")
    async with opened.begin() as connection:
        answers = [
            (await connection.execute(text(f"PRAGMA {name}"))).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    await opened.dispose()
    assert answers == ["wal", 2, 1]


async def test_cancelled_callers_lose_no_connection(stores: SqlStores) -> None:
    """Browsers that go away at any moment leave the pool whole."""
    for n in range(60):
        profile = replace(ADA, subject=str(n % 7))
        task = asyncio.create_task(stores.accounts.sign_in(profile, now=NOW))
        await asyncio.sleep(0.0004 * (n % 20))
        task.cancel()
    reads = [asyncio.create_task(stores.audit.page()) for _ in range(20)]
    await asyncio.sleep(0.001)
    for task in reads:
        task.cancel()
    await asyncio.gather(*reads, return_exceptions=True)
    await stores._units.settle()
    assert stores.engine.pool.checkedout() == 0
    await stores.ping()


async def test_a_cancelled_caller_does_not_cut_a_write_in_half(stores: SqlStores) -> None:
    """What was begun is finished: the marker, its outbox row and its event are all there."""
    account_id, _ = await stores.accounts.sign_in(ADA, now=NOW)
    task = asyncio.create_task(stores.accounts.disable(account_id, "spam", NOW))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await stores._units.settle()
    facts = await stores.accounts.facts(account_id)
    assert facts is not None
    assert facts.disabled
    assert len(await stores.outbox.waiting()) == 1


async def test_a_failing_transaction_changes_nothing(
    stores: SqlStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its outbox row and its event an account is not disabled."""
    account_id, before = await stores.accounts.sign_in(ADA, now=NOW)

    def broken(*_: object) -> None:
        raise RuntimeError("no event")

    monkeypatch.setattr("broker.stores.sql.account_operations.remember", broken)
    with pytest.raises(RuntimeError):
        await stores.accounts.disable(account_id, "spam", NOW)
    assert await stores.accounts.facts(account_id) == before
    assert await stores.outbox.waiting() == ()


ENDLESS = """
import asyncio, sys
from dataclasses import replace
from broker.stores.sql import engine
from broker.stores.sql.facade import SqlStores
from tests.stores.sql_fixtures import ADA, NOW, SECRETS, Counted, Hands
from tests.pace import Spent

async def main():
    stores = SqlStores(engine.create(sys.argv[1]), Counted(), Hands(), SECRETS)
    for n in range(100_000):
        account_id, _ = await stores.accounts.sign_in(replace(ADA, subject=str(n)), now=NOW)
        await stores.accounts.disable(account_id, "test", NOW)
        print(account_id, flush=True)

asyncio.run(main())
"""


async def test_what_was_acknowledged_outlives_kill_9(
    another: Callable[[], SqlStores], migrated_url: str, clock: Hands
) -> None:
    """Killed between SQL and Redis: each acknowledged disabling is carried on by another."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", ENDLESS, migrated_url),
        cwd=Path(__file__).parents[2],
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    acknowledged = [(await process.stdout.readline()).decode().strip() for _ in range(20)]
    process.kill()
    acknowledged += (await process.stdout.read()).decode().split("\n")[:-1]
    await process.wait()
    stores = another()
    carried: set[str] = set()

    async def handler(item: OutboxItem) -> None:
        facts = await stores.accounts.facts(item.payload["account_id"])
        assert facts is not None
        assert facts.disabled
        carried.add(item.payload["account_id"])

    while await drain_once(stores.outbox, handler, clock=clock):
        pass
    assert "" not in acknowledged
    assert set(acknowledged) <= carried


def test_a_file_that_cannot_be_opened_leaves_no_thread(tmp_path: Path) -> None:
    """A command that ends right after that says why, and no thread writes a traceback after it."""
    before = threading.active_count()

    async def attempt() -> int:
        made = engine.create(f"sqlite:///{tmp_path}/none/x.db")
        with pytest.raises(OperationalError, match="unable to open"):
            await made.connect()
        return threading.active_count() - before

    for _ in range(20):
        assert asyncio.run(attempt()) <= 1  # that which waited
