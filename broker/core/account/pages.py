"""The account's page, and what its forms ask for."""

from broker.core.account import entering, linking
from broker.core.desk import Desk
from broker.core.errors import BadForm, InvalidRequest, RequestUnknown
from broker.core.identities import Identity
from broker.core.model import Session
from broker.core.outcomes import AccountPage, Browser, ChoicePage, Notice, Redirect
from broker.core.parameters import Parameters
from broker.core.pkce import encode


class AccountPages:
    """Answers ``/account``.

    Args:
        desk: what a sign-in needs at hand.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def show(
        self, notice: str | None, browser: Browser
    ) -> Redirect | ChoicePage | AccountPage:
        """Answer ``GET /account``: show the account of who is signed in, or lead to a sign-in.

        Raises:
            UpstreamUnavailable: there is only one place to sign in, and it cannot be found.
            StoreUnavailable: a store is out of reach.
        """
        desk = self._desk
        found = await desk.signed_in(desk.session_handle(browser))
        if found is None:
            return await entering.enter(desk, browser)
        session, known = found
        identities = await desk.identities.of(session.account_id)
        key = browser.key or encode(desk.entropy.token(24))
        linked = {one.upstream for one in identities}
        return AccountPage(
            csrf=desk.forms.make(key, _subject(session)),
            claims=known.claims,
            identities=identities,
            linkable=tuple(name for name in desk.upstreams if name not in linked),
            removable=self._removable(identities),
            notice=Notice(notice) if notice in set(Notice) else None,
            browser=None if browser.key else key,
        )

    async def change(self, params: Parameters, browser: Browser) -> Redirect | ChoicePage:
        """Answer ``POST /account``: link an identity, or unlink one.

        Whoever has not signed in a moment ago does so first, and presses the button again.

        Raises:
            BadForm: the form did not come from our page, in this browser, for this session.
            LastIdentity, RequestUnknown: it cannot be done.
            UpstreamUnavailable, StoreUnavailable: not now; nothing was changed.
        """
        desk = self._desk
        found = await desk.signed_in(desk.session_handle(browser))
        if found is None:
            raise RequestUnknown("You are signed out by now", links=linking.BACK)
        session, _ = found
        if not desk.forms.good(params.one("csrf"), browser.key, _subject(session)):
            raise BadForm(links=linking.BACK)
        action, name = params.one("action"), params.one("upstream") or ""
        if action not in {"link", "unlink"}:
            raise InvalidRequest("The form holds no decision")
        if not linking.is_fresh(desk, session):
            return await linking.sign_in_anew(desk, session, browser)
        if action == "unlink":
            return await linking.unlink(desk, session, name)
        upstream = desk.upstreams.get(name)
        if upstream is None:
            raise InvalidRequest("There is no such place to sign in")
        return await linking.begin(desk, session, upstream, browser)

    def _removable(self, identities: tuple[Identity, ...]) -> tuple[str, ...]:
        """Return those whose parting leaves another through which the person can sign in."""
        usable = [one.upstream for one in identities if one.upstream in self._desk.upstreams]
        return tuple(
            one.upstream for one in identities if any(name != one.upstream for name in usable)
        )


def _subject(session: Session) -> str:
    """Return what the page's forms are about: this sign-in, in this session."""
    return f"account {session.account_id} {session.sid} {session.generation}"
