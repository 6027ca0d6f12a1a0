"""Fixtures of the tests of `keys`."""

from pathlib import Path

import pytest
from keys_helpers import KeyDrawer, MemoryKeyStore, Witness

from tests.softhsm import SoftHsm


@pytest.fixture
def store() -> MemoryKeyStore:
    return MemoryKeyStore()


@pytest.fixture
def witness() -> Witness:
    return Witness()


@pytest.fixture
def factory() -> KeyDrawer:
    return KeyDrawer()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """An empty directory that is fit for keys."""
    (tmp_path / "keys").mkdir(mode=0o700)
    return tmp_path / "keys"


@pytest.fixture
def softhsm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SoftHsm:
    """An HSM of this test's own, which this process sees."""
    pytest.importorskip("pkcs11", reason="left out: softhsm: there is no python-pkcs11")
    hsm = SoftHsm(tmp_path / "hsm")
    for name, value in hsm.environment.items():
        monkeypatch.setenv(name, value)
    return hsm


def pytest_collection_modifyitems(items) -> None:
    """Short ready-made keys are on purpose here; the library's word about them is not news."""
    for item in items:
        if "tests/keys/" in item.path.as_posix():
            item.add_marker(pytest.mark.filterwarnings("ignore:Key size should be"))
