"""A device's request among all others, and the code it gets."""

from types import SimpleNamespace
from typing import Any

import pytest

from broker.core import asking
from broker.core.client import Client
from broker.core.device.authorization import DeviceAuthorization
from broker.core.device.user_codes import UserCodes, normalised
from broker.core.errors import StoreUnavailable
from broker.core.handles import Handles
from broker.core.model import AuthorizationRequest, Lifetimes
from broker.core.vocabulary import GRANT_DEVICE
from tests.core.helpers import SECRET, Counted, Hands, params, signing

APP = Client("app", "App", grant_types=(GRANT_DEVICE,))


@pytest.mark.parametrize(("device", "wanted"), [(None, False), ("sealed", True)])
def test_a_device_never_comes_without_a_page(device: str | None, wanted: bool) -> None:
    """RFC 8628 §5.4: whoever the app is and however often allowed, a person compares the code."""
    request = AuthorizationRequest("app", "https://id.example/done", ("openid",), device=device)
    assert asking.wanted(request, None, seen_now=True) is wanted


class Crowded:
    """Devices among which so many codes in turn are taken."""

    def __init__(self, taken: int) -> None:
        self.taken = taken
        self.names: list[str] = []

    async def begin(self, device: Any, name: str, *, now: float) -> bool:
        self.names.append(name)
        return len(self.names) > self.taken


def endpoint(devices: Any) -> DeviceAuthorization:
    async def client(*_: Any) -> Client:
        return APP

    async def ready(*_: Any, **__: Any) -> None:
        """Everything can be signed."""

    counter: Any = SimpleNamespace(
        client=client,
        mint=SimpleNamespace(ready=ready, signing=signing()),
        clock=Hands(),
        entropy=Counted(),
        lifetimes=Lifetimes(),
        handles=Handles([SECRET]),
    )
    return DeviceAuthorization(counter, devices, UserCodes([SECRET]), "https://id.example")


async def test_a_code_that_is_taken_is_not_given_again() -> None:
    """Another one is made, and the device is told that one."""
    devices = Crowded(2)
    answer = await endpoint(devices).answer(params(scope="openid"), None)
    assert len(set(devices.names)) == 3
    code = normalised(answer["user_code"])
    assert code
    assert UserCodes([SECRET]).names(code)[0] == devices.names[-1]


async def test_no_free_code_is_no_endless_search() -> None:
    """It is a 503, and nothing was given."""
    devices = Crowded(10**6)
    with pytest.raises(StoreUnavailable):
        await endpoint(devices).answer(params(scope="openid"), None)
    assert len(devices.names) == 5
