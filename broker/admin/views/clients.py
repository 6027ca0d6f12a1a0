"""Clients: listed, registered, edited, given new secrets, switched off and on."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette_admin.flash import flash
from starlette_admin.routing import route

from broker.admin import fields
from broker.admin.client_form import FIRST, client_fields, taken
from broker.admin.views.page import Page, form_of, missing, number, text
from broker.admin.views.policies import policy_said
from broker.app.algorithms import unready
from broker.app.client_rules import Fault
from broker.app.client_secrets import ending, has_secrets, with_secret
from broker.app.community_names import mapping_said
from broker.app.problems import Problem, Refused
from broker.app.registration import faults
from broker.app.scope_rules import nobodys
from broker.app.serving import Parts
from broker.core import client_keys
from broker.core import vocabulary as v
from broker.core.model import Client
from broker.core.policy.words import guild_name
from broker.core.redirects import web_origins
from broker.stores.sql.errors import AlreadyExists, EditConflict
from broker.stores.sql.records import ClientRecord

OLD_SECRET: Final = 86400.0  # seconds for which the secret before is accepted beside a new one


@dataclass(frozen=True, slots=True)
class Looked:
    """How the form is shown.

    Attributes:
        values: what stands in each field.
        wrong: the reasons why not, by field.
        said: documents in words, by field, where nothing is wrong; None before anybody asked.
    """

    values: Mapping[str, Any]
    wrong: Mapping[str, list[str]] = field(default_factory=dict)
    said: Mapping[str, tuple[str, ...]] | None = None


class Clients(Page):
    """Answers ``/admin/clients``."""

    menu_label = "Apps"
    path = "/clients"
    address = "/admin/clients"

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self.fields = client_fields(parts.settings)
        self.usual = fields.shown(Client("", "", auth_method=v.AUTH_BASIC), self.fields)

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
            return await self._form(request, blank, Looked(fields.shown(blank, self.fields)))
        form = await fields.with_files(await form_of(request), self.fields)
        blank = replace(blank, client_id=text(form, "client_id") or blank.client_id)
        client, looked = await self._looked(blank, form)
        if client.public and not client.origins:
            client = replace(client, origins=web_origins(client))
        if looked.wrong or text(form, "do") == "look":
            return await self._form(request, blank, looked)
        client, secret = with_secret(client, self.parts.entropy, self.now)
        try:
            record = await self.sql.clients.add(client, now=self.now, by=self.by(request))
        except AlreadyExists as error:
            looked = replace(looked, wrong={"client_id": [str(error)]})
            return await self._form(request, blank, looked)
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
        before = record.client
        if request.method == "GET":
            looked = Looked(fields.shown(before, self.fields))
            return await self._form(request, before, looked, record.version)
        form = await fields.with_files(await form_of(request), self.fields)
        client, looked = await self._looked(before, form)
        version = number(text(form, "version")) or 0
        if looked.wrong or text(form, "do") == "look":
            return await self._form(request, before, looked, version)
        return await self.do(request, _page(record), self._edit(request, client, version))

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
        if not off and (reason := await self._unready(client)):
            raise Refused(Problem("id_token_signed_response_alg", reason))
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

    @route("/{client_id}/remove", methods=["POST"])
    async def remove(self, request: Request) -> Response:
        """Remove it for good; its identifier has to be typed to confirm it."""
        record, form = await self._record(request), await form_of(request)
        if text(form, "confirm") != record.client.client_id:
            flash(request, "Nothing was removed: to confirm, type its client_id.", "error")
            return RedirectResponse(_page(record), 303)
        return await self.do(request, self.address, self._remove(request, record))

    async def _remove(self, request: Request, record: ClientRecord) -> str:
        client_id = record.client.client_id
        await self.sql.clients.remove(client_id, now=self.now, by=self.by(request))
        return f"{record.client.name} is removed; its identifier is never given again."

    async def _looked(self, before: Client, form: FormData) -> "tuple[Client, Looked]":
        """Return the client that a form describes, and how the form is to be shown again."""
        guilds = await self.sql.guilds.registered()
        client, wrong = taken(before, form, self.fields, guilds)
        wrong = wrong or await self._faults(client, before)
        values = fields.typed(form, self.fields) | {"client_id": text(form, "client_id")}
        if wrong:
            return client, Looked(values, fields.by_field(wrong))
        said = {
            "policy": policy_said(client, guilds),
            "role_mapping": mapping_said(client, guilds),
        }
        return client, Looked(values, said=said)

    async def _faults(self, client: Client, before: Client) -> list[Fault]:
        """Return what the command line would refuse too."""
        found = faults(client, self.parts.settings)
        unknown = await nobodys(client, self.sql)
        said = "neither one of ours nor of a registered API"
        found += [Fault("scopes", f"{scope} is {said}") for scope in unknown]
        field = "id_token_signed_response_alg"
        if not before.name or getattr(client, field) != getattr(before, field):
            reason = await self._unready(client)
            found += [Fault(field, reason)] if reason else []
        return found

    async def _unready(self, client: Client) -> str | None:
        """Return why nothing signs its ID tokens yet, or None."""
        policy, alg = self.parts.settings.key_policy, client.id_token_signed_response_alg
        return unready(await self.stores.keys.all(), alg, self.now, policy)

    async def _one(self, request: Request, record: ClientRecord, secret: str | None) -> Response:
        guilds = await self.sql.guilds.registered()
        client = record.client
        return self.show(
            request,
            "client.html",
            client.name,
            one=record,
            fields=self.fields,
            values=fields.shown(client, self.fields),
            secret=secret,
            has_secret=has_secrets(client),
            keys=client_keys.read(client.jwks) if client.jwks else (),
            guilds=[guild_name(one, guilds) for one in client.guilds],
            mapping=mapping_said(client, guilds),
            policy=policy_said(client, guilds),
        )

    async def _form(
        self, request: Request, client: Client, looked: "Looked", version: int | None = None
    ) -> Response:
        """Show the form, each reason at its field, what was typed still in it."""
        title = "New app" if version is None else f"Edit {client.name}"
        return self.show(
            request,
            "client_form.html",
            title,
            sections=fields.sections(
                self.fields, looked.values, self.usual, looked.wrong, first=FIRST
            ),
            looked=looked,
            client=client,
            version=version,
            guilds=await self.sql.guilds.list(),
        )

    async def _record(self, request: Request) -> ClientRecord:
        record = await self.sql.clients.get(request.path_params["client_id"])
        if record is None:
            raise missing("app")
        return record


def _page(record: ClientRecord) -> str:
    return f"/admin/clients/{record.client.client_id}"
