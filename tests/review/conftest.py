"""The broker, browser and stores of the other tests."""

from pathlib import Path

import pytest

from tests.protocol.conftest import app, broker_world, browser, shared, world

__all__ = ["app", "broker_world", "browser", "shared", "world"]

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run these tests in one event loop, that of the broker they share."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
