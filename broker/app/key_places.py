"""Where signing keys are kept, and where their private halves are, as the settings say."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from broker.app.problems import Problem, Refused
from broker.app.settings import Settings
from broker.app.sources import variable
from broker.core.ports import Clock, Entropy
from broker.stores.sql.signing_keys import PromptKeyStore
from keys.errors import VaultMisconfigured
from keys.sealing import Sealer
from keys.stores import KeyStore
from keys.stores.directory import DirectoryKeyStore
from keys.vault import SealedVault, Vault

# what a device finds wrong → the setting to change
_SETTINGS: Final = {
    "module": "pkcs11_module",
    "token": "pkcs11_token",
    "pin": "pkcs11_pin",
    "algorithms": "signing_algorithms",
}


def key_store(settings: Settings, engine: AsyncEngine, entropy: Entropy) -> KeyStore:
    """Return the store of the signing keys' records.

    Args:
        settings: which one it is.
        engine: of the database, for the store in SQL.
        entropy: randomness, for the names of files in a directory.
    """
    if settings.keys_dir is not None:
        return DirectoryKeyStore(settings.keys_dir.absolute(), entropy.token)
    return PromptKeyStore(engine)


@contextmanager
def open_vault(
    settings: Settings, sealer: Sealer, clock: Clock, entropy: Entropy
) -> Iterator[Vault]:
    """Yield what makes and uses private halves; a device is let go of in the end.

    A device is not spoken to before it is needed: commands that need no key need none.

    Args:
        settings: which one it is.
        sealer: seals private halves, or references to them.
        clock: time.
        entropy: randomness.

    Raises:
        Refused: an HSM is configured, and the library that speaks to it is not installed.
    """
    if settings.pkcs11_module is None:
        yield SealedVault(sealer)
        return
    with _device_vault(settings, settings.pkcs11_module, sealer, clock, entropy) as vault:
        yield vault


def refused(error: VaultMisconfigured) -> Refused:
    """Return the refusal that names the setting a device cannot be used with."""
    return Refused(Problem(variable(_SETTINGS[error.field]), str(error)))


@contextmanager
def _device_vault(
    settings: Settings, module: Path, sealer: Sealer, clock: Clock, entropy: Entropy
) -> Iterator[Vault]:
    if find_spec("pkcs11") is None:
        how = "an HSM needs a library that is not installed: pip install 'token-broker[hsm]'"
        raise Refused(Problem(variable("pkcs11_module"), how))
    from keys.pkcs11 import Pkcs11Vault, TokenDevice  # noqa: PLC0415 - an extra, often not there

    pin = settings.pkcs11_pin.get_secret_value()
    device = TokenDevice(module.absolute(), settings.pkcs11_token, pin)
    try:
        yield Pkcs11Vault(sealer, device, clock.now, entropy.token)
    finally:
        device.close()
