"""Where signing keys are kept, and where their private halves are, as the settings say."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.ext.asyncio import AsyncEngine

from broker.app.settings import Settings
from broker.core.ports import Clock, Entropy
from keys.sealing import Sealer
from keys.stores import KeyStore
from keys.stores.sql import SqlKeyStore
from keys.vault import SealedVault, Vault


def key_store(settings: Settings, engine: AsyncEngine) -> KeyStore:
    """Return the store of the signing keys' records.

    Args:
        settings: which one it is.
        engine: of the database, for the store in SQL.
    """
    del settings
    return SqlKeyStore(engine)


@contextmanager
def open_vault(
    settings: Settings, sealer: Sealer, clock: Clock, entropy: Entropy
) -> Iterator[Vault]:
    """Yield what makes and uses private halves; a device is let go of in the end.

    Args:
        settings: which one it is.
        sealer: seals private halves, or references to them.
        clock: time.
        entropy: randomness.
    """
    del settings, clock, entropy
    yield SealedVault(sealer)
