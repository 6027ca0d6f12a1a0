"""Accounts: searched, looked at with what lives in Redis, switched off and on, signed out."""

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette_admin.routing import route

from broker.admin.views.moments import stamp
from broker.admin.views.page import PAGE_SIZE, Page, counted, form_of, missing, text
from broker.core.account.apps import withdraw
from broker.core.account.deletion import leave
from broker.core.account.holdings import Holdings
from broker.core.claims import UNKNOWN
from broker.core.model import Facts
from broker.core.ports import Ended as EndedGrants
from broker.stores.sql.account_search import AccountFilter, State, state_of
from broker.stores.sql.audit import AuditFilter
from broker.stores.sql.errors import NotFound
from broker.stores.sql.records import AccountRecord, BanRecord
from broker.web.devices import device

_STATES: Final = {State.ACTIVE: "on", State.DISABLED: "off", State.LEAVING: "leaving"}


@dataclass(frozen=True, slots=True)
class Ended:
    """What of an account was ended, in words."""

    sessions: int
    grants: int

    def __str__(self) -> str:
        sessions, grants = counted(self.sessions, "session"), counted(self.grants, "grant")
        return f"{sessions} and {grants} were alive, and have ended."


class Accounts(Page):
    """Answers ``/admin/accounts``."""

    menu_label = "Accounts"
    path = "/accounts"

    @route("")
    async def index(self, request: Request) -> Response:
        """List accounts by part of a name, username, e-mail address, or by Discord's identifier.

        Bans that have outlived their accounts are on the list of those that are off, too.
        """
        query = request.query_params.get("q", "").strip()[:200]
        state = request.query_params.get("state", "")
        after = request.query_params.get("after") or None
        wanted = AccountFilter(query, State(state) if state in set(State) else None)
        found = await self.sql.accounts.page(wanted, PAGE_SIZE, after)
        more = found[-1].account_id if len(found) == PAGE_SIZE else None
        bans: tuple[BanRecord, ...] = ()
        if wanted.state in {None, State.DISABLED}:
            bans = await (self.sql.bans.find(query) if query else self.sql.bans.page(PAGE_SIZE))
        return self.show(
            request,
            "accounts.html",
            "Accounts",
            found=found,
            query=query,
            state=wanted.state or "",
            states=_STATES,
            stands=state_of,
            more=more,
            bans=bans,
            provider=self.provider,
        )

    @route("/lift", methods=["POST"])
    async def lift(self, request: Request) -> Response:
        """Lift the ban that is left of a deleted account."""
        account_id = text(await form_of(request), "account")
        return await self.do(request, "/admin/accounts", self._lift(request, account_id))

    async def _lift(self, request: Request, account_id: str) -> str:
        if not await self.sql.bans.lift(account_id, now=self.now, by=self.by(request)):
            raise NotFound("It is lifted already")
        return "The ban is lifted: they may sign in, as somebody new."

    @route("/{account_id}")
    async def one(self, request: Request) -> Response:
        """Show one account: identities, consents, what is alive, and its latest events."""
        record = await self._record(request)
        account_id = record.account_id
        sessions, grants = await self.stores.redis.accounts.living(account_id, now=self.now)
        latest = await self.events(AuditFilter(account_id=account_id), 10)
        apps = sorted({*record.consents, *(one.client_id for one in grants)})
        return self.show(
            request,
            "account.html",
            record.name,
            one=record,
            sessions=sessions,
            grants=grants,
            apps=apps,
            names=await self.sql.clients.names(apps),
            latest=latest,
            operator=await self.sql.operators.get(account_id),
            provider=self.provider,
            device=device,
            unknown=UNKNOWN,
        )

    @route("/{account_id}/disable", methods=["POST"])
    async def disable(self, request: Request) -> Response:
        """Switch the account off: all that it began ends at once."""
        record, reason = await self._record(request), text(await form_of(request), "reason")
        return await self.do(request, _page(record), self._disable(record, reason, request))

    async def _disable(self, record: AccountRecord, reason: str, request: Request) -> str:
        by = self.by(request)
        if record.account_id == by:
            raise NotFound("Not your own account: somebody has to be left to switch it on again")
        facts = await self.sql.accounts.disable(record.account_id, reason[:500], self.now, by=by)
        return f"{record.name} is switched off. {await self._ended(record, facts)}"

    @route("/{account_id}/enable", methods=["POST"])
    async def enable(self, request: Request) -> Response:
        """Switch the account on again; what was ended stays ended."""
        record = await self._record(request)
        return await self.do(request, _page(record), self._enable(record, request))

    async def _enable(self, record: AccountRecord, request: Request) -> str:
        facts = await self.sql.accounts.enable(record.account_id, self.now, by=self.by(request))
        await self.stores.redis.accounts.put_facts(record.account_id, facts)
        return f"{record.name} is switched on."

    @route("/{account_id}/sign-out", methods=["POST"])
    async def sign_out(self, request: Request) -> Response:
        """End every session, code and grant of the account."""
        record = await self._record(request)
        return await self.do(request, _page(record), self._sign_out(record, request))

    async def _sign_out(self, record: AccountRecord, request: Request) -> str:
        facts = await self.sql.accounts.sign_out(record.account_id, self.now, by=self.by(request))
        return f"{record.name} is signed out everywhere. {await self._ended(record, facts)}"

    @route("/{account_id}/end-session", methods=["POST"])
    async def end_session(self, request: Request) -> Response:
        """End one session, with its codes and its grants but those that outlive sessions."""
        record, sid = await self._record(request), text(await form_of(request), "sid")
        return await self.do(request, _page(record), self._end_session(request, record, sid))

    async def _end_session(self, request: Request, record: AccountRecord, sid: str) -> str:
        account_id, redis = record.account_id, self.stores.redis
        sessions, _ = await redis.accounts.living(account_id, now=self.now)
        if sid not in {one.sid for one in sessions}:
            raise NotFound("This session has ended already")
        ended = await redis.sessions.end(account_id, sid, now=self.now)
        detail = {"grants_ended": len(ended.grants)}
        await self.remember(request, "sign_out", detail, account_id)
        return f"The session has ended, and {counted(len(ended.grants), 'grant')} with it."

    @route("/{account_id}/end-grant", methods=["POST"])
    async def end_grant(self, request: Request) -> Response:
        """End one grant: its refresh tokens at once."""
        record, grant = await self._record(request), text(await form_of(request), "grant")
        return await self.do(request, _page(record), self._end_grant(request, record, grant))

    async def _end_grant(self, request: Request, record: AccountRecord, grant_id: str) -> str:
        account_id, redis = record.account_id, self.stores.redis
        _, grants = await redis.accounts.living(account_id, now=self.now)
        client_id = next((one.client_id for one in grants if one.grant_id == grant_id), None)
        if client_id is None:
            raise NotFound("This grant has ended already")
        await redis.grants.end(account_id, grant_id, client_id)
        await self.remember(request, "grant.ended", {"grant": grant_id}, account_id, client_id)
        return (
            "The grant has ended: nothing of it refreshes. Services that ask nobody take its "
            "access tokens to their end."
        )

    @route("/{account_id}/withdraw", methods=["POST"])
    async def withdraw(self, request: Request) -> Response:
        """Take an app's access away: what was agreed to, and all that stood on it."""
        record, client = await self._record(request), text(await form_of(request), "client")
        return await self.do(request, _page(record), self._withdraw(request, record, client))

    async def _withdraw(self, request: Request, record: AccountRecord, client_id: str) -> str:
        by = self.by(request)
        place = self.sql.accounts, self.stores.redis.accounts, record.account_id, client_id
        ended = await withdraw(*place, now=self.now, actor="operator", by=by)
        return f"The access of {client_id} is withdrawn. {_carried(ended)}"

    @route("/{account_id}/delete", methods=["POST"])
    async def delete(self, request: Request) -> Response:
        """Delete the account: off at once, gone when the grace is over."""
        record = await self._record(request)
        return await self.do(request, _page(record), self._delete(request, record))

    async def _delete(self, request: Request, record: AccountRecord) -> str:
        by, grace = self.by(request), self.parts.settings.deletion_grace
        if record.account_id == by:
            raise NotFound("Not your own account: you would be out; /account deletes it")
        held = Holdings(self.sql.identities, self.sql.authorizations, self.parts.upstreams)
        place = self.sql.own, self.stores.redis.accounts, held, record.account_id
        leaving, ended = await leave(*place, now=self.now, grace=grace, actor="operator", by=by)
        gone = "is deleted" if leaving.facts is None else f"goes at {stamp(leaving.at)}"
        return f"{record.name} {gone}. {_carried(ended)}"

    @route("/{account_id}/keep", methods=["POST"])
    async def keep(self, request: Request) -> Response:
        """Keep an account that was to be deleted; what was ended stays ended."""
        record = await self._record(request)
        return await self.do(request, _page(record), self._keep(request, record))

    async def _keep(self, request: Request, record: AccountRecord) -> str:
        account_id, by = record.account_id, self.by(request)
        facts = await self.sql.own.keep(account_id, now=self.now, actor="operator", by=by)
        if facts is None:
            raise NotFound(f"{record.name} is not about to be deleted")
        await self.stores.redis.accounts.put_facts(account_id, facts)
        return f"{record.name} stays."

    async def _ended(self, record: AccountRecord, facts: Facts) -> Ended:
        """Carry the change to Redis at once; the outbox does it again, or where this dies."""
        states = self.stores.redis.accounts
        sessions, _ = await states.living(record.account_id, now=self.now)
        ended = await states.end_all(record.account_id, facts)
        return Ended(len(sessions), len(ended.grants))

    async def _record(self, request: Request) -> AccountRecord:
        try:
            return await self.sql.accounts.get(request.path_params["account_id"])
        except NotFound:
            raise missing("account") from None


def _carried(ended: EndedGrants | None) -> str:
    """Return what of it has happened in Redis."""
    if ended is None:
        return "Redis is out of reach: what lives ends as soon as it answers."
    grants = len(ended.grants)
    return f"{counted(grants, 'grant')} {'was' if grants == 1 else 'were'} alive, and ended."


def _page(record: AccountRecord) -> str:
    return f"/admin/accounts/{record.account_id}"
