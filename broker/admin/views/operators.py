"""Operators: who has the console, and with which passkeys."""

from starlette.requests import Request
from starlette.responses import Response
from starlette_admin.routing import route

from broker.admin.views.page import Page, form_of, text
from broker.core.console import Inside
from broker.stores.sql.errors import NotFound


class Operators(Page):
    """Answers ``/admin/operators``."""

    menu_label = "Operators"
    path = "/operators"

    @route("")
    async def index(self, request: Request) -> Response:
        """List them; the command line makes one: whoever is inside lets nobody else in."""
        operators = [
            (one, await self.sql.accounts.get(one.account_id))
            for one in await self.sql.operators.list()
        ]
        inside: Inside = request.state.inside
        return self.show(
            request,
            "operators.html",
            "Operators",
            operators=operators,
            own=inside.operator.account_id,
            used=inside.session.passkey,
        )

    @route("/passkey/remove", methods=["POST"])
    async def remove_passkey(self, request: Request) -> Response:
        """Take a passkey away; who came in with it is out at once."""
        form = await form_of(request)
        work = self._remove_passkey(request, text(form, "account"), text(form, "passkey"))
        return await self.do(request, "/admin/operators", work)

    async def _remove_passkey(self, request: Request, account: str, passkey: str) -> str:
        inside: Inside = request.state.inside
        if passkey == inside.session.passkey:
            raise NotFound("Not the passkey that you came in with: you would be out")
        try:
            credential_id = bytes.fromhex(passkey)
        except ValueError:
            raise NotFound("There is no such passkey") from None
        by = self.by(request)
        name = await self.sql.operators.forget(account, credential_id, now=self.now, by=by)
        return f"The passkey {name} is removed. Whoever came in with it is out."

    @route("/revoke", methods=["POST"])
    async def revoke(self, request: Request) -> Response:
        """Take the role from an account, with all its passkeys."""
        account = text(await form_of(request), "account")
        return await self.do(request, "/admin/operators", self._revoke(request, account))

    async def _revoke(self, request: Request, account: str) -> str:
        if account == self.by(request):
            raise NotFound("Not your own role: another operator, or the command line, takes it")
        await self.sql.operators.revoke(account, now=self.now, by=self.by(request))
        return "The account is no operator any more."
