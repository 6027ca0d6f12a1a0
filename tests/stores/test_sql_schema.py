"""The schema: migrations and models agree, and every process finds out where it stands."""

import asyncio
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text
from sqlmodel import SQLModel

from broker.core.errors import StoreUnavailable
from broker.stores.sql import engine, schema, tables
from broker.stores.sql.errors import SchemaOutdated, SchemaTooNew
from tests.stores.sql_fixtures import database_url

__all__ = ["database_url"]


REVISIONS = tuple(
    reversed(
        [one.revision for one in ScriptDirectory(str(schema.MIGRATIONS)).walk_revisions("base")]
    )
)
"""Every revision in its order, as the migrations themselves say."""


def _differences(connection: Connection) -> list[object]:
    options = {"compare_type": True, "compare_server_default": True}
    context = MigrationContext.configure(connection, opts=options)
    return list(compare_metadata(context, SQLModel.metadata))


async def _run(url: str, work):
    opened = engine.create(url)
    try:
        async with opened.begin() as connection:
            return await connection.run_sync(work)
    finally:
        await opened.dispose()


async def test_migrations_and_models_agree(database_url: str) -> None:
    """What the migrations make is what the models say, the signing keys included."""
    await schema.upgrade(engine.create(database_url))
    assert await _run(database_url, _differences) == []
    found = await _run(database_url, lambda c: set(inspect(c).get_table_names()))
    assert tables.SigningKeyRow.__tablename__ in found


async def test_a_new_database_is_what_the_migrations_make(tmp_path: Path) -> None:
    """SQLite's short cut for a new database and the migrations come to the same tables and rows."""

    def everything(connection: Connection) -> dict[str, object]:
        looked = inspect(connection)
        return {
            name: (
                sorted(
                    (c["name"], str(c["type"]), c["nullable"]) for c in looked.get_columns(name)
                ),
                looked.get_pk_constraint(name)["constrained_columns"],
                sorted(str(i["column_names"]) for i in looked.get_indexes(name)),
                sorted(str(u["column_names"]) for u in looked.get_unique_constraints(name)),
                sorted(str(f["constrained_columns"]) for f in looked.get_foreign_keys(name)),
            )
            for name in looked.get_table_names()
        } | {
            "versions": connection.execute(text("SELECT * FROM alembic_version")).all(),
            "compatible": connection.execute(text("SELECT * FROM schema_compatibility")).all(),
        }

    short, long = f"sqlite:///{tmp_path / 'short.db'}", f"sqlite:///{tmp_path / 'long.db'}"
    await schema.upgrade(engine.create(short))
    await schema.upgrade(engine.create(long))
    await schema.downgrade(engine.create(long), "base")
    await schema.upgrade(engine.create(long))  # not new any more: by the migrations
    assert await _run(short, everything) == await _run(long, everything)


async def test_down_and_up_again(database_url: str) -> None:
    """A downgrade leaves nothing behind, and the way up works again."""
    opened = engine.create(database_url)
    assert (await schema.status(opened)).pending == REVISIONS
    assert (await schema.upgrade(opened)).pending == ()
    assert (await schema.downgrade(opened, "base")).current is None
    left = await _run(database_url, lambda c: inspect(c).get_table_names())
    assert left == ["alembic_version"]
    assert (await schema.upgrade(opened)).current == schema.head()
    assert await schema.current(opened) == schema.head()
    assert await _run(database_url, _differences) == []
    await opened.dispose()


def test_the_head_is_the_last_migration() -> None:
    """The code finds it without Alembic, from the names of the files."""
    assert schema.head() == REVISIONS[-1]


ADD_CLIENT = """
INSERT INTO client (
    client_id, name, auth_method, secrets, application_type, redirect_uris,
    post_logout_redirect_uris, grant_types, scopes, resources, origins, first_party, require_pkce,
    id_token_at_refresh, disabled, version, created_at, updated_at
) VALUES (
    'old', 'Old', 'none', '[]', 'web', '[]', '[]', '[]', '[]', '[]', '[]', false, true, true,
    false, 1, 1, 1
)
"""


