"""SQLite is asked in a thread; each way there and back takes a turn of the event loop."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiosqlite
import pytest
from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from broker.core.errors import StoreUnavailable
from broker.stores.sql import engine
from broker.stores.sql.unit import Units


@pytest.fixture
async def units(tmp_path: Path) -> AsyncIterator[Units]:
    opened = engine.create(f"sqlite:///{tmp_path / 'broker.db'}", pool_size=1)
    yield Units(opened)
    await opened.dispose()


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the threads of all connections were asked for, and waited for."""
    asked: list[str] = []
    really = aiosqlite.Connection._execute

    async def counted(self, work, *words, **named):
        asked.append(work.__name__)
        return await really(self, work, *words, **named)

    monkeypatch.setattr(aiosqlite.Connection, "_execute", counted)
    return asked


async def _make_table(session: AsyncSession) -> None:
    await (await session.connection()).execute(text("CREATE TABLE one (number INTEGER)"))


async def _fill(session: AsyncSession) -> None:
    rows = [{"number": number} for number in range(3)]
    await (await session.connection()).execute(text("INSERT INTO one VALUES (:number)"), rows)


async def _read(session: AsyncSession) -> list[int]:
    found = await (await session.connection()).execute(text("SELECT number FROM one"))
    return list(found.scalars())


async def test_a_transaction_takes_one_way_for_each_thing_it_does(
    units: Units, ways: list[str]
) -> None:
    """None to open a cursor and none to close it: a busy process makes few turns a second.

    (The pool rolls back whatever it gets back, also where there is nothing left to.)
    """
    await units.write(_make_table)
    ways.clear()
    await units.write(_fill)
    assert ways == ["execute", "executemany", "commit", "rollback"]
    ways.clear()
    assert await units.read(_read) == [0, 1, 2]
    assert ways == ["execute", "execute", "fetchall", "commit", "rollback"]


async def test_a_statement_that_fails_leaves_its_connection_whole(units: Units) -> None:
    """The next one, on the only connection, is answered."""

    async def wrong(session: AsyncSession) -> None:
        await (await session.connection()).execute(text("SELECT nothing FROM nowhere"))

    with pytest.raises(StoreUnavailable):
        await units.write(wrong)
    await units.write(_make_table)
    await units.write(_fill)
    assert await units.read(_read) == [0, 1, 2]


async def test_a_caller_that_goes_away_leaves_nothing_open(units: Units) -> None:
    """What it had begun to read or write is over; the next one gets the only connection."""
    await units.write(_make_table)
    for work in (_fill, _read):
        begun = asyncio.create_task(units.write(work))
        await asyncio.sleep(0)
        begun.cancel()
    await units.settle()
    assert await units.read(_read) == [0, 1, 2]
