"""The vault whose private halves are in an HSM."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, Final

from pkcs11.exceptions import NoSuchKey

from keys.errors import (
    ExportRefused,
    ImportRefused,
    KeyRecordCorrupt,
    SigningFailed,
    VaultUnavailable,
)
from keys.jws import verifies
from keys.making import FreshKey, public_key
from keys.model import KeyRecord
from keys.pkcs11.device import MAKING, TokenDevice
from keys.pkcs11.reference import Reference
from keys.pkcs11.session import TokenSession
from keys.sealing import Sealer
from keys.signer import Signer
from keys.vault import NewKey, SealedVault, sealed_of

ID_LENGTH: Final = 16
ON_ITS_WAY: Final = 3600.0
"""How long a key may be in the token before a record names it, in seconds."""
_LABEL: Final = re.compile(r"token-broker \S+ (\d{1,12}) ([0-9a-f]{8})")


class Pkcs11Vault:
    """Has an HSM make private halves and sign with them; they never leave it.

    Records of an earlier deployment, whose private halves are sealed in the records themselves,
    are used in memory until they retire: to move to an HSM is to rotate.

    Args:
        sealer: Seals references, so that a foreign or altered one is refused.
        device: The token.
        clock: Returns the time in UTC epoch seconds.
        entropy: Returns that many random bytes.
    """

    def __init__(
        self,
        sealer: Sealer,
        device: TokenDevice,
        clock: Callable[[], float],
        entropy: Callable[[int], bytes],
    ) -> None:
        self._sealer = sealer
        self._device = device
        self._clock = clock
        self._entropy = entropy
        self._in_records = SealedVault(sealer)

    async def support(self, algorithms: Collection[str]) -> None:
        """Check that the token can make and use keys of these algorithms.

        Raises:
            VaultMisconfigured: It cannot, for one or more; or it cannot be used as configured.
            VaultUnavailable: It does not answer.
        """
        await self._device.call(lambda token: token.support(algorithms))

    async def make(self, alg: str) -> NewKey:
        """Have a key pair made in the token, and see that it signs.

        Raises:
            VaultUnavailable: The token does not answer, or what it made does not sign.
            VaultMisconfigured: The token does not know the algorithm.
        """
        object_id = self._entropy(ID_LENGTH)
        label = self._label(alg)

        def work(token: TokenSession) -> tuple[str, dict[str, Any], bytes, bytes]:
            try:
                kid, public_jwk = token.generate(alg, object_id, label)
                return kid, public_jwk, token.serial, token.sign(alg, object_id, _probe(kid))
            except ValueError as error:
                token.destroy(object_id)
                raise VaultUnavailable(f"the HSM made {error}") from None

        kid, public_jwk, serial, signature = await self._device.call(work, MAKING)
        if not verifies(alg, public_key(kid, alg, public_jwk), _probe(kid), signature):
            await self._device.call(lambda token: token.destroy(object_id), MAKING)
            raise VaultUnavailable(f"the HSM made a key for {alg} whose signatures are wrong")
        reference = Reference(serial, object_id)
        return NewKey(kid, public_jwk, self._sealer.seal(kid, reference.encode()))

    async def adopt(self, alg: str, fresh: FreshKey) -> NewKey:
        """Take in no key: one made elsewhere has been outside the HSM.

        Raises:
            ImportRefused: Always.
        """
        del alg
        raise ImportRefused(
            f"key {fresh.kid} was made outside the HSM, and private keys are to be in the HSM "
            "alone: have it make new ones with `broker keys rotate`"
        )

    async def open(self, record: KeyRecord) -> Signer:
        """Return what signs with a key, once the key was seen to sign.

        Raises:
            KeyRecordCorrupt: Its reference is altered or foreign, or the token's key is missing
                or another one.
            VaultUnavailable: The token does not answer.
        """
        reference = self._reference(record)
        if reference is None:
            return await self._in_records.open(record)

        def work(token: TokenSession) -> tuple[bytes, bytes | None]:
            if token.serial != reference.serial:
                return token.serial, None
            return token.serial, token.sign(record.alg, reference.object_id, _probe(record.kid))

        public = public_key(record.kid, record.alg, record.public_jwk)
        try:
            serial, signature = await self._device.call(work)
        except NoSuchKey:
            raise KeyRecordCorrupt(
                record.kid, f"its private half is not in the HSM token {self._device.token!r}"
            ) from None
        if signature is None:
            raise KeyRecordCorrupt(
                record.kid,
                f"its private half is in the HSM token with serial number {_text(reference.serial)}"
                f", and {self._device.token!r} has {_text(serial)}",
            )
        if not verifies(record.alg, public, _probe(record.kid), signature):
            raise KeyRecordCorrupt(record.kid, "its private half in the HSM is another key's")
        return DeviceSigner(record.kid, record.alg, reference, self._device)

    def check(self, record: KeyRecord) -> None:
        """Check that the reference opens, and is one; the token is not asked.

        Raises:
            KeyRecordCorrupt: It is altered, or sealed with a secret that is not configured.
        """
        self._reference(record)

    def rewrapped(self, record: KeyRecord) -> bytes:
        """Return the reference sealed with the first secret."""
        return self._in_records.rewrapped(record)

    def reveal(self, record: KeyRecord) -> bytes:
        """Return the private half of a key from before the HSM; the others stay in it.

        Raises:
            KeyRecordCorrupt: It does not open.
            ExportRefused: It is in the HSM.
        """
        if self._reference(record) is not None:
            raise ExportRefused(f"the private half of key {record.kid} never leaves the HSM")
        return self._in_records.reveal(record)

    async def discard(self, records: Iterable[KeyRecord]) -> None:
        """Destroy the objects of these keys in the token; what is not in it is no error.

        Raises:
            VaultUnavailable: The token does not answer.
        """
        for reference in self._readable(records):
            await self._destroy(reference)

    async def sweep(self, records: Collection[KeyRecord], now: float) -> int:
        """Destroy keys of our making that no record names, an hour after they were made.

        Ours are those whose label bears the mark of one of our secrets: others may share the token.

        Raises:
            KeyRecordCorrupt: A record cannot be read, so what it names is unknown; nothing was
                destroyed.
            VaultUnavailable: The token does not answer.
        """
        held = [self._reference(record) for record in records if record.sealed is not None]
        named = {reference.object_id for reference in held if reference is not None}
        serial, found = await self._device.call(
            lambda token: (token.serial, list(token.labels())), MAKING
        )
        orphans = {
            object_id
            for object_id, label in found
            if object_id not in named and self._is_left_behind(label, now)
        }
        for object_id in orphans:
            await self._destroy(Reference(serial, object_id))
        return len(orphans)

    # ── parts ──────────────────────────────────────────────────────────────────────────────

    def _label(self, alg: str) -> str:
        return f"token-broker {alg} {int(self._clock())} {self._sealer.ids[0].hex()}"

    def _is_left_behind(self, label: str, now: float) -> bool:
        ours = _LABEL.fullmatch(label)
        if ours is None or bytes.fromhex(ours[2]) not in self._sealer.ids:
            return False
        return int(ours[1]) + ON_ITS_WAY <= now

    def _reference(self, record: KeyRecord) -> Reference | None:
        """Return where the private half is; None where it is in the record itself."""
        plain = self._sealer.open(record.kid, sealed_of(record))
        return Reference.decode(record.kid, plain)

    def _readable(self, records: Iterable[KeyRecord]) -> Iterator[Reference]:
        for record in records:
            try:
                reference = self._reference(record)
            except KeyRecordCorrupt:
                continue  # nobody can say what it named
            if reference is not None:
                yield reference

    async def _destroy(self, reference: Reference) -> None:
        def work(token: TokenSession) -> None:
            if token.serial == reference.serial:
                token.destroy(reference.object_id)

        # No request waits for this, and it may come after the making of other keys.
        await self._device.call(work, MAKING)


class DeviceSigner:
    """Signs with a key that is in the token.

    Args:
        kid: The key's identifier.
        alg: The JWS algorithm.
        reference: Where the private half is.
        device: The token.
    """

    __slots__ = ("_device", "_reference", "alg", "kid")

    def __init__(self, kid: str, alg: str, reference: Reference, device: TokenDevice) -> None:
        self.kid: Final = kid
        self.alg: Final = alg
        self._reference = reference
        self._device = device

    def check(self) -> None:
        """Refuse where the device is known not to answer.

        Raises:
            SigningFailed: It is.
        """
        self._device.check()

    async def sign(self, signing_input: bytes) -> bytes:
        """Return the raw JWS signature over these bytes.

        Raises:
            SigningFailed: The device does not answer in time, has another token now, or the key
                is gone.
        """
        try:
            return await self._device.call(lambda token: self._sign(token, signing_input))
        except NoSuchKey:
            raise SigningFailed(f"key {self.kid} is not in the HSM any more") from None
        except SigningFailed:
            raise
        except VaultUnavailable as error:
            raise SigningFailed(str(error)) from None

    def _sign(self, token: TokenSession, signing_input: bytes) -> bytes:
        if token.serial != self._reference.serial:
            raise NoSuchKey
        return token.sign(self.alg, self._reference.object_id, signing_input)


def _probe(kid: str) -> bytes:
    """Return what a key signs to show that it can; no token could have this signing input."""
    return f"token-broker: does key {kid} sign?".encode()


def _text(serial: bytes) -> str:
    return serial.decode("ascii", "backslashreplace")