async def test_clients_of_before_algorithms_stay_as_they_were(database_url: str) -> None:
    """Registered before the change, or after it by a broker of before it: RS256."""
    opened = engine.create(database_url)
    await schema.upgrade(opened)
    await schema.downgrade(opened, "0002")
    await _execute(opened, ADD_CLIENT)
    assert (await schema.upgrade(opened)).usable
    await _execute(opened, ADD_CLIENT.replace("'old'", "'late'"))
    async with opened.begin() as connection:
        found = await connection.execute(
            text("SELECT client_id, id_token_signed_response_alg FROM client ORDER BY client_id")
        )
        assert found.all() == [("late", "RS256"), ("old", "RS256")]
    await opened.dispose()


async def test_an_empty_database_is_outdated(database_url: str) -> None:
    """The refusal names the command that helps."""
    opened = engine.create(database_url)
    with pytest.raises(SchemaOutdated, match="broker db upgrade"):
        await schema.check(opened)
    await schema.upgrade(opened)
    assert (await schema.check(opened)).usable
    await opened.dispose()


async def test_a_newer_database_is_used_only_when_it_allows_it(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Code that meets a newer database says so, and goes on only if the database lets it."""
    opened = engine.create(database_url)
    await schema.upgrade(opened)
    await _execute(opened, "UPDATE alembic_version SET version_num = '0999'")
    found = await schema.check(opened)
    assert found.newer
    assert "newer than this broker" in caplog.text
    assert (await schema.upgrade(opened)).current == "0999"
    await _execute(opened, "UPDATE schema_compatibility SET oldest = '0998'")
    with pytest.raises(SchemaTooNew):
        await schema.check(opened)
    await opened.dispose()


async def _execute(opened, sql: str) -> None:
    async with opened.begin() as connection:
        await connection.execute(text(sql))


UPGRADE = """
import asyncio, sys
from broker.stores.sql import engine, schema
print(asyncio.run(schema.upgrade(engine.create(sys.argv[1]))).current)
"""


async def test_several_processes_upgrade_at_once(database_url: str) -> None:
    """Each of them finds the schema made, and none of them fails."""
    root = Path(__file__).parents[2]
    processes = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", UPGRADE, database_url),
            cwd=root,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        for _ in range(3)
    ]
    answers = [await process.communicate() for process in processes]
    head = REVISIONS[-1].encode()
    assert [(out.strip(), err) for out, err in answers] == [(head, b"")] * 3


async def test_no_database_is_unavailable(tmp_path: Path) -> None:
    """A database out of reach is not taken for an empty one."""
    for url in (f"sqlite:///{tmp_path}/none/broker.db", "postgresql://broker@127.0.0.1:1/x"):
        opened = engine.create(url)
        for call in (schema.status, schema.check, schema.upgrade):
            with pytest.raises(StoreUnavailable):
                await call(opened)
        await opened.dispose()


@pytest.mark.parametrize(
    ("address", "driver"),
    [
        ("postgres://u:p@h/d", "postgresql+asyncpg"),
        ("postgresql://u:p@h/d", "postgresql+asyncpg"),
        ("postgresql+asyncpg://u:p@h/d", "postgresql+asyncpg"),
        ("sqlite:////tmp/x.db", "sqlite+aiosqlite"),
    ],
)
def test_plain_addresses_get_the_asynchronous_driver(address: str, driver: str) -> None:
    """An operator need not know our drivers."""
    assert engine.normalise(address).drivername == driver


@pytest.mark.parametrize(
    "address",
    [
        "",
        "nonsense",
        "mysql://u@h/d",
        "postgresql+psycopg://h/d",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:x?mode=memory&uri=true",
    ],
)
def test_other_addresses_are_refused(address: str) -> None:
    """Nothing is guessed, and nothing is kept in memory only."""
    with pytest.raises(ValueError, match=r"malformed|not supported|must be a file"):
        engine.normalise(address)
