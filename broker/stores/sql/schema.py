"""The schema's revision: what the database has, what the code wants, and the way there."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from sqlalchemy import Column, Connection, MetaData, String, Table, insert, inspect, text
from sqlalchemy.exc import DBAPIError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlmodel import SQLModel

from broker.core.errors import StoreUnavailable
from broker.stores.sql import stepping
from broker.stores.sql.engine import create_patient
from broker.stores.sql.errors import SchemaOutdated, SchemaTooNew
from broker.stores.sql.tables import SchemaCompatibilityRow
from broker.stores.sql.unit import Units, describe

# Alembic costs 10 MB and a quarter of a second: it is loaded only where there is work for it.
if TYPE_CHECKING:
    from alembic.config import Config

T = TypeVar("T")

MIGRATIONS: Final = Path(__file__).parent / "migrations"
OLDEST: Final = "0001"  # whose code may use a database of this code's revision
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SchemaStatus:
    """How the database stands to the code.

    Attributes:
        current: the database's revision, or None when it is empty.
        head: the revision that the code wants.
        pending: revisions to be applied, in order.
        newer: whether the database's revision is unknown to the code, so made by newer code.
        oldest: the oldest revision whose code may use the database, or None when it is empty.
    """

    current: str | None
    head: str
    pending: tuple[str, ...]
    newer: bool = False
    oldest: str | None = None

    @property
    def usable(self) -> bool:
        """Whether this code may work with this database."""
        if self.newer:
            return self.oldest is not None and self.head >= self.oldest
        return not self.pending


def head() -> str:
    """Return the revision that the code wants."""
    return _revisions()[-1]


def _revisions() -> tuple[str, ...]:
    """Every revision in its order; migrations are numbered, one after the other."""
    names = sorted(path.name for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))
    if not names:
        raise RuntimeError("the package has lost its migrations")
    return tuple(name.partition("_")[0] for name in names)


async def current(engine: AsyncEngine) -> str | None:
    """Return the database's revision, or None when it is empty.

    Raises:
        StoreUnavailable: SQL does not answer.
    """
    return (await status(engine)).current


async def status(engine: AsyncEngine) -> SchemaStatus:
    """Return how the database stands to the code.

    Raises:
        StoreUnavailable: SQL does not answer.
    """
    return await Units(engine).run(_on(engine, _status))


async def check(engine: AsyncEngine, before: str | None = None) -> SchemaStatus:
    """Return the status if this code may work with this database.

    A newer database is named in the log, and used when it says that it may be.

    Args:
        engine: where.
        before: the revision that an earlier check found: it is not named again.

    Raises:
        SchemaOutdated: it is older than the code; the message names ``broker db upgrade``.
        SchemaTooNew: it is newer, and this code cannot use it.
        StoreUnavailable: SQL does not answer.
    """
    found = await status(engine)
    if found.newer:
        if not found.usable:
            raise SchemaTooNew(private=f"database {found.current}, code {found.head}")
        if found.current != before:
            told = "the database (%s) is newer than this broker (%s), but it may be used"
            log.warning(told, found.current, found.head)
    elif found.pending:
        at = found.current or "empty"
        raise SchemaOutdated(
            f"The database is {at}, this broker wants {found.head}: run `broker db upgrade`"
        )
    return found


async def upgrade(engine: AsyncEngine, to: str | None = None) -> SchemaStatus:
    """Bring the database to a revision, the newest unless told; return the new status.

    Several processes may call it at once: PostgreSQL's advisory lock or SQLite's exclusive
    transaction lets one work and the others find it done. A newer database is left as it is.
    SQLite takes all revisions in one transaction, PostgreSQL each in its own, and brokers go on
    meanwhile.

    Raises:
        StoreUnavailable: SQL does not answer, or others kept a table locked for ``PATIENT``.
    """
    if engine.dialect.name != "postgresql":
        return await _patiently(engine, lambda connection: _upgrade(connection, to))
    patient = create_patient(engine.url)

    def pending(connection: Connection) -> tuple[str, ...]:
        return _up_to(_status(connection).pending, to)

    try:
        async with _named(), patient.connect() as connection:
            await stepping.go(connection, pending, _step)
            return await connection.run_sync(_status)
    finally:
        await patient.dispose()


async def downgrade(engine: AsyncEngine, revision: str) -> SchemaStatus:
    """Take the database back to ``revision`` (``base`` for none); data is lost on the way.

    Raises:
        StoreUnavailable: SQL does not answer.
    """
    return await _patiently(engine, lambda connection: _downgrade(connection, revision))


async def _patiently(engine: AsyncEngine, work: Callable[[Connection], T]) -> T:
    patient = create_patient(engine.url)
    try:
        return await _on(patient, work)
    finally:
        await patient.dispose()


async def _on(engine: AsyncEngine, work: Callable[[Connection], T]) -> T:
    async with _named(), engine.begin() as connection:
        return await connection.run_sync(work)


@asynccontextmanager
async def _named() -> AsyncIterator[None]:
    """Call what goes wrong by the core's name for it."""
    try:
        yield
    except ProgrammingError:
        raise
    except (DBAPIError, OSError, TimeoutError) as error:
        raise StoreUnavailable(private=describe(error)) from error


def _status(connection: Connection) -> SchemaStatus:
    found, known = _revision(connection), _revisions()
    wanted = known[-1]
    if found is not None and found not in known:
        return SchemaStatus(found, wanted, (), newer=True, oldest=_oldest(connection))
    pending = known[known.index(found) + 1 :] if found else known
    return SchemaStatus(found, wanted, pending, oldest=_oldest(connection))


def _revision(connection: Connection) -> str | None:
    """Return what Alembic wrote into its table, or None where there is none."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _oldest(connection: Connection) -> str | None:
    if not inspect(connection).has_table("schema_compatibility"):
        return None
    return connection.execute(text("SELECT oldest FROM schema_compatibility")).scalar()


def _up_to(pending: tuple[str, ...], to: str | None) -> tuple[str, ...]:
    return tuple(one for one in pending if to is None or one <= to)


def _upgrade(connection: Connection, to: str | None) -> SchemaStatus:
    """Take the steps in the caller's transaction."""
    if to is None and not inspect(connection).get_table_names():
        _make(connection)
    elif pending := _up_to(_status(connection).pending, to):
        _step(connection, pending[-1])
        _check_references(connection)
    return _status(connection)


def _step(connection: Connection, revision: str) -> None:
    from alembic import command  # noqa: PLC0415

    command.upgrade(_config(connection), revision)


def _make(connection: Connection) -> None:
    """Make a new SQLite database as the models say, which is what the migrations come to.

    The embedded default begins here: without Alembic it starts sooner and stays smaller.
    """
    SQLModel.metadata.create_all(connection)
    connection.execute(insert(SchemaCompatibilityRow).values(id=1, oldest=OLDEST))
    version = Table(
        "alembic_version", MetaData(), Column("version_num", String(32), primary_key=True)
    )
    version.create(connection)
    connection.execute(insert(version).values(version_num=head()))


def _downgrade(connection: Connection, revision: str) -> SchemaStatus:
    from alembic import command  # noqa: PLC0415

    stepping.lock(connection)
    command.downgrade(_config(connection), revision)
    _check_references(connection)
    return _status(connection)


def _check_references(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        broken = connection.execute(text("PRAGMA foreign_key_check")).all()
        if broken:
            raise RuntimeError(f"a migration broke references: {broken[:3]}")


def _config(connection: Connection) -> "Config":
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
