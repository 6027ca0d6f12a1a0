"""What every page of the console has: its parts, who looks at it, how an action ends."""

from collections.abc import Awaitable
from typing import Any, Final

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette_admin.flash import flash
from starlette_admin.views import CustomView

from broker.admin.views.events import EventLine, lines
from broker.admin.views.moments import ago, stamp
from broker.app.problems import Refused
from broker.app.serving import Parts
from broker.app.upstreams import providers
from broker.core.console import Inside
from broker.core.errors import BrokerError, Unavailable
from broker.core.model import AuditEvent, JsonValue
from broker.stores.sql.audit import EVERYTHING, AuditFilter
from keys.errors import KeysError

PAGE_SIZE: Final = 50


class Page(CustomView):
    """A page of the console.

    Args:
        parts: what services are made of.
    """

    def __init__(self, parts: Parts) -> None:
        super().__init__()
        self.parts = parts
        self.stores = parts.stores
        self.sql = parts.stores.sql
        self._titles = {one.name: one.title for one in providers(parts.settings)}

    @property
    def now(self) -> float:
        """The time, UTC seconds."""
        return self.parts.clock.now()

    def is_active(self, request: Request) -> bool:
        """Whether the request is for this page, or for one below it."""
        path, own = str(request.scope["path"]).removeprefix("/admin") or "/", self.path
        return path == own or (own != "/" and path.startswith(f"{own}/"))

    def show(self, request: Request, template: str, title: str, **context: Any) -> Response:
        """Write a page."""
        known = {"title": title, "stamp": stamp, "ago": lambda at: ago(at, self.now)}
        assert self._admin is not None  # noqa: S101 - it is mounted before it is asked
        return self._admin._template_response(request, template, known | context)  # noqa: SLF001

    def by(self, request: Request) -> str:
        """Return the account of the operator who is inside."""
        inside: Inside = request.state.inside
        return inside.operator.account_id

    async def events(
        self, wanted: AuditFilter = EVERYTHING, limit: int = PAGE_SIZE
    ) -> tuple[EventLine, ...]:
        """Return the newest events that fit, as pages list them."""
        return await lines(await self.sql.audit.page(wanted, limit), self.sql, self.provider)

    def provider(self, upstream: str) -> str:
        """Return what people call an upstream; its name where it is not used any more."""
        return self._titles.get(upstream, upstream)

    async def do(self, request: Request, back: str, work: Awaitable[str]) -> Response:
        """Carry out an action, and lead back to a page that says how it went.

        Raises:
            Unavailable: a store or the keys are out of reach: the edge says so.
        """
        try:
            flash(request, await work, "success")
        except Unavailable:
            raise
        except (BrokerError, Refused, KeysError) as error:
            flash(request, str(error), "error")
        return RedirectResponse(back, 303)

    async def remember(
        self,
        request: Request,
        kind: str,
        detail: dict[str, JsonValue],
        account_id: str | None = None,
        client_id: str | None = None,
    ) -> None:
        """Write an audit event of what the operator did where no store has written one."""
        told = detail | {"operator": self.by(request)}
        event = AuditEvent(kind, self.now, "operator", account_id, client_id, told)
        await self.sql.audit.record(event)


async def form_of(request: Request) -> FormData:
    """Return the form; the edge has bounded its size."""
    return await request.form()


def text(form: FormData, name: str) -> str:
    """Return a field of the form as text, without what stands around it."""
    return str(form.get(name) or "").strip()


def number(text: str) -> int | None:
    """Return the whole number that a form or an address carries for us; None for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 18 else None


def counted(number: int, what: str) -> str:
    """Return how many there are of something: ``1 grant``, ``2 grants``."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def missing(what: str) -> HTTPException:
    """Return what says that there is no such thing."""
    return HTTPException(404, f"There is no such {what}.")
