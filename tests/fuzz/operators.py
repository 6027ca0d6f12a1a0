"""What operators write: settings, files, forms of the console; and what the doctor looks at."""

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from unittest import mock

from hypothesis import strategies as st
from starlette.datastructures import FormData

from broker.admin import fields as console_fields
from broker.admin.passkeys import PasskeyRefused, Passkeys
from broker.admin.views.details import _KNOWN, Names, told
from broker.admin.views.page import number
from broker.app import account_import, importing, sources
from broker.app.addresses import host_and_port
from broker.app.checks import check_serving
from broker.app.community_names import guild_ids
from broker.app.loading import load
from broker.app.problems import Refused
from broker.app.settings import Settings
from broker.cli import client_files
from broker.cli.account_import import _document as account_document
from broker.cli.audit_commands import moment
from broker.cli.running import Failure
from broker.core import documents
from broker.core.community import mapping
from broker.core.model import AuditEvent
from broker.core.operators import Operator, Passkey
from broker.core.policy import reading
from broker.stores.redis import connect
from broker.stores.sql import engine
from tests.core.helpers import NOW, Counted
from tests.fuzz.far_side import DISCORD_USER
from tests.fuzz.given import (
    addresses,
    anything,
    bodies,
    deep,
    sound_but,
    texts,
)
from tests.fuzz.given import documents as written
from tests.fuzz.parser import Parser, whatever
from tests.fuzz.protocol import ISSUER, SIGNS

