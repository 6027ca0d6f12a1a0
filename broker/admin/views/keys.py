"""Signing keys: their timeline, and changing over."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette_admin.routing import route

from broker.admin.timeline import picture
from broker.admin.views.page import Page, form_of, text
from keys import policy as rules
from keys.errors import KeyNotFound
from keys.outcome import Outcome
from keys.plan import plan

MEANINGS: Final = {
    "learning": "published, caches learn it",
    "waiting": "known everywhere, waits",
    "signing": "signs",
    "verifying": "verifies what it signed",
    "revoked": "revoked; a cache may trust it still",
}


class Keys(Page):
    """Answers ``/admin/keys``."""

    menu_label = "Keys"
    path = "/keys"

    @route("")
    async def index(self, request: Request) -> Response:
        """Show the keys, what will happen to them, and what can be done about it."""
        settings, now = self.parts.settings, self.now
        policy, records = settings.key_policy, await self.stores.keys.all()
        ahead = plan(records, settings.algorithms, now, policy, 1.5 * policy.period)
        listed = [
            (one, rules.state(one, records, now, policy), rules.leaves_at(one, records, policy))
            for one in records
        ]
        return self.show(
            request,
            "keys.html",
            "Keys",
            listed=listed,
            drawn=picture(ahead),
            meanings=MEANINGS,
            algorithms=settings.algorithms,
        )

    @route("/rotate", methods=["POST"])
    async def rotate(self, request: Request) -> Response:
        """Change over as soon as every process can have heard of it, or at this instant."""
        form = await form_of(request)
        alg, at_once = text(form, "algorithm"), text(form, "when") == "now"
        return await self.do(request, "/admin/keys", self._rotate(request, alg, at_once=at_once))

    async def _rotate(self, request: Request, alg: str, *, at_once: bool) -> str:
        if alg not in self.parts.settings.algorithms:
            raise KeyNotFound(f"no algorithm {alg!r} is switched on")
        rotation = self.stores.rotation(self.parts.settings)
        change = rotation.rotate_now if at_once else rotation.rotate
        return await self._told(request, await change(self.now, alg))

    @route("/revoke", methods=["POST"])
    async def revoke(self, request: Request) -> Response:
        """Put a key out of use for good; its beginning has to be typed to confirm it."""
        form = await form_of(request)
        work = self._revoke(request, text(form, "kid"), text(form, "reason")[:500])
        if text(form, "confirm") != text(form, "kid")[:8]:
            work.close()
            work = _unconfirmed()
        return await self.do(request, "/admin/keys", work)

    async def _revoke(self, request: Request, kid: str, reason: str) -> str:
        outcome = await self.stores.rotation(self.parts.settings).revoke(kid, reason, self.now)
        return await self._told(request, outcome)

    async def _told(self, request: Request, outcome: Outcome) -> str:
        if outcome.changed:
            detail = {"kid": outcome.subject, "signing": outcome.signing}
            await self.remember(request, f"keys.{outcome.action}", detail)
        return await self._short(f"{outcome.happened} {outcome.then} {outcome.verifiers}")

    async def _short(self, told: str) -> str:
        """Return it with keys called as the page calls them."""
        for one in await self.stores.keys.all():
            told = told.replace(one.kid, one.kid[:8])
        return told


async def _unconfirmed() -> str:
    raise KeyNotFound("nothing was revoked: to confirm, type the first 8 characters of the key")
