"""Migrations run beside brokers of the version before: these go on as if nothing had happened.

What old code does is told by the old schema itself: its tables are read back from the database
(so are no newer than it), and rows are written and read by their columns alone.
"""

import asyncio
import importlib.util
import io
import itertools
import re
from collections.abc import Sequence
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from broker.core.errors import StoreUnavailable
from broker.stores.sql import engine, schema, stepping
from tests.stores.sql_fixtures import database_url
from tests.stores.test_sql_schema import REVISIONS

__all__ = ["database_url"]

OURS = {"alembic_version", "schema_compatibility"}
PAIRS = tuple(itertools.pairwise(REVISIONS))


class Old:
    """Code that knows the schema as it is now, and nothing that comes later."""

    def __init__(self, connection: sa.Connection) -> None:
        metadata = sa.MetaData()
        metadata.reflect(connection)
        self._tables = [one for one in metadata.sorted_tables if one.name not in OURS]
        self._written: dict[str, list[dict[str, Any]]] = {}

    def write(self, connection: sa.Connection, marks: str) -> None:
        """Add rows to every table: with all columns, and with those alone that must be there."""
        for mark in marks:
            for table in self._tables:
                for full in (True, False):
                    row = self._row(table, f"{mark}{int(full)}", full=full)
                    done = connection.execute(sa.insert(table).values(row))
                    names = [column.name for column in table.primary_key]
                    row |= dict(zip(names, done.inserted_primary_key or (), strict=True))
                    self._written.setdefault(table.name, []).append(row)

    def holds(self, connection: sa.Connection) -> None:
        """Every row is there as it was written."""
        for table in self._tables:
            for row in self._written[table.name]:
                found = connection.execute(sa.select(table).where(_same(table, row))).mappings()
                kept = {name: value for name, value in found.one().items() if name in row}
                assert kept == row, table.name

    def change(self, connection: sa.Connection) -> None:
        """Change a column of every row that is in no key."""
        for table in self._tables:
            free = next(c for c in table.columns if not c.primary_key and not _bound(c))
            for row in self._written[table.name]:
                value = _value(free, "changed")
                done = connection.execute(
                    sa.update(table).where(_same(table, row)).values({free: value})
                )
                assert done.rowcount == 1, table.name
                row[free.name] = value

    def remove(self, connection: sa.Connection) -> None:
        """Delete the rows of the first mark, those that refer to others first."""
        for table in reversed(self._tables):
            for _ in range(2):
                row = self._written[table.name].pop(0)
                done = connection.execute(sa.delete(table).where(_same(table, row)))
                assert done.rowcount == 1, table.name

    def _row(self, table: sa.Table, mark: str, *, full: bool) -> dict[str, Any]:
        row = {}
        for column in table.columns:
            if full or not (column.nullable or column.server_default):
                row[column.name] = _value(column, mark)
            for link in column.foreign_keys:  # to the row just written with as many columns
                referred = self._written[link.column.table.name][-2 if full else -1]
                row[column.name] = referred[link.column.name]
        return row


def _same(table: sa.Table, row: dict[str, Any]) -> Any:
    return sa.and_(*(column == row[column.name] for column in table.primary_key))


def _bound(column: sa.Column[Any]) -> bool:
    found = column.table.constraints
    unique = [one.columns for one in found if isinstance(one, sa.UniqueConstraint)]
    return bool(column.foreign_keys) or any(column.name in columns for columns in unique)


def _value(column: sa.Column[Any], mark: str) -> Any:
    """Return what a column of its type can hold, one value for each mark."""
    kind, number = column.type, int.from_bytes(mark.encode()[:4], "big")
    if isinstance(kind, sa.JSON):
        return {"of": mark, "list": [1, None, "ü"]}
    if isinstance(kind, sa.Boolean):
        return True
    if isinstance(kind, sa.Integer):
        return number
    if isinstance(kind, sa.Float):
        return number + 0.25
    if isinstance(kind, sa.LargeBinary):
        return b"\0" + mark.encode()
    assert isinstance(kind, sa.String), kind
    return f"{column.table.name[:8]} {mark}"


async def _all(opened: AsyncEngine, *works: Any) -> None:
    async with opened.begin() as connection:
        for work in works:
            await connection.run_sync(work)


@pytest.fixture
async def opened(database_url: str) -> Any:
    """An engine whose connections, with what was prepared on them, outlive every migration."""
    made = engine.create(database_url)
    yield made
    await made.dispose()


