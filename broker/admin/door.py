"""The door of the console: a fresh sign-in, then a passkey."""

from typing import Final

from starlette.requests import Request

from broker.admin.passkeys import PasskeyRefused, Passkeys
from broker.core.account import entering
from broker.core.console import AtTheDoor, DoorPage, Entrance, Step
from broker.core.desk import Desk
from broker.core.errors import BadForm, InvalidRequest, Way
from broker.core.outcomes import Browser
from broker.core.parameters import Parameters
from broker.core.pkce import encode
from broker.web import forms
from broker.web.answers import Answer, Header, redirect_answer
from broker.web.edge import Edge
from broker.web.endpoints.browser import show

DOOR: Final = "/admin/enter"
NOT_YOURS: Final = "That was no answer of a passkey of yours. Try again."
NO_CODE: Final = "That code is wrong, spent, or older than 15 minutes. Have a new one printed."


class Door:
    """Answers ``/admin/enter``.

    Args:
        desk: what a sign-in has at hand.
        entrance: judges who may come in.
        passkeys: asks for them.
        cookie_name: of the console's cookie.
        secure: whether the issuer is https.
    """

    def __init__(
        self, desk: Desk, entrance: Entrance, passkeys: Passkeys, cookie_name: str, *, secure: bool
    ) -> None:
        self._desk = desk
        self._entrance = entrance
        self._passkeys = passkeys
        self._cookie_name = cookie_name
        self._secure = secure

    async def answer(self, request: Request, edge: Edge) -> Answer:
        """Show what is to be proven next, or take the proof.

        Raises:
            BadForm: the form did not come from our page, in this browser, for this sign-in.
            StoreUnavailable: a store is out of reach.
        """
        browser = edge.cookies.browser(request)
        who = await self._entrance.door(browser)
        if request.method == "POST":
            return await self._take(request, edge, browser, who)
        with_code = forms.query(request, edge.config).one("with") == "code"
        return await self._show(edge, browser, who, with_code=with_code)

    async def _show(
        self,
        edge: Edge,
        browser: Browser,
        who: AtTheDoor | None,
        *,
        with_code: bool = False,
        problem: str = "",
    ) -> Answer:
        key = browser.key or encode(self._desk.entropy.token(24))
        name = _name(who)
        step, options = Step.SIGN_IN, ""
        if who is not None and who.operator is None:
            step = Step.NOBODY
            await self._entrance.refused(who.session.account_id, "no operator")
        elif who is not None and who.operator is not None and who.fresh:
            challenge = await self._entrance.challenge(who)
            step = Step.ENROL if with_code or not who.operator.passkeys else Step.PASSKEY
            options = (
                self._passkeys.request(who.operator, challenge)
                if step is Step.PASSKEY
                else self._passkeys.creation(who.operator, name, challenge)
            )
        page = DoorPage(
            step=step,
            csrf=self._desk.forms.make(key, _subject(who)),
            name=name,
            options=options,
            known=bool(who and who.operator and who.operator.passkeys),
            problem=problem,
        )
        answer = edge.pages.english.door(page)
        answer.raw_headers += edge.cookies.changes(browser=None if browser.key else key)
        return answer

    async def _take(
        self, request: Request, edge: Edge, browser: Browser, who: AtTheDoor | None
    ) -> Answer:
        params = await forms.form(request, edge.config)
        if not self._desk.forms.good(params.one("csrf"), browser.key, _subject(who)):
            raise BadForm(links=(Way("Back to the door", DOOR),))
        action = params.one("action")
        if action == "sign_in":
            return show(await entering.enter_console(self._desk, browser), request, edge)
        if who is None or who.operator is None or not who.fresh:
            return redirect_answer(DOOR)
        if action == "enrol":
            return await self._enrol(params, edge, browser, who)
        if action == "passkey":
            return await self._enter(params, edge, browser, who)
        raise InvalidRequest("The form holds no decision")

    async def _enrol(
        self, params: Parameters, edge: Edge, browser: Browser, who: AtTheDoor
    ) -> Answer:
        name = "".join(c for c in params.one("name") or "" if c.isprintable()).strip()[:60]
        challenge, account_id = await self._entrance.challenged(who), who.session.account_id
        answer, now = params.one("credential") or "", self._desk.clock.now()
        try:
            passkey = self._passkeys.made(answer, challenge, account_id, name or "Passkey", now)
        except PasskeyRefused as error:
            await self._entrance.refused(account_id, str(error)[:200])
            return await self._show(edge, browser, who, with_code=True, problem=NOT_YOURS)
        if not await self._entrance.enrol(passkey, params.one("code") or ""):
            return await self._show(edge, browser, who, with_code=True, problem=NO_CODE)
        return redirect_answer(DOOR)

    async def _enter(
        self, params: Parameters, edge: Edge, browser: Browser, who: AtTheDoor
    ) -> Answer:
        challenge, operator = await self._entrance.challenged(who), who.operator
        answer, cookie = params.one("credential") or "", None
        try:
            passkey, count = self._passkeys.used(answer, challenge, operator)
            cookie = await self._entrance.enter(who, passkey, count)
        except PasskeyRefused as error:
            await self._entrance.refused(who.session.account_id, str(error)[:200])
        if cookie is None:
            return await self._show(edge, browser, who, problem=NOT_YOURS)
        return redirect_answer("/admin", (self.cookie(cookie),))

    def cookie(self, value: str) -> Header:
        """Return the header that sets the console's cookie; an empty value removes it."""
        text = f"{self._cookie_name}={value}; Path=/; HttpOnly; SameSite=Strict"
        text += "; Secure" if self._secure else ""
        text += "" if value else "; Max-Age=0"
        return (b"set-cookie", text.encode("ascii"))


def _name(who: AtTheDoor | None) -> str:
    return "" if who is None else str(who.facts.claims.get("name", ""))


def _subject(who: AtTheDoor | None) -> str:
    """Return what the door's forms are about: this sign-in, in this session."""
    if who is None:
        return "console"
    session = who.session
    return f"console {session.account_id} {session.sid} {session.generation}"
