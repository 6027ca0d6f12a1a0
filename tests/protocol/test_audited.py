"""What changes anything over HTTP, and which audit event tells of it; commands are in tests/cli."""

import re
from pathlib import Path

import broker
from broker.admin.views import VIEWS
from broker.web.routes import ROUTES

SOURCES = "".join(path.read_text() for path in Path(broker.__path__[0]).rglob("*.py"))
MADE = {"keys.", "api.", "guild."}  # whose ends are put together where they are written
LOOKS = {"/policies/check"}
CHANGING = {"POST", "PUT", "DELETE"}

ENDPOINTS = {
    "/token": ("code.replayed", "grant.reused", "grant.adopted", "access.ended", "token.exchanged",
               "upstream_token.given"),
    "/revoke": ("token.revoked",),
    "/register": ("client.added",),
    "/register/{client_id}": ("client.edited", "client.removed"),
    "/webhooks/discord": ("account.deauthorized",),
    "/interaction": ("consent.given", "consent.declined"),
    "/login/{upstream}/callback": ("sign_in", "sign_in.refused", "sign_in.declined",
                                   "account.created", "access.refused"),
    "/account": ("identity.linked", "identity.unlinked", "account.leaving"),
    "/logout": ("sign_out", "logout.undelivered"),
    "/device": ("device.approved",),
    "/admin/enter": ("operator.signed_in", "operator.enrolled", "operator.refused"),
}  # fmt: skip
"""By path, what may be written; a grant's ordinary tokens are counted, not remembered."""

NOTHING = {
    "/authorize", "/par", "/device_authorization",  # begin what ends by itself in minutes
    "/userinfo", "/introspect",  # look
    "/admin", "/admin/{path:path}",  # below
}  # fmt: skip

CONSOLE = {
    "/accounts/{account_id}/disable": "account.disabled",
    "/accounts/{account_id}/enable": "account.enabled",
    "/accounts/{account_id}/sign-out": "account.signed_out",
    "/accounts/{account_id}/end-session": "sign_out",
    "/accounts/{account_id}/end-grant": "grant.ended",
    "/accounts/{account_id}/withdraw": "consent.withdrawn",
    "/accounts/{account_id}/delete": "account.leaving",
    "/accounts/{account_id}/keep": "account.kept",
    "/accounts/lift": "ban.lifted",
    "/clients/new": "client.added",
    "/clients/{client_id}/edit": "client.edited",
    "/clients/{client_id}/switch": "client.edited",
    "/clients/{client_id}/secret": "client.edited",
    "/clients/{client_id}/remove": "client.removed",
    "/apis/new": "api.added",
    "/apis/one": "api.edited",
    "/apis/remove": "api.removed",
    "/guilds/new": "guild.added",
    "/guilds/one": "guild.edited",
    "/guilds/remove": "guild.removed",
    "/keys/rotate": "keys.rotate",
    "/keys/revoke": "keys.revoke",
    "/operators/passkey/remove": "operator.passkey_removed",
    "/operators/revoke": "operator.revoked",
    "/leave": "operator.signed_out",
}


async def test_every_endpoint_that_changes_anything_is_known() -> None:
    """A new one says here what it writes, or why it writes nothing."""
    changing = {entry.path for entry in ROUTES if CHANGING & {*entry.methods}}
    changing.add("/login/{upstream}/callback")  # a GET by its nature
    assert changing == ENDPOINTS.keys() | NOTHING


async def test_every_action_of_the_console_is_known() -> None:
    """As it is of endpoints; what each writes is tried by the console's own tests."""
    found = {
        f"{view.path}{getattr(view, name)._route_path}"
        for view in VIEWS
        for name in dir(view)
        if "POST" in getattr(getattr(view, name), "_route_methods", ())
    }
    assert found - LOOKS == CONSOLE.keys()


async def test_every_kind_is_written_somewhere() -> None:
    """No list here that only wishes."""
    kinds = {kind for some in ENDPOINTS.values() for kind in some} | {*CONSOLE.values()}
    for kind in sorted(kinds):
        made = any(kind.startswith(start) for start in MADE)
        assert made or re.search(f'"{re.escape(kind)}"', SOURCES), kind