VALUES: Final = st.recursive(
    texts | st.none() | st.booleans() | st.integers() | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
NOBODY: Final = Names({}, {}, {}, str)
POLICY: Final = {
    "guilds": [{"id": "1", "any_role": ["2"], "not_pending": True}],
    "match": "any",
    "account_age": "30d",
    "email_verified": True,
    "allow": ["3"],
    "deny": ["4"],
}
ENTRY: Final = {
    "client_id": "app",
    "client_name": "App",
    "client_name#ko": "앱",
    "redirect_uris": ["https://app.example/cb"],
    "grant_types": ["authorization_code"],
    "scope": "openid",
    "jwks": {"keys": [SIGNS.jwk]},
    "policy": POLICY,
    "guilds": ["1"],
    "role_mapping": {"1": {"*": ["a"]}},
    "token_endpoint_auth_method": "private_key_jwt",
    "default_max_age": 60,
    "contacts": ["a@b.example"],
}
UPSTREAM: Final = {
    "name": "away",
    "kind": "oidc",
    "title": "Away",
    "issuer": ISSUER,
    "client_id": "us",
    "client_secret": "s" * 20,
    "scopes": ["email"],
}
USER: Final = {
    "is_active": True,
    "last_login": None,
    "date_joined": "2020-01-01T00:00:00Z",
}
SOCIAL: Final = {
    "provider": "discord",
    "uid": DISCORD_USER["id"],
    "user": 1,
    "extra_data": DISCORD_USER,
}
MADE: Final = {
    "id": "Y3JlZGVudGlhbA",
    "rawId": "Y3JlZGVudGlhbA",
    "type": "public-key",
    "response": {"clientDataJSON": "e30", "attestationObject": "oA"},
}
USED: Final = MADE | {
    "response": {
        "clientDataJSON": "e30",
        "authenticatorData": "AA",
        "signature": "AA",
        "userHandle": "AA",
    }
}
LOOKS: Final = (
    "text",
    "lines",
    "names",
    "translations",
    "flag",
    "time",
    "document",
    "keys",
    "guilds",
    "choice",
)
SETTINGS: Final = load()
PASSKEYS: Final = Passkeys(ISSUER, "it")
PASSKEY: Final = Passkey(b"credential", "ab" * 16, b"key", 0, "it", NOW)
OPERATOR: Final = Operator("ab" * 16, NOW, (PASSKEY,))


def setting_read(given: tuple[str, str]) -> None:
    """A setting from the environment, and every rule about it."""
    name, text = given
    check_serving(load(**{name: text}))


def settings_file_read(text: str) -> None:
    with tempfile.NamedTemporaryFile(suffix=".toml") as file:
        file.write(text.encode("utf-8", "surrogatepass"))
        file.flush()
        with mock.patch.dict(os.environ, {sources.FILE_NAMED_BY: file.name}):
            load()


def out_of_a_file(read: Callable[[Path], Any]) -> Callable[[bytes], Any]:
    def call(data: bytes) -> Any:
        with tempfile.NamedTemporaryFile() as file:
            file.write(data)
            file.flush()
            return read(Path(file.name))

    return call


def planned(entries: list[Any]) -> Any:
    rest: dict[str, Any] = {"apis": [], "update": True, "now": NOW, "entropy": Counted()}
    return importing.plan(entries, [], SETTINGS, **rest).added


def accounts_read(document: Any) -> Any:
    given = ("https://cdn.example",)
    return [account_import.read(document, *given, keep_ids=keep) for keep in (False, True)]


def typed(given: tuple[Any, str]) -> Any:
    look, text = given
    field = console_fields.Field("name", "Name", "", look=look)
    return console_fields._taken(FormData({"name": text}), field, None, {})


def fixture(user: dict[str, Any], social: dict[str, Any], data: Any) -> list[dict[str, Any]]:
    other = SOCIAL | {"extra_data": data}
    objects = [("auth.user", user), *((account_import.SOCIAL, one) for one in (social, other))]
    return [{"model": model, "pk": n, "fields": of} for n, (model, of) in enumerate(objects, 1)]


settings = st.sampled_from(sorted(set(Settings.model_fields) - {"data_dir"}))
mappings = st.dictionaries(
    st.sampled_from(["1", "2", "*", "x"]),
    st.dictionaries(st.sampled_from(["3", "*", ""]), anything, max_size=2),
    max_size=2,
)
fixtures = st.builds(
    fixture,
    sound_but(USER),
    sound_but(SOCIAL),
    sound_but(DISCORD_USER) | deep | written(sound_but(DISCORD_USER)),
)

PARSERS: Final[dict[str, Parser]] = {
    "documents": Parser(documents.parse, written(anything), (documents.BadDocument,), whatever),
    "policies": Parser(reading.read, sound_but(POLICY) | anything, (documents.BadDocument,)),
    "role mappings": Parser(
        lambda document: mapping.read(document, ("1",)),
        anything | mappings,
        (documents.BadDocument,),
    ),
    "settings": Parser(
        setting_read,
        st.tuples(settings, texts | addresses),
        (Refused,),
        seeds=(
            ("issuer", "A://["),
            ("pkcs11_module", "a" * 3000),
            ("keys_dir", "a" * 3000),
            ("brand_logo", "\0"),
        ),
    ),
    "BROKER_UPSTREAMS": Parser(
        lambda text: setting_read(("upstreams", text)),
        written(st.lists(sound_but(UPSTREAM) | anything, max_size=2)),
        (Refused,),
        seeds=(json.dumps([UPSTREAM]), json.dumps([UPSTREAM | {"issuer": "https://[::1"}])),
    ),
    "settings file": Parser(
        settings_file_read,
        texts
        | written(anything).map(lambda text: f"upstreams = {text}")
        | st.builds("{} = {!r}".format, texts, texts),
        (Refused,),
    ),
    "Redis addresses": Parser(
        connect,
        addresses,
        (ValueError,),
        whatever,
        ("redis+cluster://u:%zz@a,b:1", "rediss+sentinel://u:p@a/s/1?ssl_x=y", "redis://a:b/"),
    ),
    "SQL addresses": Parser(
        engine.create, addresses, (ValueError,), whatever, ("sqlite://a/b", "sqlite:///b?mode=rw")
    ),
    "addresses to listen on": Parser(
        host_and_port, addresses | texts, seeds=("[::1]:80", "127.1:80", "[::1:80", "localhost:1")
    ),
    "client files": Parser(client_files._entries, bodies(), (Failure,), whatever),
    "clients in files": Parser(
        planned,
        st.lists(sound_but(ENTRY) | anything, min_size=1, max_size=2),
        (Refused,),
        seeds=([ENTRY], [ENTRY | {"origins": ["https://[", "https://a.example"]}]),
    ),
    "account files": Parser(out_of_a_file(account_document), bodies(), (Failure,), whatever),
    "accounts in files": Parser(
        accounts_read,
        anything | fixtures,
        (ValueError,),
        seeds=(
            fixture(USER, SOCIAL, json.dumps(DISCORD_USER)),
            fixture(USER, SOCIAL, "[" * 5000),
            fixture(USER, {"provider": "discord", "user": 1, "extra_data": {}}, {}),
        ),
    ),
    "moments": Parser(lambda text: moment("--since", text, NOW), texts, (Failure,), whatever),
    "fields of the console": Parser(
        typed, st.tuples(st.sampled_from(LOOKS), texts | written(anything)), (ValueError,), whatever
    ),
    "details in the console": Parser(
        lambda detail: told(AuditEvent("some.kind", NOW, "operator", detail=detail), NOBODY),
        st.dictionaries(st.sampled_from([*_KNOWN, "new"]), VALUES, max_size=3),
        seeds=({"at": 1e300}, {"before": "2026-13-01"}, {"reasons": "email:% any_role:1 %s"}),
    ),
    "numbers in the console": Parser(number, texts),
    "guilds by name": Parser(lambda text: guild_ids([text], {}), texts, (ValueError,)),
    "new passkeys": Parser(
        lambda text: PASSKEYS.made(text, b"c", "ab", "it", NOW),
        written(sound_but(MADE)),
        (PasskeyRefused,),
    ),
    "passkeys in use": Parser(
        lambda text: PASSKEYS.used(text, b"c", OPERATOR),
        written(sound_but(USED)),
        (PasskeyRefused,),
    ),
}
