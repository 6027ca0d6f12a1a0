"""The audit log, with filters, and the same to take away."""

from datetime import UTC, datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette_admin.routing import route

from broker.admin.views.events import lines
from broker.admin.views.page import PAGE_SIZE, Page, number
from broker.app import audit_export
from broker.stores.sql.audit import AuditFilter

MOST: Final = 10_000  # events of one file
TYPES: Final = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl"}


class AuditLog(Page):
    """Answers ``GET /admin/audit``."""

    menu_label = "Audit log"
    path = "/audit"

    @route("")
    async def index(self, request: Request) -> Response:
        """Show the events that fit, newest first, a page at a time."""
        asked, wanted = await self._asked(request)
        before = number(request.query_params.get("before", ""))
        found = await self.sql.audit.page(wanted, PAGE_SIZE, before)
        more = found[-1].number if len(found) == PAGE_SIZE else None
        return self.show(
            request,
            "audit.html",
            "Audit log",
            latest=await lines(found, self.sql, self.provider),
            asked=asked,
            fields=_FIELDS,
            more=more,
            most=MOST,
        )

    @route("/export")
    async def export(self, request: Request) -> Response:
        """Answer with the newest events that fit as a file, CSV or a JSON object a line."""
        _, wanted = await self._asked(request)
        kind = "csv" if request.query_params.get("as") == "csv" else "jsonl"
        entries = await self.sql.audit.page(wanted, MOST)
        body = "".join(audit_export.FORMS[kind](entries))
        named = {"content-disposition": f'attachment; filename="audit.{kind}"'}
        return Response(body, media_type=TYPES[kind], headers=named)

    async def _asked(self, request: Request) -> tuple[dict[str, str], AuditFilter]:
        asked = {name: request.query_params.get(name, "").strip()[:200] for name in _FIELDS}
        return asked, AuditFilter(
            account_id=await self._whose(asked["account"]),
            client_id=asked["client"] or None,
            kind=asked["kind"],
            since=_day(asked["since"]),
            until=_day(asked["until"]),
        )

    async def _whose(self, who: str) -> str | None:
        """Return the identifier of the one account that is meant; else what was typed fits none.

        It may be the identifier of somebody who is gone, of whom the log still tells.
        """
        found = await self.sql.accounts.find(who) if who else ()
        return found[0].account_id if len(found) == 1 else who or None


_FIELDS: Final = {
    "kind": ("What", "grant.reused, or sign_in. for all that begin so", "text"),
    "account": ("Account", "its Discord id, username or identifier", "text"),
    "client": ("App", "its client_id", "text"),
    "since": ("From, UTC", "", "date"),
    "until": ("Before, UTC", "", "date"),
}


def _day(text: str) -> float | None:
    """Return when a day begins in UTC; None for what is no day."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None
