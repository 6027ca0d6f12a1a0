"""Signing out (OpenID Connect RP-Initiated Logout 1.0)."""

from dataclasses import dataclass
from typing import Final

from broker.core import redirects
from broker.core.audit import note
from broker.core.desk import Desk
from broker.core.errors import BadForm, InvalidRequest
from broker.core.model import AuditEvent, Client, Facts, Session
from broker.core.outcomes import SIGNED_OUT, Browser, LogoutPage, Redirect, SignedOutPage
from broker.core.parameters import Parameters
from broker.core.pkce import encode
from broker.core.subjects import subject_for
from broker.core.texts import Text
from broker.core.tokens import Hint, Mint

FIELDS: Final = (
    "id_token_hint",
    "client_id",
    "post_logout_redirect_uri",
    "state",
    "logout_hint",
    "ui_locales",
)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a logout request comes to.

    Attributes:
        hint: the ID token given back, if it is one of ours.
        client: who asks, as far as it is known.
        back: where to return to, registered; or None.
        state: to hand back with it.
        fields: the parameters as they came.
    """

    hint: Hint | None
    client: Client | None
    back: str | None
    state: str | None
    fields: dict[str, str]

    @property
    def ui_locales(self) -> str | None:
        """Languages in which to speak of it, as the app asked for."""
        return self.fields.get("ui_locales")


class Logout:
    """Answers ``/logout``.

    Args:
        desk: what a sign-in has at hand.
        mint: judges hints.
    """

    def __init__(self, desk: Desk, mint: Mint) -> None:
        self._desk = desk
        self._mint = mint

    async def begin(
        self, params: Parameters, browser: Browser
    ) -> Redirect | LogoutPage | SignedOutPage:
        """Sign out at once where an ID token names the person signed in here; else ask (§2).

        A request that names a way back which is not registered is asked about too.
        """
        wish = await self._wish(params)
        found = await self._desk.signed_in(self._desk.session_handle(browser))
        if found is None:
            return self._out(wish) if wish.hint else SignedOutPage(wish.client, wish.ui_locales)
        session, facts = found
        meant = wish.hint and (
            wish.hint.sid == session.sid or wish.hint.sub == _called(wish, session, facts)
        )
        astray = wish.back is None and "post_logout_redirect_uri" in wish.fields
        if meant and not astray:
            await self._end(session, wish)
            return self._out(wish)
        return self._page(wish, session, facts, browser)

    async def confirm(self, params: Parameters, browser: Browser) -> Redirect | SignedOutPage:
        """Sign out after our page asked.

        Raises:
            BadForm: the form did not come from our page in this browser.
        """
        desk = self._desk
        wish = await self._wish(params)
        handle = desk.session_handle(browser)
        if browser.session == SIGNED_OUT:  # the button was pressed twice
            return self._out(wish)
        # Judged even when the session is over: else anybody could take a browser's cookie away.
        if handle is None or not desk.forms.good(
            params.one("csrf"), browser.key, _subject(handle.account_id, handle.item_id)
        ):
            raise BadForm(links=((Text("Back to signing out"), "/logout"),))
        found = await desk.signed_in(handle)
        if found is not None:
            await self._end(found[0], wish)
        return self._out(wish)

    async def _wish(self, params: Parameters) -> Wish:
        """Judge the request; what is wrong in it only loses the way back (§3)."""
        fields = {name: value for name in FIELDS if (value := params.one(name)) is not None}
        hint = self._hint(fields.get("id_token_hint"))
        named = fields.get("client_id")
        if hint is not None and named not in {None, hint.client_id}:
            hint = None
        client_id = hint.client_id if hint else named
        client = await self._desk.clients.find(client_id) if client_id else None
        back = fields.get("post_logout_redirect_uri")
        if back is not None and (
            client is None
            or client.disabled
            or not redirects.registered(client, back, client.post_logout_redirect_uris)
        ):
            back = None
        broken_hint = hint is None and "id_token_hint" in fields
        return Wish(hint, client, None if broken_hint else back, fields.get("state"), fields)

    def _hint(self, token: str | None) -> Hint | None:
        if token is None:
            return None
        try:
            return self._mint.hint(token)
        except InvalidRequest:
            return None

    async def _end(self, session: Session, wish: Wish) -> None:
        """End the session, its codes and its grants; offline grants stay (Core §11)."""
        desk, now = self._desk, self._desk.clock.now()
        ended = await desk.sessions.end(session.account_id, session.sid, now=now)
        client_id = wish.client.client_id if wish.client else None
        detail = {"grants_ended": len(ended.grants)}
        await note(
            desk.audit,
            AuditEvent("sign_out", now, "person", session.account_id, client_id, detail),
        )

    def _out(self, wish: Wish) -> Redirect | SignedOutPage:
        if wish.back is None:
            return SignedOutPage(wish.client, wish.ui_locales)
        location = redirects.answer_url(wish.back, {"state": wish.state})
        return Redirect(location, end_session=True)

    def _page(self, wish: Wish, session: Session, facts: Facts, browser: Browser) -> LogoutPage:
        key = browser.key or encode(self._desk.entropy.token(24))
        return LogoutPage(
            csrf=self._desk.forms.make(key, _subject(session.account_id, session.sid)),
            claims=facts.claims,
            client=wish.client,
            fields=wish.fields,
            redirect_origin=redirects.origin(wish.back) if wish.back else None,
            browser=None if browser.key else key,
            ui_locales=wish.ui_locales,
        )


def _called(wish: Wish, session: Session, facts: Facts) -> str:
    """Return what the person signed in here is called at the client that asks (Core §8)."""
    return subject_for(wish.client, session.account_id, facts.sub) if wish.client else facts.sub


def _subject(account_id: str, sid: str) -> str:
    return f"logout {account_id} {sid}"
