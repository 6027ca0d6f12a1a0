"""What a person does for a device: enters its code, and reads how it ended (RFC 8628 §3.3)."""

from broker.core import vocabulary as v
from broker.core.csrf import browser_digest
from broker.core.desk import Desk
from broker.core.device import user_codes
from broker.core.device.approval import pending_of
from broker.core.device.model import Device, DeviceState, Guesses
from broker.core.device.user_codes import UserCodes
from broker.core.errors import BadForm, RequestUnknown, TooManyTries
from broker.core.handles import Handle, Kind
from broker.core.model import Client
from broker.core.outcomes import Browser, DeviceCodePage, DeviceDonePage, Redirect
from broker.core.parameters import Parameters
from broker.core.pkce import encode
from broker.core.texts import Text

_FORM = "device code"
_MALFORMED = Text("A code has eight letters, such as BCDF-GHJK.")
_UNKNOWN = Text("No device is waiting with this code. Check it, or let the device show a new one.")


class DevicePages:
    """Answers ``/device`` and ``/device/done``.

    Args:
        desk: what a sign-in needs at hand.
        codes: names the codes that devices show.
        guesses: how often a code may be guessed.
    """

    def __init__(self, desk: Desk, codes: UserCodes, guesses: Guesses) -> None:
        self._desk = desk
        self._codes = codes
        self._guesses = guesses

    def ask(self, typed: str | None, browser: Browser) -> DeviceCodePage:
        """Answer ``GET /device``: ask for the code.

        One that came with the link is filled in and no more: nothing happens before the person has
        compared it with the device (RFC 8628 §5.4, remote phishing).
        """
        code = user_codes.normalised(typed) if typed else None
        return self._page(user_codes.shown(code) if code else "", browser, linked=code is not None)

    async def enter(
        self, params: Parameters, browser: Browser, address: str
    ) -> Redirect | DeviceCodePage:
        """Answer ``POST /device``: find the device of a code, and begin a sign-in for it.

        Args:
            params: fields ``csrf`` and ``user_code``.
            browser: what the browser brought.
            address: network address of whoever asks.

        Raises:
            BadForm: the form did not come from our page in this browser.
            TooManyTries: too many wrong codes, from this address or by this person.
            StoreUnavailable: a store is out of reach; no guess was judged.
        """
        if not browser.key or not self._desk.forms.good(params.one("csrf"), browser.key, _FORM):
            raise BadForm(links=((Text("Enter the code again"), "/device"),))
        typed = params.one("user_code") or ""
        code = user_codes.normalised(typed)
        if code is None:
            return self._page(typed[: user_codes.LONGEST], browser, problem=_MALFORMED)
        found = await self._guess(code, browser, address)
        if found is None:
            return self._page(user_codes.shown(code), browser, problem=_UNKNOWN)
        desk, (device, client) = self._desk, found
        pending = pending_of(desk, device, client, code, browser_digest(browser.key))
        await desk.requests.put(pending)
        return Redirect(desk.page_url(pending))

    async def done(self, sealed: str | None, browser: Browser) -> DeviceDonePage:
        """Answer ``GET /device/done``: say how it ended, as the device will hear it.

        Raises:
            RequestUnknown: the address is none of ours, or it is long over.
        """
        desk = self._desk
        opened = desk.handles.open(Kind.USER_CODE, sealed) if sealed else None
        device = await desk.devices.look(opened.item_id) if opened else None
        if device is None:
            raise RequestUnknown
        session = desk.session_handle(browser)
        mine = (
            session is not None
            and device.approval is not None
            and device.approval.account_id == session.account_id
        )
        client = await desk.clients.find(device.client_id)
        return DeviceDonePage(client, approved=mine, denied=device.state is DeviceState.DENIED)

    def _page(
        self, typed: str, browser: Browser, *, problem: str = "", linked: bool = False
    ) -> DeviceCodePage:
        key = browser.key or encode(self._desk.entropy.token(24))
        csrf = self._desk.forms.make(key, _FORM)
        return DeviceCodePage(csrf, typed, problem, linked, None if browser.key else key)

    async def _guess(
        self, code: str, browser: Browser, address: str
    ) -> tuple[Device, Client] | None:
        """Judge a guess; a right one does not count, so that it cannot make room for wrong ones."""
        session = self._desk.session_handle(browser)
        person = _person(session, browser)
        wait = await self._guesses.attempt(address, person)
        if wait:
            raise TooManyTries(wait)
        found = await self._waiting(code)
        if found is not None:
            await self._guesses.forgive(address, person)
        return found

    async def _waiting(self, code: str) -> tuple[Device, Client] | None:
        desk = self._desk
        device_id = await desk.devices.find(self._codes.names(code))
        device = await desk.devices.look(device_id) if device_id else None
        if device is None or device.state is not DeviceState.WAITING:
            return None
        client = await desk.clients.find(device.client_id)
        if client is None or client.disabled or v.GRANT_DEVICE not in client.grant_types:
            return None
        return (device, client) if device.expires_at > desk.clock.now() else None


def _person(session: Handle | None, browser: Browser) -> str:
    if session is not None:
        return f"account {session.account_id}"
    return f"browser {browser_digest(browser.key or '')}"
