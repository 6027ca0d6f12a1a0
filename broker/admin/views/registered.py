"""What operators register by hand besides apps: listed, added, edited, removed."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette_admin.flash import flash
from starlette_admin.routing import route

from broker.admin import fields
from broker.admin.fields import Field, Groups
from broker.admin.views.page import Page, form_of, missing, number, text
from broker.app.client_rules import Fault
from broker.app.problems import Refused
from broker.stores.sql.errors import AlreadyExists, EditConflict


class Registered(Page):
    """Pages of one register; a subclass says of what.

    An identifier may be an address, so it is a parameter: ``…/one?id=``.

    Attributes:
        noun: what one is called.
        key: the field that identifies one, asked for when one is new.
        after: what happens when one is removed.
        columns: template that lists them.
        options: how the command line calls each field.
    """

    noun: ClassVar[str]
    key: ClassVar[Field]
    after: ClassVar[str]
    columns: ClassVar[str]
    options: ClassVar[Mapping[str, str]]

    @property
    @abstractmethod
    def register(self) -> Any:
        """Where they are kept: a ``SqlRegister``."""

    @property
    @abstractmethod
    def groups(self) -> Groups:
        """The fields of one, by what they are about."""

    @abstractmethod
    def made(self, key: str, new: Mapping[str, Any]) -> Any:
        """Return one as a form has it."""

    @abstractmethod
    async def judge(self, one: Any, before: Any) -> list[Fault]:
        """Return what is wrong with one besides its own fields; raises ``Refused`` for those."""

    @abstractmethod
    async def used_by(self, key: str) -> tuple[str, ...]:
        """Return whom one matters to."""

    @abstractmethod
    def of(self, record: Any) -> Any:
        """Return what a record is of."""

    @property
    def home(self) -> str:
        """The address of the list."""
        return f"/admin{self.path}"

    @route("")
    async def index(self, request: Request) -> Response:
        """List them."""
        found = await self.register.list()
        return self.show(request, "registered.html", self.menu_label, view=self, found=found)

    # Of two routes that fit, the one whose method comes last by name is asked first.
    @route("/new", methods=["GET", "POST"])
    async def zz_new(self, request: Request) -> Response:
        """Ask for a new one, and register it."""
        if request.method == "GET":
            blank = fields.shown(self.made("", {}), self.groups)
            return await self._form(request, None, blank | {self.key.name: ""}, {})
        form = await form_of(request)
        key = text(form, self.key.name)
        one, wrong = await self._read(self.made(key, {}), key, form)
        if not wrong:
            try:
                await self.register.add(one, now=self.now, by=self.by(request))
            except AlreadyExists as error:
                wrong = [Fault(self.key.name, str(error))]
        if wrong:
            values = fields.typed(form, self.groups) | {self.key.name: key}
            return await self._form(request, None, values, fields.by_field(wrong))
        flash(request, f"{one.name} is registered.", "success")
        return RedirectResponse(self.home, 303)

    @route("/one", methods=["GET", "POST"])
    async def one(self, request: Request) -> Response:
        """Show one in its form, and take what was changed."""
        record = await self._record(request)
        before = self.of(record)
        if request.method == "GET":
            return await self._form(request, record, fields.shown(before, self.groups), {})
        form = await form_of(request)
        key = getattr(before, self.key.name)
        one, wrong = await self._read(before, key, form)
        if wrong:
            values = fields.typed(form, self.groups)
            return await self._form(request, record, values, fields.by_field(wrong))
        version = number(text(form, "version")) or 0
        return await self.do(request, self.home, self._edit(request, one, version))

    async def _edit(self, request: Request, one: Any, version: int) -> str:
        try:
            await self.register.edit(one, version=version, now=self.now, by=self.by(request))
        except EditConflict:
            raise EditConflict("Somebody else has changed it meanwhile; look again") from None
        return f"{one.name} is changed. Running servers follow within seconds."

    @route("/remove", methods=["POST"])
    async def remove(self, request: Request) -> Response:
        """Remove one."""
        key = text(await form_of(request), "id")
        return await self.do(request, self.home, self._remove(request, key))

    async def _remove(self, request: Request, key: str) -> str:
        record = await self.register.remove(key, now=self.now, by=self.by(request))
        return f"{self.of(record).name} is removed: {self.after}."

    async def _read(self, before: Any, key: str, form: FormData) -> tuple[Any, list[Fault]]:
        """Return one as the form has it, and all that is wrong with it."""
        new, wrong = fields.taken(before, form, self.groups, {})
        if wrong:
            return before, wrong
        one = self.made(key, new)
        try:
            return one, await self.judge(one, before)
        except Refused as refused:
            of = {option: field for field, option in self.options.items()}
            return one, [Fault(of.get(p.setting, p.setting), p.reason) for p in refused.problems]

    async def _form(
        self, request: Request, record: Any, values: dict[str, Any], wrong: dict[str, list[str]]
    ) -> Response:
        one = None if record is None else self.of(record)
        key = None if one is None else getattr(one, self.key.name)
        used_by = () if key is None else await self.used_by(key)
        return self.show(
            request,
            "registered_form.html",
            f"New {self.noun}" if one is None else one.name,
            view=self,
            record=record,
            key=key,
            values=values,
            wrong=wrong,
            used_by=used_by,
            names=await self.sql.clients.names(used_by),
        )

    async def _record(self, request: Request) -> Any:
        record = await self.register.get(request.query_params.get("id", "")[:2000])
        if record is None:
            raise missing(self.noun)
        return record


def with_fields(blank: Any, new: Mapping[str, Any]) -> Any:
    """Return a blank with fields put in."""
    return replace(blank, **new)
