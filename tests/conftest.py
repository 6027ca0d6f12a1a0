"""Fixtures for every test: the outer servers, found or plainly reported missing."""

import gc
import os
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from hypothesis import settings
from playwright import async_api, sync_api

from broker.log import structlog
from tests.outer import PREFIX, PROGRAMS, REQUIRE_ALL, need
from tests.postgresql import Cluster

# A browser beside two other test files on two cores may take its time.
for api in (async_api, sync_api):
    api.expect.set_options(timeout=20_000)


def pytest_configure() -> None:
    """Have no logger keep how the log was when it was first used: tests of a process share them.

    Nor does Hypothesis fail what a busy machine is slow at: none of its tests is about time.
    """
    settings.register_profile("untimed", deadline=None)
    settings.load_profile("untimed")
    configure = structlog.configure
    structlog.configure = lambda **how: configure(**how | {"cache_logger_on_first_use": False})


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave long tests for whoever asks for them."""
    if os.environ.get("BROKER_TEST_LONG") == "1":
        return
    long = [item for item in items if item.get_closest_marker("long")]
    if long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]


def pytest_collection_finish() -> None:
    """Have the collector pass over what lives as long as the run: thousands of tests.

    A look at all of it takes so long on a busy machine that what is under test misses deadlines.
    """
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave a test out, or fail it, before its fixtures start when a program is missing."""
    os.umask(0o022)  # a command that ran in this process has closed its files to others
    structlog.reset_defaults()  # and set up the log
    for marker, programs in PROGRAMS.items():
        if item.get_closest_marker(marker):
            for program in programs:
                need(program, marker)


@pytest.fixture(scope="session")
def postgresql_cluster() -> Iterator[Cluster]:
    """A private PostgreSQL server, shared by the run; leave it running."""
    cluster = Cluster()
    try:
        cluster.make()
        yield cluster
    finally:
        cluster.remove()


@pytest.fixture(scope="session")
def postgresql_url(postgresql_cluster: Cluster) -> str:
    """The address of the server's own database; tests use ``postgresql_database``."""
    return postgresql_cluster.url()


@pytest.fixture
def fresh_postgresql(postgresql_cluster: Cluster) -> Callable[[], str]:
    """A function that makes an empty database and returns its ``postgresql+asyncpg://`` address."""
    return postgresql_cluster.fresh


@pytest.fixture
def postgresql_database(fresh_postgresql: Callable[[], str]) -> str:
    """The ``postgresql+asyncpg://`` address of an empty database of this test's own."""
    return fresh_postgresql()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which outer tests were left out and why."""
    reasons = Counter(
        report.longrepr[2].removeprefix("Skipped: ").removeprefix(PREFIX)
        for report in terminalreporter.stats.get("skipped", [])
        if isinstance(report.longrepr, tuple) and PREFIX in report.longrepr[2]
    )
    terminalreporter.section("outer tests")
    if not reasons:
        terminalreporter.line("None of the collected tests was left out for want of a program.")
    for reason, times in sorted(reasons.items()):
        terminalreporter.line(f"{times} left out, {reason}")
    if reasons:
        terminalreporter.line(f"{REQUIRE_ALL}=1 turns these into failures.")
