"""Stores over both databases: every test that takes ``stores`` runs on SQLite and PostgreSQL."""

import asyncio
import contextlib
import functools
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import pytest

from broker.core.model import Client, Profile
from broker.stores.sql import engine, schema
from broker.stores.sql.facade import SqlStores
from tests.core.helpers import Counted
from tests.ports import free_port
from tests.postgresql import Cluster, run_aside

NOW = 1_700_000_000.0
SECRETS = (b"a secret of the operator's, for tests alone",)
ADA = Profile(
    upstream="discord",
    subject="80351110224678912",
    username="ada",
    display_name="Ada",
    email="ada@example.org",
    email_verified=True,
    picture="https://cdn.example/ada.png",
    locale="en-GB",
    raw={"premium_type": 2},
)
BOB = replace(ADA, subject="80351110224678913", username="bob", display_name="Bob")
APP = Client("app", "The app", redirect_uris=("https://app.example/cb",))


@dataclass
class Hands:
    """A clock that is turned by hand."""

    at: float = NOW

    def now(self) -> float:
        return self.at


BOTH = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]


@pytest.fixture(params=BOTH)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'broker.db'}"
    fresh: Callable[[], str] = request.getfixturevalue("fresh_postgresql")
    return fresh()


@functools.cache
def migrated_sqlite() -> bytes:
    """An SQLite file of the newest schema; made once, since every test starts from it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "broker.db")
        run_aside(_upgrade(f"sqlite:///{file}"))
        return file.read_bytes()


@functools.cache
def migrated_postgresql(cluster: Cluster) -> str:
    """The name of a PostgreSQL database of the newest schema, to copy."""
    url = cluster.fresh()
    run_aside(_upgrade(url))
    return url.rpartition("/")[2]


async def _upgrade(url: str) -> None:
    opened = engine.create(url)
    await schema.upgrade(opened)
    await opened.dispose()


@pytest.fixture(params=BOTH)
def migrated_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database of the newest schema."""
    if request.param == "sqlite":
        file = tmp_path / "broker.db"
        file.write_bytes(migrated_sqlite())
        return f"sqlite:///{file}"
    cluster: Cluster = request.getfixturevalue("postgresql_cluster")
    return cluster.fresh(migrated_postgresql(cluster))


@pytest.fixture
def clock() -> Hands:
    """Turned by hand."""
    return Hands()


@pytest.fixture
async def another(
    migrated_url: str, clock: Hands, patience: None
) -> AsyncIterator[Callable[[], SqlStores]]:
    """A function that opens the same database again, as another process would."""
    opened: list[SqlStores] = []
    seeds = count()

    def make() -> SqlStores:
        entropy = Counted(seed=f"process {next(seeds)}".encode())
        opened.append(
            SqlStores(engine.create(migrated_url), entropy, clock, SECRETS, follow_interval=0.05)
        )
        return opened[-1]

    yield make
    for stores in opened:
        await stores.close()


@pytest.fixture
def stores(another: Callable[[], SqlStores]) -> SqlStores:
    """The stores over an empty database of the newest schema."""
    return another()


class Line:
    """A TCP line to a server that can be cut (refused and dropped) or frozen (silent).

    Attributes:
        port: where it listens on 127.0.0.1.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._open = asyncio.Event()
        self._open.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.port = free_port()  # nobody takes it while the line is cut

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def cut(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        self._open.set()
        await asyncio.sleep(0)

    def freeze(self) -> None:
        self._open.clear()

    def thaw(self) -> None:
        self._open.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers |= {writer, forth}
        await asyncio.gather(self._pump(reader, forth), self._pump(back, writer))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(65536):
                await self._open.wait()
                writer.write(piece)
        writer.close()


@pytest.fixture
async def line(postgresql_cluster: Cluster) -> AsyncIterator[Line]:
    """A line to PostgreSQL."""
    made = Line(postgresql_cluster.port)
    await made.start()
    yield made
    await made.cut()
