"""The device authorization endpoint (RFC 8628 §3.1, §3.2)."""

from typing import Any, Final

from broker.core import vocabulary as v
from broker.core.apis import known_scopes
from broker.core.clients import may_use
from broker.core.device import user_codes
from broker.core.device.model import INTERVAL, Device, Devices
from broker.core.device.user_codes import UserCodes
from broker.core.errors import InvalidRequest, StoreUnavailable, UnauthorizedClient
from broker.core.grants import Counter
from broker.core.handles import NOBODY, Handle, Kind
from broker.core.model import Client
from broker.core.parameters import Parameters
from broker.core.wishes import asked_scope, resources

_SINGLE: Final = ("client_id", "client_secret", "scope")
_ATTEMPTS: Final = 5  # two living codes are alike once in 10¹⁰ / how many are alive


class DeviceAuthorization:
    """Answers ``POST /device_authorization``.

    Args:
        counter: what the token endpoint has at hand.
        devices: keeps devices that wait.
        codes: names the codes they show.
        issuer: where people enter them is below it.
    """

    def __init__(self, counter: Counter, devices: Devices, codes: UserCodes, issuer: str) -> None:
        self._counter = counter
        self._devices = devices
        self._codes = codes
        self._issuer = issuer

    async def answer(self, params: Parameters, authorization: str | None) -> dict[str, Any]:
        """Return the members of the JSON answer (RFC 8628 §3.2).

        Beside those of the standard there is ``verification_uri_qr``: a picture for the device to
        show.

        Raises:
            ProtocolError: as RFC 6749 §5.2 names it; nothing was written.
            AlgorithmOff: the client or an API is set to an algorithm that is switched off.
            StoreUnavailable: a store is out of reach.
        """
        counter = self._counter
        twice = params.repeated(_SINGLE)
        if twice is not None:
            raise InvalidRequest(f"The parameter {twice} was given twice")
        client = await counter.client(params, authorization)
        if not may_use(client, v.GRANT_DEVICE):
            raise UnauthorizedClient(
                f"This client is not registered for the grant type {v.GRANT_DEVICE}"
            )
        known = known_scopes(await counter.mint.signing.apis.registered(), client)
        scope = asked_scope(client, params, known)
        wanted = resources(client.resources, params)
        await counter.mint.ready(client, wanted, id_token=True)
        device, code = await self._begin(client, scope, wanted)
        return self._members(device, user_codes.shown(code))

    async def _begin(
        self, client: Client, scope: tuple[str, ...], wanted: tuple[str, ...]
    ) -> tuple[Device, str]:
        """Write a device that waits, with a code that no other one shows."""
        counter, now = self._counter, self._counter.clock.now()
        for _ in range(_ATTEMPTS):
            code = user_codes.new(counter.entropy)
            device = Device(
                device_id=counter.entropy.token(16).hex(),
                client_id=client.client_id,
                scope=scope,
                resources=wanted,
                expires_at=now + counter.lifetimes.device,
            )
            if await self._devices.begin(device, self._codes.names(code)[0], now=now):
                return device, code
        raise StoreUnavailable(private="no free user code in several attempts")

    def _members(self, device: Device, code: str) -> dict[str, Any]:
        page = f"{self._issuer}/device"
        # The time in the handle tells an expired code from garbage when its record is gone.
        handle = Handle(NOBODY, device.device_id, int(device.expires_at))
        return {
            "device_code": self._counter.handles.make(Kind.DEVICE, handle),
            "user_code": code,
            "verification_uri": page,
            "verification_uri_complete": f"{page}?user_code={code}",
            "verification_uri_qr": f"{page}/qr/{code}.svg",
            "expires_in": self._counter.lifetimes.device,
            "interval": INTERVAL,
        }
