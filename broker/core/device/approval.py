"""A device's request among the requests that wait for a person.

It goes the way of every sign-in (``broker.core.interaction``); what differs is here: where its code
goes, and who hears of a refusal.
"""

from dataclasses import replace

from broker.core.audit import note
from broker.core.desk import Desk
from broker.core.device import user_codes
from broker.core.device.model import Approval, Device, DeviceState, place
from broker.core.errors import RequestUnknown
from broker.core.handles import NOBODY, Handle, Kind
from broker.core.model import AuditEvent, AuthorizationRequest, Client, PendingRequest
from broker.core.outcomes import Redirect

_OVER = "This code was already used, or has expired"
_ADVICE = "If your device still waits, let it show a new code and enter that."
_LINKS = (("Enter a code", "/device"),)


def request_of(desk: Desk, device: Device, client: Client, code: str) -> AuthorizationRequest:
    """Return the request of a device that waits, as if an app had sent the browser.

    Its answers, good or bad, lead to our own page.
    """
    handle = Handle(NOBODY, device.device_id, user_codes.number(code))
    sealed = desk.handles.make(Kind.USER_CODE, handle)
    return AuthorizationRequest(
        client_id=device.client_id,
        redirect_uri=f"{desk.issuer}{done_page(sealed)}",
        scope=device.scope,
        resources=device.resources,
        max_age=client.default_max_age,
        device=sealed,
    )


def pending_of(
    desk: Desk, device: Device, client: Client, code: str, browser: str
) -> PendingRequest:
    """Return a record of it for a browser (its digest); it waits no longer than the device."""
    pending = desk.new_pending(request_of(desk, device, client, code))
    return replace(pending, browser=browser, expires_at=min(pending.expires_at, device.expires_at))


def done_page(sealed: str) -> str:
    """Return the address of the page that ends it."""
    return f"/device/done?device={sealed}"


def shown_code(desk: Desk, request: AuthorizationRequest) -> str:
    """Return the code that the device shows, as people read it; empty where there is no device."""
    opened = desk.handles.open(Kind.USER_CODE, request.device) if request.device else None
    return user_codes.shown(user_codes.from_number(opened.generation)) if opened else ""


async def waiting(desk: Desk, request: AuthorizationRequest, account_id: str) -> Device | Redirect:
    """Return the device of a request, if it still waits.

    Where this account has approved it before, and was not told, there is only the last page left.

    Raises:
        RequestUnknown: it does not wait any more.
        StoreUnavailable: Redis is out of reach.
    """
    device = await desk.devices.look(_device_id(desk, request))
    if device is None or device.expires_at <= desk.clock.now():
        raise RequestUnknown(_OVER, _ADVICE, links=_LINKS)
    if device.approval is not None and device.approval.account_id == account_id:
        return Redirect(done_page(request.device or ""))
    if device.state is not DeviceState.WAITING:
        raise RequestUnknown(_OVER, _ADVICE, links=_LINKS)
    return device


def kept(request: AuthorizationRequest, device: Device) -> AuthorizationRequest:
    """Return the request as its code is to be kept: for the device, for nobody's redirect URI."""
    return replace(request, redirect_uri=place(device.device_id))


async def approve(
    desk: Desk, request: AuthorizationRequest, device: Device, account_id: str, code_id: str
) -> Redirect:
    """Tell the device where its code is; the last step, so a crash before it leaves it waiting.

    Raises:
        RequestUnknown: somebody else has decided meanwhile, or it has expired.
        StoreUnavailable: Redis is out of reach; it can be tried again.
    """
    now = desk.clock.now()
    approval = Approval(account_id, code_id, desk.new_id())
    if not await desk.devices.decide(device.device_id, approval, now=now):
        raise RequestUnknown(_OVER, _ADVICE, links=_LINKS)
    detail = {"scope": " ".join(request.scope)}
    event = AuditEvent("device.approved", now, "person", account_id, request.client_id, detail)
    await note(desk.audit, event)
    return Redirect(done_page(request.device or ""))


async def deny(desk: Desk, request: AuthorizationRequest) -> None:
    """Tell the device, where there is one, that the person said no.

    Raises:
        StoreUnavailable: Redis is out of reach; it can be tried again.
    """
    if request.device is not None:
        device_id = _device_id(desk, request)
        await desk.devices.decide(device_id, None, now=desk.clock.now())


def _device_id(desk: Desk, request: AuthorizationRequest) -> str:
    opened = desk.handles.open(Kind.USER_CODE, request.device or "")
    if opened is None:
        raise RequestUnknown(_OVER, _ADVICE, links=_LINKS)
    return opened.item_id