async def test_old_code_works_on_the_next_schema(opened: AsyncEngine) -> None:
    """For each migration: what was there stays, and everything that old code does still works.

    The same connections, prepared statements included, go on over the change.
    """
    await schema.upgrade(opened, REVISIONS[0])
    for number, (before, after) in enumerate(PAIRS):
        async with opened.connect() as connection:
            old = await connection.run_sync(Old)
        marks = [f"{number:02}{letter}" for letter in "ab"]
        await _all(opened, lambda c, o=old, m=marks: o.write(c, m), old.holds)
        found = await schema.upgrade(opened, after)
        assert (found.current, found.oldest) == (after, REVISIONS[0]), before
        await _all(opened, old.holds)
        await _all(opened, lambda c, o=old, n=number: o.write(c, [f"{n:02}c"]), old.holds)
        await _all(opened, old.change, old.holds)
        await _all(opened, old.remove, old.holds)


JUDGED = re.compile(
    r"""
    (?P<commit>COMMIT|BEGIN)
    | CREATE\ TABLE\ (?P<made>\w+)\ .*
    | ALTER\ TABLE\ (?P<grown>\w+)\ ADD\ COLUMN\ (?P<column>.*)
    | CREATE\ INDEX\ (?P<aside>CONCURRENTLY\ )?\w+\ ON\ (?P<indexed>\w+)\ .*
    | DROP\ INDEX\ CONCURRENTLY\ IF\ EXISTS\ \w+
    | INSERT\ INTO\ (?P<filled>\w+)\ .*
    | (?:RE)?SET\ \w+(?:\ =\ 0)?
    """,
    re.VERBOSE,
)
COLUMN = re.compile(
    r"""
    \w+\ [A-Z]+(?:\ PRECISION)?(?:\(\d+\))?
    (?P<default>\ DEFAULT\ (?:'\w*'|[\d.]+|true|false))?
    (?P<full>\ NOT\ NULL)?
    """,
    re.VERBOSE,
)

EXCUSED: dict[str, str] = {}
"""Revisions that may keep a table locked for long, and why that is so."""


ALONE = re.compile(r"(CREATE|DROP) INDEX CONCURRENTLY|(RE)?SET|COMMIT|BEGIN")


def faults(statements: Sequence[str]) -> list[str]:
    """Return what keeps a table that is in use locked for longer than a glance.

    A column without a value, or with a constant one, and a new table with its indexes take a
    moment on PostgreSQL 11 and later, however many rows there are. An index on a table that was
    there before is built ``CONCURRENTLY``, outside any transaction. All else needs an excuse:
    rewriting or reading a whole table under a lock, changing rows in bulk.
    """
    found, new, inside = [], set(), True
    if any("INDEX CONCURRENTLY" in one for one in statements):
        # Whatever else the revision did would be done, and its number not written, if this failed.
        found += [one for one in statements if not ALONE.match(one)]
    for statement in statements:
        judged = JUDGED.fullmatch(statement)
        if judged is None:
            found.append(statement)
            continue
        if judged["commit"]:
            inside = judged["commit"] == "BEGIN"
        elif judged["made"]:
            new.add(judged["made"])
        elif judged["grown"]:
            column = COLUMN.fullmatch(judged["column"])
            if column is None or (column["full"] and not column["default"]):
                found.append(statement)
        elif judged["indexed"]:
            beside = bool(judged["aside"]) and not inside
            if judged["indexed"] not in new and not beside:
                found.append(statement)
        elif judged["filled"] and judged["filled"] not in new:
            found.append(statement)
    return found


def statements_of(upgrade: Any) -> list[str]:
    """Return what an ``upgrade`` says to PostgreSQL, a line each."""
    said = io.StringIO()
    options = {"as_sql": True, "output_buffer": said, "transactional_ddl": True}
    context = MigrationContext.configure(dialect_name="postgresql", opts=options)
    with Operations.context(context):
        upgrade()
    lines = (re.sub(r"\s+", " ", one).strip() for one in said.getvalue().split(";"))
    return [one for one in lines if one]


