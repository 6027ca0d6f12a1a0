"""What the tests of keys in an HSM share: a vault on a token, and looking into the token."""

import os
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any, TypeVar

from keys_helpers import SECRET, HandClock, sealer
from pkcs11 import Attribute, ObjectClass

from keys.errors import SigningFailed
from keys.pkcs11 import Pkcs11Vault, TokenDevice
from tests.softhsm import Token

T = TypeVar("T")


class Hsm:
    """A token in use.

    Attributes:
        device: the open token.
        clock: what the labels of its keys are dated by.
    """

    def __init__(self, token: Token, clock: HandClock, **device) -> None:
        self.token = token
        self.clock = clock
        self.device = TokenDevice(token.module, token.label, token.pin, **device)

    def vault(self, *secrets: bytes) -> Pkcs11Vault:
        """Return a vault on it that seals with these secrets."""
        return Pkcs11Vault(sealer(*(secrets or (SECRET,))), self.device, self.clock, os.urandom)

    async def private_keys(self) -> set[bytes]:
        """Return the `CKA_ID` of every private key in the token."""
        return set(await self.look(lambda s: [one[Attribute.ID] for one in _private(s)]))

    async def object_count(self) -> int:
        """Return how many objects of any kind are in the token."""
        return await self.look(lambda s: len(list(s.get_objects())))

    async def private_attribute(self, attribute: Attribute):
        """Return an attribute of a private key in the token, or the error of asking for it."""

        def ask(session):
            try:
                return _private(session)[0][attribute]
            except Exception as error:
                return error

        return await self.look(ask)

    async def look(self, work: Callable[..., T]) -> T:
        """Do something with the library's own session."""
        return await self.device.call(lambda token: work(token._session))


def _private(session) -> list:
    return list(session.get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY}))


@contextmanager
def opened(token: Token, clock: HandClock | None = None, **device):
    """Use a token until the block ends; only one is in use at a time."""
    hsm = Hsm(token, clock or HandClock(), **device)
    try:
        yield hsm
    finally:
        hsm.device.close()


def well(signer: Any) -> bool:
    """Whether a signer's device is known to answer; where not, it is asked for the next time."""
    try:
        signer.check()
    except SigningFailed:
        return False
    return True
