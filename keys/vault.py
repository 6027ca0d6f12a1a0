"""Where private halves are made, kept and used.

A record of the key store carries what its vault needs to find the private half again (`sealed`):
the half itself under the operator's secret, or a reference to it in a device that never gives it
out. Everything above this line is the same for both.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from keys.errors import KeyRecordCorrupt
from keys.making import FreshKey, KeyFactory, generate
from keys.model import KeyRecord
from keys.sealing import Sealer
from keys.signer import LocalSigner, Signer

REFERENCE: Final = b"pkcs11:"
"""How a reference to a key in a device begins (RFC 7512); no PKCS #8 in DER does."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key pair whose private half is in the vault; no record names it yet.

    Attributes:
        kid: The RFC 7638 thumbprint.
        public_jwk: The public members of its JWK.
        sealed: What goes into the record.
    """

    kid: str
    public_jwk: dict[str, Any]
    sealed: bytes


class Vault(Protocol):
    """Makes and uses private halves.

    What talks to a device raises `VaultUnavailable` when that does not answer.
    """

    async def support(self, algorithms: Collection[str]) -> None:
        """Check that keys of all these algorithms can be made and used.

        Raises:
            VaultMisconfigured: The device does not know one, or cannot be used as configured.
        """
        ...

    async def make(self, alg: str) -> NewKey:
        """Make a key pair. Where no record comes to name it, `discard` or `sweep` remove it."""
        ...

    async def adopt(self, alg: str, fresh: FreshKey) -> NewKey:
        """Take in a private half that was made elsewhere.

        Raises:
            ImportRefused: The device takes none.
        """
        ...

    async def open(self, record: KeyRecord) -> Signer:
        """Return what signs with the private half of a record.

        Raises:
            KeyRecordCorrupt: It cannot be used: missing, altered, sealed with another secret.
        """
        ...

    def check(self, record: KeyRecord) -> None:
        """Check that the record's reference is this vault's own, without any device.

        Raises:
            KeyRecordCorrupt: It is altered, or sealed with a secret that is not configured.
        """
        ...

    def rewrapped(self, record: KeyRecord) -> bytes:
        """Return what is sealed in a record, sealed with the first of the operator's secrets.

        Raises:
            KeyRecordCorrupt: As for `check`.
        """
        ...

    def reveal(self, record: KeyRecord) -> bytes:
        """Return the private half, PKCS #8 in DER.

        Raises:
            KeyRecordCorrupt: As for `open`.
            ExportRefused: The device never gives it out.
        """
        ...

    async def discard(self, records: Iterable[KeyRecord]) -> None:
        """Destroy private halves that the store names no more; repeating is harmless.

        Args:
            records: The keys as they were when the store named them.
        """
        ...

    async def sweep(self, records: Collection[KeyRecord], now: float) -> int:
        """Destroy private halves that crashes left behind, and return how many there were.

        Args:
            records: Every key of the store.
            now: The moment, in epoch seconds; what is younger than an hour is let alone, for its
                record may be on its way.
        """
        ...


class SealedVault:
    """Keeps private halves in the records themselves, sealed; opens them into memory.

    Args:
        sealer: Seals and opens them.
        factory: Makes key pairs.
    """

    def __init__(self, sealer: Sealer, factory: KeyFactory = generate) -> None:
        self._sealer = sealer
        self._factory = factory

    async def support(self, algorithms: Collection[str]) -> None:
        """Do nothing: every algorithm there is can be used in memory."""
        del algorithms

    async def make(self, alg: str) -> NewKey:
        """Make a key pair and seal its private half."""
        return await self.adopt(alg, await self._factory(alg))

    async def adopt(self, alg: str, fresh: FreshKey) -> NewKey:
        """Seal a private half that was made elsewhere."""
        del alg
        return NewKey(fresh.kid, fresh.public_jwk, self._sealer.seal(fresh.kid, fresh.private))

    async def open(self, record: KeyRecord) -> Signer:
        """Return a signer with the opened private half in memory."""
        return LocalSigner.load(record.kid, record.alg, self.reveal(record))

    def check(self, record: KeyRecord) -> None:
        """Check that the private half opens."""
        self.reveal(record)

    def rewrapped(self, record: KeyRecord) -> bytes:
        """Return the private half sealed with the first secret."""
        return self._sealer.rewrap(record.kid, sealed_of(record))

    def reveal(self, record: KeyRecord) -> bytes:
        """Return the private half, PKCS #8 in DER.

        Raises:
            KeyRecordCorrupt: It does not open, or is a reference to a device.
        """
        private = self._sealer.open(record.kid, sealed_of(record))
        if private.startswith(REFERENCE):
            raise KeyRecordCorrupt(
                record.kid, "its private half is in an HSM; set BROKER_PKCS11_MODULE"
            )
        return private

    async def discard(self, records: Iterable[KeyRecord]) -> None:
        """Do nothing: the record was all there was."""
        del records

    async def sweep(self, records: Collection[KeyRecord], now: float) -> int:
        """Do nothing: the record was all there was."""
        del records, now
        return 0


def sealed_of(record: KeyRecord) -> bytes:
    """Return what is sealed in a record.

    Raises:
        KeyRecordCorrupt: It was erased.
    """
    if record.sealed is None:
        raise KeyRecordCorrupt(record.kid, "its private half is missing")
    return record.sealed
