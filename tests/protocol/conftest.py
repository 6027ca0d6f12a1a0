"""Fixtures: a broker that the whole run shares, with nobody signed in when a test begins."""

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
import structlog
from structlog._config import BoundLoggerLazyProxy

from broker.admin.console import console_of
from tests.protocol.actors import App, Browser
from tests.protocol.harness import Shelf, World, begin, shelf
from tests.protocol.known import FRONT
from tests.protocol.operating import Desk, operate

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run these tests in one event loop, that of the broker they share."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """Redis, the simulated Discord and a filled database."""
    with shelf(tmp_path_factory.mktemp("protocol")) as found:
        yield found


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def broker_world(
    shared: Shelf, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    """A complete broker; use ``world``."""
    async with begin(shared, tmp_path_factory.mktemp("broker")) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="session")
async def world(broker_world: World) -> World:
    """A complete broker with nobody signed in, and logs as if nobody had configured them."""
    structlog.reset_defaults()
    _forget_loggers()
    await broker_world.reset()
    return broker_world


@pytest.fixture
def browser(world: World) -> Browser:
    """A browser that nobody has used before."""
    return world.browser()


@pytest.fixture
def app(world: World) -> App:
    """A public first-party client on the web."""
    return world.app(FRONT)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def console_world(
    shared: Shelf, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    """A complete broker with its console; use ``desk``."""
    folder = tmp_path_factory.mktemp("console")
    async with begin(shared, folder, console=console_of, admin="on") as found:
        yield found


@pytest_asyncio.fixture(loop_scope="session")
async def desk(console_world: World) -> Desk:
    """An operator inside the console of a broker where nobody else has signed in."""
    await console_world.reset()
    return await operate(console_world)


def _forget_loggers() -> None:
    """Have loggers go by the configuration of now: a command in this process has fixed theirs."""
    for name in [name for name in sys.modules if name.startswith("broker.")]:
        logger = vars(sys.modules[name]).get("_log")
        if isinstance(logger, BoundLoggerLazyProxy):
            vars(logger).pop("bind", None)
