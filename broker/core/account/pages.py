"""The account's page, and what its forms ask for."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from broker.core.account import apps, download, endings, entering, leaving, linking
from broker.core.account.outcomes import (
    AccountFile,
    AccountPage,
    FarewellPage,
    LeavePage,
    Notice,
    Place,
)
from broker.core.community.registry import UNNAMED
from broker.core.desk import Desk
from broker.core.errors import BadForm, InvalidRequest, RequestUnknown, StoreUnavailable
from broker.core.identities import Identity
from broker.core.model import Facts, Session
from broker.core.outcomes import Browser, ChoicePage, Redirect
from broker.core.parameters import Parameters
from broker.core.pkce import encode
from broker.core.texts import Text

Changed = Redirect | ChoicePage | AccountFile | LeavePage | FarewellPage
Action = Callable[[Session, Parameters, Browser], Awaitable[Changed]]

# What changes how one signs in, takes everything along or ends it, needs a sign-in of a moment ago.
FRESH: Final = frozenset(("link", "unlink", "download", "delete"))


class AccountPages:
    """Answers ``/account``.

    Args:
        desk: what a sign-in needs at hand.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._actions: Mapping[str, Action] = {
            "link": self._link,
            "unlink": self._unlink,
            "sign_out": self._sign_out,
            "sign_out_everywhere": self._sign_out_everywhere,
            "withdraw": self._withdraw,
            "download": self._download,
            "delete": self._delete,
        }

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
        now, account_id = desk.clock.now(), session.account_id
        identities = await desk.identities.of(account_id)
        sessions, grants = await desk.states.living(account_id, now=now)
        key = browser.key or encode(desk.entropy.token(24))
        linked = {one.upstream for one in identities}
        return AccountPage(
            csrf=desk.forms.make(key, _subject(session)),
            claims=known.claims,
            identities=identities,
            linkable=tuple(name for name in desk.upstreams if name not in linked),
            removable=self._removable(identities),
            sid=session.sid,
            sessions=tuple(sorted(sessions, key=lambda one: _rank(one, session.sid))),
            apps=tuple(await apps.with_access(desk, account_id, grants)),
            places=await self._places(known),
            now=now,
            notice=Notice(notice) if notice in set(Notice) else None,
            browser=None if browser.key else key,
        )

    async def change(self, params: Parameters, browser: Browser) -> Changed:
        """Answer ``POST /account``: what a button of the page asks for.

        Whoever has not signed in a moment ago does so first where that is needed, and presses the
        button again.

        Raises:
            BadForm: the form did not come from our page, in this browser, for this session.
            LastIdentity, RequestUnknown: it cannot be done.
            UpstreamUnavailable, StoreUnavailable: not now; nothing was changed, or, where it was
                committed, the outbox does the rest.
        """
        desk = self._desk
        found = await desk.signed_in(desk.session_handle(browser))
        if found is None:
            raise RequestUnknown(Text("You are signed out by now"), links=linking.BACK)
        session, _ = found
        if not desk.forms.good(params.one("csrf"), browser.key, _subject(session)):
            raise BadForm(links=linking.BACK)
        name = params.one("action") or ""
        action = self._actions.get(name)
        if action is None:
            raise InvalidRequest(Text("The form holds no decision"))
        if name in FRESH and not linking.is_fresh(desk, session):
            return await linking.sign_in_anew(desk, session, browser)
        return await action(session, params, browser)

    async def _link(self, session: Session, params: Parameters, browser: Browser) -> Redirect:
        upstream = self._desk.upstreams.get(params.one("upstream") or "")
        if upstream is None:
            raise InvalidRequest(Text("There is no such place to sign in"))
        return await linking.begin(self._desk, session, upstream, browser)

    async def _unlink(self, session: Session, params: Parameters, _browser: Browser) -> Redirect:
        return await linking.unlink(self._desk, session, params.one("upstream") or "")

    async def _sign_out(self, session: Session, params: Parameters, _browser: Browser) -> Redirect:
        """End one session; that of this browser leads to the page that says so."""
        sid = params.one("session") or ""
        if not await endings.session(self._desk, session, sid):
            raise RequestUnknown(Text("That session is over already"), links=linking.BACK)
        return endings.OUT if sid == session.sid else Redirect(entering.shown(Notice.SIGNED_OUT))

    async def _sign_out_everywhere(
        self, session: Session, _params: Parameters, _browser: Browser
    ) -> Redirect:
        return await endings.everywhere(self._desk, session)

    async def _withdraw(self, session: Session, params: Parameters, _browser: Browser) -> Redirect:
        """Take an app's access away; one that has none is told of nowhere."""
        desk, account_id, now = self._desk, session.account_id, self._desk.clock.now()
        _, grants = await desk.states.living(account_id, now=now)
        client_id = params.one("client") or ""
        known = {one.client_id for one in await desk.own.agreements(account_id)}
        if client_id not in known | {one.client_id for one in grants}:
            raise RequestUnknown(Text("That app has no access any more"), links=linking.BACK)
        ended = await apps.withdraw(
            desk.accounts, desk.states, account_id, client_id, now=now, actor="person"
        )
        if ended is None:
            raise StoreUnavailable(private="the withdrawal is left to the outbox")
        return Redirect(entering.shown(Notice.WITHDRAWN))

    async def _download(
        self, session: Session, _params: Parameters, _browser: Browser
    ) -> AccountFile:
        return await download.everything(self._desk, session.account_id)

    async def _delete(
        self, session: Session, params: Parameters, browser: Browser
    ) -> LeavePage | FarewellPage:
        """Ask again, then do it."""
        desk = self._desk
        if params.one("sure") == "yes":
            return await leaving.depart(desk, session)
        csrf = desk.forms.make(browser.key or "", _subject(session))
        return LeavePage(csrf, desk.clock.now(), desk.lifetimes.deletion_grace)

    async def _places(self, known: Facts) -> tuple[Place, ...]:
        """Return what was last read of the person in guilds, by the names that people know."""
        standings = known.community.standings.values()
        if not standings:
            return ()
        guilds = await self._desk.access.guilds.registered()
        listed = known.community.listed
        names = {one.guild_id: one.name for one in listed.guilds} if listed else {}
        names |= {guild_id: guild.name for guild_id, guild in guilds.items()}
        return tuple(
            Place(
                names.get(one.guild_id, UNNAMED),
                one.read_at,
                member=one.member,
                nick=one.nick,
                roles=tuple(
                    guilds[one.guild_id].roles[role]
                    for role in one.roles
                    if one.guild_id in guilds and role in guilds[one.guild_id].roles
                ),
            )
            for one in standings
        )

    def _removable(self, identities: tuple[Identity, ...]) -> tuple[str, ...]:
        """Return those whose parting leaves another through which the person can sign in."""
        usable = [one.upstream for one in identities if one.upstream in self._desk.upstreams]
        return tuple(
            one.upstream for one in identities if any(name != one.upstream for name in usable)
        )


def _rank(session: Session, here: str) -> tuple[bool, float]:
    """Return a session's place in the list: this one first, then the one used last."""
    return session.sid != here, -max(session.seen_at, session.created_at)


def _subject(session: Session) -> str:
    """Return what the page's forms are about: this sign-in, in this session."""
    return f"account {session.account_id} {session.sid} {session.generation}"
