"""Devices that wait for a person, and what keeps them (Redis)."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

INTERVAL: Final = 5
"""Seconds between two polls of a device, and by how much each hasty one adds (RFC 8628 §3.5)."""


class DeviceState(StrEnum):
    """How far a device has come."""

    WAITING = "waiting"  # for a person
    APPROVED = "approved"  # a code waits to be redeemed
    DENIED = "denied"
    USED = "used"  # its tokens were made


class Poll(StrEnum):
    """What a poll finds; each but ``APPROVED`` leaves everything as it is for the next."""

    UNKNOWN = "unknown"
    FOREIGN = "foreign"  # another client's
    EXPIRED = "expired"
    DENIED = "denied"
    USED = "used"
    TOO_FAST = "too_fast"
    WAITING = "waiting"
    APPROVED = "approved"


@dataclass(frozen=True, slots=True)
class Approval:
    """Where the code is that a person's approval made.

    Attributes:
        account_id: whose.
        code_id: the code's identifier.
        grant_id: the identifier that the grant will have, whoever redeems the code how often.
    """

    account_id: str
    code_id: str
    grant_id: str


@dataclass(frozen=True, slots=True)
class Device:
    """A device that asked for access.

    Attributes:
        device_id: its identifier: 32 hexadecimal digits.
        client_id, scope, resources: what it asked for, every check passed.
        expires_at: when it has waited long enough.
        state: how far it has come.
        approval: what the person allowed, or None.
    """

    device_id: str
    client_id: str
    scope: tuple[str, ...]
    resources: tuple[str, ...]
    expires_at: float
    state: DeviceState = DeviceState.WAITING
    approval: Approval | None = None


def place(device_id: str) -> str:
    """Return what stands in a device's code for a redirect URI; no client can have it."""
    return f"device:{device_id}"


class Devices(Protocol):
    """Devices and the codes they show (Redis: a slot a device, a slot a code).

    Every method raises ``broker.core.errors.StoreUnavailable`` where it cannot know.
    """

    async def begin(self, device: Device, name: str, *, now: float) -> bool:
        """Take the code's name for the device, then write its record.

        Returns False, and writes nothing, where another device shows that code. After a crash
        between the two the name leads to no record: it is an unknown code until it ends.
        """
        ...

    async def find(self, names: Sequence[str]) -> str | None:
        """Return the device_id behind the names that a code can have, or None."""
        ...

    async def look(self, device_id: str) -> Device | None:
        """Return the record, expired or not, or None."""
        ...

    async def decide(self, device_id: str, approval: Approval | None, *, now: float) -> bool:
        """Approve, or deny (None), a device that waits; False when it does not wait any more."""
        ...

    async def poll(
        self, device_id: str, client_id: str, *, now: float
    ) -> tuple[Poll, Approval | None]:
        """Judge a poll: known → client → used → denied → unexpired → pace → decided.

        A poll that finds an approval has it to itself for ``INTERVAL`` seconds.
        """
        ...

    async def used(self, device_id: str) -> None:
        """Note that the approval's tokens were made: every later poll is told ``USED``."""
        ...


class Guesses(Protocol):
    """How often somebody may try to guess a code (Redis)."""

    async def attempt(self, address: str, person: str) -> int:
        """Count an attempt before it is judged.

        Args:
            address: network address of whoever tries.
            person: the account, or else the browser.

        Returns:
            0 where it may be judged; else the seconds to wait.

        Raises:
            StoreUnavailable: it cannot be counted, so it must not be judged.
        """
        ...

    async def forgive(self, address: str, person: str) -> None:
        """Take an attempt back that was right."""
        ...
