"""A signer in an HSM, for the benchmark: SoftHSM2 in a directory of this process' own."""

import atexit
import os
import shutil
import tempfile
import time
from pathlib import Path

from keys.model import KeyRecord, genesis
from keys.pkcs11 import Pkcs11Vault, TokenDevice
from keys.sealing import Sealer
from keys.signer import Signer
from tests.softhsm import CONF, SoftHsm


async def device_signer(alg: str) -> Signer:
    """Return what signs with a key made in a fresh token."""
    folder = Path(tempfile.mkdtemp(prefix="broker-bench-hsm-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    hsm = SoftHsm(folder)
    os.environ[CONF] = str(hsm.conf)
    token = hsm.token()
    device = TokenDevice(token.module, token.label, token.pin)
    atexit.register(device.close)
    vault = Pkcs11Vault(Sealer([os.urandom(32)], os.urandom), device, time.time, os.urandom)
    new = await vault.make(alg)
    record = KeyRecord(new.kid, alg, new.public_jwk, new.sealed, genesis(alg), 0.0, 0.0, 0.0)
    return await vault.open(record)
