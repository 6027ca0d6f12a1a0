"""Where signing keys are, as the settings say."""

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from broker.app import key_places
from broker.app.checks import check
from broker.app.clock import SystemClock, SystemEntropy
from broker.app.loading import load
from broker.app.problems import Refused
from keys.errors import VaultMisconfigured
from keys.sealing import Sealer
from keys.stores.directory import DirectoryKeyStore
from keys.stores.sql import SqlKeyStore
from keys.vault import SealedVault


def settings(monkeypatch, **values):
    for name, value in values.items():
        monkeypatch.setenv(f"BROKER_{name.upper()}", str(value))
    return load()


def vault(found):
    sealer = Sealer([b"s" * 32], SystemEntropy().token)
    return key_places.open_vault(found, sealer, SystemClock(), SystemEntropy())


@pytest.fixture
def module(tmp_path):
    (tmp_path / "hsm.so").touch()
    return tmp_path / "hsm.so"


def test_keys_are_in_sql_and_sealed_by_default(monkeypatch):
    """Nothing set: records in SQL, private halves sealed in them."""
    found = settings(monkeypatch)
    engine = create_async_engine("sqlite+aiosqlite://")
    assert isinstance(key_places.key_store(found, engine, SystemEntropy()), SqlKeyStore)
    with vault(found) as opened:
        assert isinstance(opened, SealedVault)


def test_keys_in_a_directory(monkeypatch, tmp_path):
    """A relative path means the same whatever becomes of the working directory."""
    (tmp_path / "keys").mkdir()
    found = settings(monkeypatch, keys_dir="keys")
    check(found)
    engine = create_async_engine("sqlite+aiosqlite://")
    store = key_places.key_store(found, engine, SystemEntropy())
    assert isinstance(store, DirectoryKeyStore)
    assert store._files.path == tmp_path / "keys"


def test_an_hsm_without_its_library(monkeypatch, module):
    """What to install is said in full."""
    monkeypatch.setattr(key_places, "find_spec", lambda name: None)
    found = settings(monkeypatch, pkcs11_module=module, pkcs11_token="t", pkcs11_pin="1")
    with pytest.raises(Refused, match=r"pip install 'token-broker\[hsm\]'"), vault(found):
        pass


def test_an_hsm_is_not_spoken_to_before_it_is_needed(monkeypatch, module):
    """Commands that need no key work while the HSM is away."""
    pytest.importorskip("pkcs11")
    found = settings(monkeypatch, pkcs11_module=module, pkcs11_token="t", pkcs11_pin="1")
    check(found)
    with vault(found):
        pass


@pytest.mark.parametrize(
    ("field", "variable"),
    [
        ("module", "BROKER_PKCS11_MODULE"),
        ("token", "BROKER_PKCS11_TOKEN"),
        ("pin", "BROKER_PKCS11_PIN"),
        ("algorithms", "BROKER_SIGNING_ALGORITHMS"),
    ],
)
def test_what_a_device_finds_wrong_names_a_setting(field, variable):
    """A refusal begins with the variable to change."""
    assert str(key_places.refused(VaultMisconfigured(field, "so"))) == f"{variable}: so"


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"pkcs11_token": "t"}, "BROKER_PKCS11_TOKEN: has no effect without BROKER_PKCS11_MODULE"),
        ({"pkcs11_pin": "1"}, "BROKER_PKCS11_PIN: has no effect without BROKER_PKCS11_MODULE"),
        ({"pkcs11_module": "/nowhere.so"}, "BROKER_PKCS11_MODULE: there is no file /nowhere.so"),
        ({"pkcs11_module": "/nowhere.so"}, "BROKER_PKCS11_PIN: needed with BROKER_PKCS11_MODULE"),
        ({"keys_dir": __file__}, "is not a directory"),
        ({"keys_dir": "/nowhere"}, "does not exist; make it with: install -d -m 700 /nowhere"),
    ],
)
def test_half_described_places_are_refused(monkeypatch, values, reason):
    """Every fault is named; a PIN is never repeated."""
    with pytest.raises(Refused) as refusal:
        check(settings(monkeypatch, **values))
    assert reason in str(refusal.value)
