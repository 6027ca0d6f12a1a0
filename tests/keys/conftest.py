"""Fixtures of the tests of `keys`."""

import pytest
from keys_helpers import KeyDrawer, MemoryKeyStore, Witness


@pytest.fixture
def store() -> MemoryKeyStore:
    return MemoryKeyStore()


@pytest.fixture
def witness() -> Witness:
    return Witness()


@pytest.fixture
def factory() -> KeyDrawer:
    return KeyDrawer()


def pytest_collection_modifyitems(items) -> None:
    """Short ready-made keys are on purpose here; the library's word about them is not news."""
    for item in items:
        if "tests/keys/" in item.path.as_posix():
            item.add_marker(pytest.mark.filterwarnings("ignore:Key size should be"))