def _upgrade_of(revision: str) -> Any:
    (file,) = (schema.MIGRATIONS / "versions").glob(f"{revision}_*.py")
    spec = importlib.util.spec_from_file_location(f"revision_{revision}", file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.upgrade


@pytest.mark.parametrize("revision", REVISIONS)
def test_no_migration_keeps_a_table_locked(revision: str) -> None:
    """Nor rewrites or reads a big one under a lock; an excuse that is not needed is none."""
    assert bool(faults(statements_of(_upgrade_of(revision)))) == (revision in EXCUSED)


BAD = (
    "CREATE INDEX a_b ON account (b)",
    "CREATE INDEX CONCURRENTLY a_b ON account (b)",
    "CREATE UNIQUE INDEX a_b ON account (b)",
    "ALTER TABLE account ADD COLUMN b TEXT NOT NULL",
    "ALTER TABLE account ADD COLUMN b FLOAT DEFAULT random()",
    "ALTER TABLE account ADD COLUMN b TEXT DEFAULT 'x' NOT NULL UNIQUE",
    "ALTER TABLE account ADD COLUMN b TEXT REFERENCES client",
    "ALTER TABLE account ALTER COLUMN b TYPE TEXT",
    "ALTER TABLE account ADD CONSTRAINT c CHECK (b > 1)",
    "ALTER TABLE account DROP COLUMN b",
    "UPDATE account SET b = 1",
    "INSERT INTO account SELECT 1",
    "DROP TABLE account",
)


@pytest.mark.parametrize("statement", BAD)
def test_what_locks_is_found(statement: str) -> None:
    """Each of the usual ways to stop a service by a migration."""
    assert faults([statement]) == [statement]
    made = ["CREATE TABLE account (id INT)", "CREATE INDEX a_b ON account (b)"]
    assert faults(made) == []
    aside = ["COMMIT", "CREATE INDEX CONCURRENTLY a_b ON account (b)", "BEGIN"]
    assert faults(aside) == []
    column = "ALTER TABLE account ADD COLUMN b TEXT"
    assert faults([column]) == []
    assert faults([column, *aside]) == [column]


async def _reader(url: str) -> AsyncConnection:
    made = create_async_engine(url, poolclass=NullPool)
    return await made.connect()


@pytest.mark.postgresql
async def test_a_forgotten_transaction_holds_nobody_up(
    postgresql_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    """While one keeps a migration waiting, others read and write; then it goes through."""
    opened = engine.create(postgresql_database)
    await schema.upgrade(opened, "0009")
    forgotten = await _reader(postgresql_database)
    await forgotten.execute(sa.text("SELECT count(*) FROM account"))
    task = asyncio.create_task(schema.upgrade(opened, "0010"))
    looks = 0
    while caplog.text.count("waits for others") < 2:
        async with opened.begin() as connection:
            await connection.execute(sa.text("UPDATE account SET name = 'x'"))
            looks += 1
        await asyncio.sleep(0.02)
    assert not task.done()
    assert looks
    await forgotten.close()
    assert (await task).current == "0010"
    await opened.dispose()


@pytest.mark.postgresql
async def test_an_index_is_built_beside_writers(postgresql_database: str) -> None:
    """It waits for who began before it, and nobody waits for it; a failed build is taken away."""
    opened = engine.create(postgresql_database)
    await schema.upgrade(opened, "0010")
    writer = await _reader(postgresql_database)
    await writer.execute(sa.text("UPDATE account SET name = 'x'"))
    task = asyncio.create_task(schema.upgrade(opened))
    building = "SELECT count(*) FROM pg_index WHERE NOT indisvalid"
    while True:
        async with opened.begin() as connection:
            await connection.execute(sa.text("UPDATE account SET name = 'y'"))
            if (await connection.execute(sa.text(building))).scalar_one():
                break
        await asyncio.sleep(0.02)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await writer.close()
    found = await schema.upgrade(opened)
    assert found.current == REVISIONS[-1]
    async with opened.begin() as connection:
        assert not (await connection.execute(sa.text(building))).scalar_one()
    await opened.dispose()


@pytest.mark.postgresql
async def test_a_table_that_stays_locked_is_named_in_the_end(
    postgresql_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of the revision is done, and the operator reads why."""
    monkeypatch.setattr(stepping, "PATIENT", 0.5)
    opened = engine.create(postgresql_database)
    await schema.upgrade(opened, "0009")
    forgotten = await _reader(postgresql_database)
    await forgotten.execute(sa.text("SELECT count(*) FROM account"))
    with pytest.raises(StoreUnavailable) as caught:
        await schema.upgrade(opened)
    assert "0010" in caught.value.private
    assert "lock timeout" in caught.value.private
    assert await schema.current(opened) == "0009"
    await forgotten.close()
    await opened.dispose()
