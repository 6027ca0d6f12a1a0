"""Devices that wait for a person, and the codes they show."""

import json
from collections.abc import Sequence
from typing import Final

from broker.core.device.model import INTERVAL, Approval, Device, DeviceState, Poll
from broker.stores.redis import codec
from broker.stores.redis.keys import Names
from broker.stores.redis.scripts import Steps, script

KEPT_AFTER: Final = 600  # seconds beyond its end, to be told from an unknown one


class RedisDevices:
    """``broker.core.device.model.Devices`` in Redis: a record a device, an index entry a code.

    Args:
        steps: runs the scripts.
        names: names the keys.
    """

    def __init__(self, steps: Steps, names: Names) -> None:
        self._steps = steps
        self._prefix = names.prefix
        self._decide = script("device_decide")
        self._poll = script("device_poll")
        self._used = script("device_used")

    async def begin(self, device: Device, name: str, *, now: float) -> bool:
        """Take the code's name for the device, then write its record; False: the name is taken."""
        lifetime = max(int(device.expires_at - now), 1)
        words = ("SET", self._code(name), device.device_id, "EX", lifetime, "NX")
        if await self._steps.command(*words) is None:
            return False
        key, record = self._device(device.device_id), _record(device, now)
        await self._steps.command("SET", key, record, "EX", lifetime + KEPT_AFTER)
        return True

    async def find(self, names: Sequence[str]) -> str | None:
        """Return the device_id behind the names that a code can have, or None."""
        for name in names:
            found: str | None = await self._steps.command("GET", self._code(name))
            if found is not None:
                return found
        return None

    async def look(self, device_id: str) -> Device | None:
        """Return the record, expired or not, or None."""
        text = await self._steps.command("GET", self._device(device_id))
        return None if text is None else _device(device_id, json.loads(text))

    async def decide(self, device_id: str, approval: Approval | None, *, now: float) -> bool:
        """Approve, or deny (None), a device that waits; False when it does not wait any more."""
        state = DeviceState.DENIED if approval is None else DeviceState.APPROVED
        place = (
            ("", "", "")
            if approval is None
            else (approval.account_id, approval.code_id, approval.grant_id)
        )
        keys = (self._device(device_id),)
        answer = await self._steps.run(self._decide, keys, state, codec.at(now), *place)
        return bool(answer == 1)

    async def poll(
        self, device_id: str, client_id: str, *, now: float
    ) -> tuple[Poll, Approval | None]:
        """Judge a poll, in one step."""
        keys = (self._device(device_id),)
        words = (client_id, codec.at(now), str(INTERVAL))
        verdict, *place = await self._steps.run(self._poll, keys, *words)
        return Poll(verdict), Approval(*place) if place else None

    async def used(self, device_id: str) -> None:
        """Note that the approval's tokens were made."""
        await self._steps.run(self._used, (self._device(device_id),))

    def _device(self, device_id: str) -> str:
        return f"{self._prefix}{{dev:{device_id}}}"

    def _code(self, name: str) -> str:
        return f"{self._prefix}{{ucode:{name}}}"


def _record(device: Device, now: float) -> str:
    scope, resources = codec.words(device.scope), codec.words(device.resources)
    fields = [device.client_id, scope, resources, codec.at(device.expires_at), device.state]
    return json.dumps([*fields, str(INTERVAL), "", codec.at(now), "", "", "", ""])


def _device(device_id: str, record: Sequence[str]) -> Device:
    client_id, scope, resources, expires, state = record[:5]
    place = record[8:11]
    return Device(
        device_id=device_id,
        client_id=client_id,
        scope=tuple(scope.split()),
        resources=tuple(resources.split()),
        expires_at=float(expires),
        state=DeviceState(state),
        approval=Approval(*place) if place[0] else None,
    )
