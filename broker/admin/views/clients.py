"""Clients: listed, registered, edited, given new secrets, switched off and on."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette_admin.flash import flash
from starlette_admin.routing import route

from broker.admin.client_form import FIELDS, shown, taken
from broker.admin.views.page import Page, form_of, missing, text
from broker.admin.views.registers import policy_said
from broker.app.client_rules import Fault
from broker.app.client_secrets import ending, has_secrets, with_secret
from broker.app.registration import faults
from broker.app.scope_rules import nobodys
from broker.core import vocabulary as v
from broker.core.model import Client
from broker.core.redirects import web_origins
from broker.stores.sql.errors import AlreadyExists, EditConflict
from broker.stores.sql.records import ClientRecord

OLD_SECRET: Final = 86400.0  # seconds for which the secret before is accepted beside a new one


class Clients(Page):
    """Answers ``/admin/clients``."""

    menu_label = "Apps"
    path = "/clients"

    @route("")
    async def index(self, request: Request) -> Response:
        """List them."""
        return self.show(request, "clients.html", "Apps", found=await self.sql.clients.list())

    # Of two routes that fit, the one whose method comes last by name is asked first.
    @route("/new", methods=["GET", "POST"])
    async def zz_new(self, request: Request) -> Response:
        """Ask for a new client, and register it."""
        blank = Client(client_id=self.parts.entropy.token(12).hex(), name="")
        blank = replace(blank, auth_method=v.AUTH_BASIC)
        if request.method == "GET":
            return self._form(request, blank, {}, shown(blank))
        form = await form_of(request)
        blank = replace(blank, client_id=text(form, "client_id") or blank.client_id)
        client, wrong = taken(blank, form)
        if client.public and not client.origins:
            client = replace(client, origins=web_origins(client))
        wrong = wrong or await self._faults(client)
        if wrong:
            return self._form(request, blank, _by_field(wrong), dict(form) | _several(form))
        client, secret = with_secret(client, self.parts.entropy, self.now)
        try:
            record = await self.sql.clients.add(client, now=self.now, by=self.by(request))
        except AlreadyExists as error:
            faulty = {"client_id": [str(error)]}
            return self._form(request, blank, faulty, dict(form) | _several(form))
        flash(request, f"{client.name} is registered.", "success")
        return await self._one(request, record, secret)

    @route("/{client_id}")
    async def one(self, request: Request) -> Response:
        """Show one client."""
        return await self._one(request, await self._record(request), None)

    @route("/{client_id}/edit", methods=["GET", "POST"])
    async def edit(self, request: Request) -> Response:
        """Show its form, and take what was changed."""
        record = await self._record(request)
        if request.method == "GET":
            return self._form(request, record.client, {}, shown(record.client), record.version)
        form = await form_of(request)
        client, wrong = taken(record.client, form)
        wrong = wrong or await self._faults(client)
        version = text(form, "version")
        number = int(version) if version.isascii() and version.isdigit() else 0
        if wrong:
            given = dict(form) | _several(form)
            return self._form(request, record.client, _by_field(wrong), given, number)
        return await self.do(request, _page(record), self._edit(request, client, number))

    async def _edit(self, request: Request, client: Client, version: int) -> str:
        try:
            await self.sql.clients.edit(client, version=version, now=self.now, by=self.by(request))
        except EditConflict:
            raise EditConflict("Somebody else has changed it meanwhile; look again") from None
        return f"{client.name} is changed. Running servers follow within seconds."

    @route("/{client_id}/switch", methods=["POST"])
    async def switch(self, request: Request) -> Response:
        """Switch it off, or on again."""
        record, off = await self._record(request), text(await form_of(request), "to") == "off"
        return await self.do(request, _page(record), self._switch(request, record, off=off))

    async def _switch(self, request: Request, record: ClientRecord, *, off: bool) -> str:
        client = replace(record.client, disabled=off)
        await self.sql.clients.edit(
            client, version=record.version, now=self.now, by=self.by(request)
        )
        return f"{client.name} is switched {'off' if off else 'on'}."

    @route("/{client_id}/secret", methods=["POST"])
    async def secret(self, request: Request) -> Response:
        """Make a new secret, shown once; the one before works for a day beside it, or not at all.

        It is shown in the answer itself, so it is in no cookie and in no address.
        """
        record, at_once = await self._record(request), text(await form_of(request), "old") == "end"
        if not has_secrets(record.client):
            raise missing("secret of this app")
        keep = self.now if at_once else self.now + OLD_SECRET
        older = ending(record.client.secrets, self.now, keep)
        client, secret = with_secret(record.client, self.parts.entropy, self.now, older)
        record = await self.sql.clients.edit(
            client, version=record.version, now=self.now, by=self.by(request)
        )
        return await self._one(request, record, secret)

    async def _faults(self, client: Client) -> list[Fault]:
        """Return what the command line would refuse too."""
        found = faults(client, self.parts.settings)
        unknown = await nobodys(client, self.sql)
        said = "neither one of ours nor of a registered API"
        return [*found, *(Fault("scopes", f"{scope} is {said}") for scope in unknown)]

    async def _one(self, request: Request, record: ClientRecord, secret: str | None) -> Response:
        guilds = {one.guild.guild_id: one.guild for one in await self.sql.guilds.list()}
        return self.show(
            request,
            "client.html",
            record.client.name,
            one=record,
            fields=FIELDS,
            values=shown(record.client),
            secret=secret,
            has_secret=has_secrets(record.client),
            policy=policy_said(record.client, guilds),
        )

    def _form(
        self,
        request: Request,
        client: Client,
        wrong: Mapping[str, list[str]],
        values: Mapping[str, Any],
        version: int | None = None,
    ) -> Response:
        """Show the form, each reason at its field, what was typed still in it."""
        title = "New app" if version is None else f"Edit {client.name}"
        return self.show(
            request,
            "client_form.html",
            title,
            fields=FIELDS,
            values=values,
            wrong=wrong,
            client=client,
            version=version,
        )

    async def _record(self, request: Request) -> ClientRecord:
        record = await self.sql.clients.get(request.path_params["client_id"])
        if record is None:
            raise missing("app")
        return record


def _page(record: ClientRecord) -> str:
    return f"/admin/clients/{record.client.client_id}"


def _by_field(found: list[Fault]) -> dict[str, list[str]]:
    told: dict[str, list[str]] = {}
    for fault in found:
        told.setdefault(fault.field, []).append(fault.reason)
    return told


def _several(form: Any) -> dict[str, Any]:
    """Return the fields of which several may be chosen, and flags, as the form shows them."""
    flags = {
        f.name: form.get(f.name) == "yes" for g in FIELDS.values() for f in g if f.look == "flag"
    }
    return {"grant_types": form.getlist("grant_types")} | flags
